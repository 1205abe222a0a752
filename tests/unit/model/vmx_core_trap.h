/* SPDX-License-Identifier: MIT */
/* How instructions that fault here come to the model, and what they ask it for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Takes SIGSEGV and SIGILL. What is none of the instructions goes to whoever had them. */
void vmx_core_trap(void);

uint64_t vmx_core_control(unsigned number);
void vmx_core_set_control(unsigned number, uint64_t value);
bool vmx_core_vmxon(uint64_t physical); /* false: it fails */
void vmx_core_violates(const char *format, ...) __attribute__((format(printf, 1, 2)));
