/* SPDX-License-Identifier: MIT */
/* Local APIC registers by their xAPIC offset; the x2APIC MSR is 0x800 + offset / 16
 * (SDM 3A table 11-1, 11-6). */
#pragma once

#include "hypervisor/base/core.h"

enum apic_register {
    APIC_ID = 0x020,
    APIC_VERSION = 0x030,
    APIC_TPR = 0x080,
    APIC_EOI = 0x0b0,
    APIC_SPURIOUS = 0x0f0,
    APIC_ISR = 0x100, /* eight registers of 32 bits, 16 bytes apart */
    APIC_IRR = 0x200, /* the same */
    APIC_ERROR_STATUS = 0x280,
    APIC_LVT_CMCI = 0x2f0,
    APIC_COMMAND_LOW = 0x300,
    APIC_COMMAND_HIGH = 0x310, /* xAPIC only */
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_COUNTER = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_BASE_X2APIC BIT(10) /* MSR_APIC_BASE */
#define APIC_BASE_ENABLE BIT(11)

#define APIC_TPR_EXCEPTIONS  0x10u /* holds back priority class 1: vectors 16 to 31 */
#define APIC_SPURIOUS_ENABLE 0x100u
#define APIC_LVT_MASKED      0x10000u
#define APIC_LVT_DELIVERY    0x700u
#define APIC_LVT_SMI         0x200u
#define APIC_LVT_NMI         0x400u
#define APIC_LVT_ACTIVE_LOW  0x2000u
#define APIC_COMMAND_PENDING 0x1000u

/* Chosen by the boot core before others run; every core is put into the same mode. */
extern struct apic_mode {
    bool x2apic;
    uintptr_t registers; /* in xAPIC mode */
    uint32_t thermal;    /* what the thermal sensor's entry holds outside guests; 0: masked */
} apic_mode;

/* This core's APIC, in whichever mode it is. */
uint32_t apic_read(enum apic_register offset);
void apic_write(enum apic_register offset, uint32_t value);
/* True when the interrupt of this vector waits for its EOI. */
bool apic_in_service(uint8_t vector);
