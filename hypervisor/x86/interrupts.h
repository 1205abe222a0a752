/* SPDX-License-Identifier: MIT */
/* Interrupts that the hypervisor itself takes: on the control core, inside cpu_wait(). */
#pragma once

#include "hypervisor/base/core.h"

/* Vectors that the hypervisor uses on the control core. */
enum vector {
    VECTOR_TIMER = 0xf0,
    VECTOR_IOMMU_FAULT = 0xf1,
    VECTOR_WAKE = 0xf3,
    VECTOR_SPURIOUS = 0xff,
};
/* `handler` runs with interrupts off; EOI is done after it. */
void interrupt_register(uint8_t vector, void (*handler)(void *context), void *context);
