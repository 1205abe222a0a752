/* SPDX-License-Identifier: MIT */
/* The second vCPU, in 64-bit mode. */
#pragma once

#include "guest/runtime/runtime.h"

/* Starts it with the caller's page tables and interrupt table, on a stack of its own, the way the
 * MultiProcessor specification (B.4) says. What it runs may not print: there is one line only. */
void second_start(void (*function)(void));
/* Of the second vCPU: the core behind the caller's. */
uint32_t second_apic_id(void);
/* A command to it, such as 0x4400 for an NMI. */
void second_command(uint32_t low);
