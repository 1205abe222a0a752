/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/descriptors.h"

uint8_t core_tables[CPU_MAX][CORE_TABLES_SIZE] __attribute__((aligned(64)));
uint8_t idt[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint8_t discard_idt[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
