/* SPDX-License-Identifier: MIT */
/* FADT (ACPI 6.5, 5.2.9) and the one package of the DSDT: what power-off, reset and the PM timer
 * need. */
#pragma once

#include "hypervisor/base/core.h"

struct fadt {
    uint32_t pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    uint32_t pm1a_control_port;
    uint32_t pm1b_control_port;
    uint32_t pm1_event_port[2]; /* 0: none; status, then enable registers */
    uint8_t pm1_event_length;   /* bytes, of both together */
    uint32_t gpe_port[2];       /* likewise */
    uint8_t gpe_length[2];
    uint32_t smi_command_port;
    uint8_t acpi_enable;
    uint8_t reset_space; /* 1 = port I/O, 0 = memory; 0xff = no reset register */
    uint64_t reset_address;
    uint8_t reset_value;
    uint64_t dsdt;
    bool no_8042;  /* no keyboard controller behind ports 60h and 64h */
    bool emulator; /* QEMU or Bochs made this table */
    bool no_rtc;   /* no real-time clock behind ports 70h and 71h */
};
MUST_CHECK enum status fadt_parse(const void *table, uint32_t length, struct fadt *fadt);
/* Looks for the \_S5 package in the DSDT's bytes (no AML interpreter: a bounded pattern search) and
 * gives the SLP_TYP values; STATUS_NOT_FOUND when the pattern is not there. */
MUST_CHECK enum status dsdt_find_s5(const void *table, uint32_t length, uint8_t *slp_typ_a,
                                    uint8_t *slp_typ_b);
