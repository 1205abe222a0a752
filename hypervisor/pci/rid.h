/* SPDX-License-Identifier: MIT */
/* Requester ids (PCIe 2.2.6.2). */
#pragma once

#include "hypervisor/base/core.h"

/* Requester id (bus << 8 | device << 3 | function) with the segment above it. */
typedef uint32_t rid_t;
#define RID(segment, bus, device, function)                                                        \
    ((rid_t)((uint32_t)(segment) << 16 | (uint32_t)(bus) << 8 | (uint32_t)(device) << 3 |          \
             (uint32_t)(function)))
#define RID_SEGMENT(rid)  ((uint16_t)((rid) >> 16))
#define RID_BUS(rid)      ((uint8_t)((rid) >> 8))
#define RID_DEVICE(rid)   ((uint8_t)(((rid) >> 3) & 0x1f))
#define RID_FUNCTION(rid) ((uint8_t)((rid) & 7))

/* Of one segment. */
#define PCI_REQUESTERS 65536
#define PCI_BUSES      256
#define PCI_DEVICES    32 /* of a bus */
#define PCI_FUNCTIONS  8  /* of a device */
