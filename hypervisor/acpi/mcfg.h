/* SPDX-License-Identifier: MIT */
/* MCFG (PCI Firmware 3.3, 4.1.2): where configuration space is mapped. */
#pragma once

#include "hypervisor/base/core.h"

#define MCFG_MAX_SEGMENTS 16

struct mcfg_segment {
    uint64_t base; /* physical address of bus 0's (not start_bus's) configuration space */
    uint16_t segment;
    uint8_t start_bus;
    uint8_t end_bus;
};

struct mcfg {
    uint32_t count;
    struct mcfg_segment segment[MCFG_MAX_SEGMENTS];
};
MUST_CHECK enum status mcfg_parse(const void *table, uint32_t length, struct mcfg *mcfg);
