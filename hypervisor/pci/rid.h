/* SPDX-License-Identifier: MIT */
/* Requester ids (PCIe 2.2.6.2). */
#pragma once

#include "hypervisor/base/core.h"

/* Requester id (bus << 8 | device << 3 | function) with the segment above it. */
typedef uint32_t rid_t;
#define RID(segment, bus, device, function)                                                        \
    ((rid_t)((uint32_t)(segment) << 16 | (uint32_t)(bus) << 8 | (uint32_t)(device) << 3 |          \
             (uint32_t)(function)))
#define RID_SEGMENT(rid) ((uint16_t)((rid) >> 16))
#define RID_BUS(rid)     ((uint8_t)((rid) >> 8))
