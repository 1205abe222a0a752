/* SPDX-License-Identifier: MIT */
/* IVRS (AMD's I/O Virtualization Technology specification, 5.2): which AMD-Vi units a machine has.
 * They are told, not driven. */
#pragma once

#include "hypervisor/base/core.h"

#define IVRS_MAX_UNITS 16

struct ivrs_unit {
    uint64_t base; /* of its registers */
    uint16_t segment;
    uint16_t rid; /* of the PCI function that it is */
};

struct ivrs {
    uint32_t unit_count;
    struct ivrs_unit unit[IVRS_MAX_UNITS]; /* no base twice */
};

/* A unit is listed by up to three blocks of different types; it counts once. A block whose length
 * cannot be ends the walk. */
MUST_CHECK enum status ivrs_parse(const void *table, uint32_t length, struct ivrs *ivrs);
