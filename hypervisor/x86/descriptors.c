/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/descriptors.h"

struct core_tables core_tables[CPU_MAX] __attribute__((aligned(64)));
struct gate idt[IDT_SIZE] __attribute__((aligned(4096)));
struct gate discard_idt[IDT_SIZE] __attribute__((aligned(4096)));
