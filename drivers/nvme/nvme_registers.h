/* SPDX-License-Identifier: MIT */
/*
 * What the PF driver uses of NVM Express: registers (Base 2.0, 3.1.3), the admin command set (5)
 * and the data structures of its commands. Everything is little-endian.
 */
#pragma once

#include "hypervisor/base/core.h"

#define NVME_CSTS      0x1c
#define NVME_DOORBELLS 0x1000

enum nvme_opcode {
    NVME_IDENTIFY = 0x06,
    NVME_NAMESPACE_ATTACHMENT = 0x15,
    NVME_VIRTUALIZATION_MANAGEMENT = 0x1c,
};

struct nvme_command { /* 3.3.3.1 */
    uint8_t opcode;   /* 0 */
    uint8_t flags;
    uint16_t id;          /* 2 */
    uint32_t namespace;   /* 4 */
    uint32_t reserved[4]; /* 8 */
    uint64_t prp1, prp2;  /* 24 */
    uint32_t dword10, dword11;
    uint32_t rest[4];
};
_Static_assert(sizeof(struct nvme_command) == 64, "a submission queue entry has 64 bytes");
_Static_assert(offsetof(struct nvme_command, prp1) == 24, "DPTR");
_Static_assert(offsetof(struct nvme_command, dword10) == 40, "CDW10");

struct nvme_completion { /* 3.3.3.2 */
    uint32_t result;     /* 0 */
    uint32_t reserved;
    uint16_t queue_head; /* 8 */
    uint16_t queue;
    uint16_t id;     /* 12 */
    uint16_t status; /* 14: bit 0 is the phase tag */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "a completion queue entry has 16 bytes");

#define NVME_STATUS_PHASE      1u
#define NVME_STATUS_CODE(word) ((unsigned)FIELD(word, 11, 1)) /* type and code; 0: success */

/* Identify (5.17): CDW10 is CNS and, in the upper half, a controller id. */
enum nvme_identify {
    NVME_ID_CONTROLLER = 0x01,
    NVME_ID_ALLOCATED_NAMESPACES = 0x10,
    NVME_ID_ATTACHED_CONTROLLERS = 0x12, /* of one namespace */
    NVME_ID_PRIMARY = 0x14,
    NVME_ID_SECONDARIES = 0x15,
};

/* Secondary Controller List (5.17.2.16) */
#define NVME_SECONDARY_COUNT    0 /* 8 bits */
#define NVME_SECONDARY(n)       (32u + 32u * (n))
#define NVME_SECONDARIES        127
#define NVME_SECONDARY_ID       0
#define NVME_SECONDARY_PRIMARY  2
#define NVME_SECONDARY_STATE    4 /* bit 0: online */
#define NVME_SECONDARY_FUNCTION 8 /* VF number, from 1 */
#define NVME_SECONDARY_QUEUES   10
#define NVME_SECONDARY_VECTORS  12

/* Virtualization Management (5.39): CDW10 is the action, the resource type and a controller id. */
enum nvme_action {
    NVME_PRIMARY_ALLOCATE = 1,
    NVME_SECONDARY_OFFLINE = 7,
    NVME_SECONDARY_ASSIGN = 8,
    NVME_SECONDARY_ONLINE = 9,
};
enum nvme_resource { NVME_QUEUES = 0, NVME_INTERRUPTS = 1 };

/* Namespace Attachment (5.22): the data is a Controller List (4.4.1), 16 bits each: their count and
 * their ids. */
enum nvme_attachment { NVME_ATTACH = 0, NVME_DETACH = 1 };
#define NVME_ALREADY_ATTACHED 0x118 /* command specific status (figure 102) */
#define NVME_NOT_ATTACHED     0x11a
#define NVME_LIST_CONTROLLERS 2047
