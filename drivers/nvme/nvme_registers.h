/* SPDX-License-Identifier: MIT */
/*
 * What the PF driver uses of NVM Express: registers (Base 2.0, 3.1.3), the admin command set (5)
 * and the data structures of its commands. Everything is little-endian.
 */
#pragma once

#include "hypervisor/base/core.h"

#define NVME_CLASS 0x010802u /* mass storage, non-volatile memory, NVM Express */

#define NVME_CAP_LOW            0x00
#define NVME_CAP_ENTRIES(low)   (FIELD(low, 15, 0) + 1) /* MQES */
#define NVME_CAP_TIMEOUT(low)   FIELD(low, 31, 24)      /* TO, in 500 ms */
#define NVME_CAP_HIGH           0x04
#define NVME_CAP_STRIDE(high)   FIELD(high, 3, 0)   /* DSTRD: 4 << n bytes */
#define NVME_CAP_SUBSYS_RESET   BIT(4)              /* NSSRS: NSSR resets every controller */
#define NVME_CAP_NVM            BIT(5)              /* CSS: the NVM command set */
#define NVME_CAP_MIN_PAGE(high) FIELD(high, 19, 16) /* MPSMIN: 4096 << n bytes */
#define NVME_CAP_PMR            BIT(24)             /* PMRS: persistent memory region */
#define NVME_CAP_CMB            BIT(25)             /* CMBS: controller memory buffer */
#define NVME_INTMS              0x0c
#define NVME_CC                 0x14
#define NVME_CC_ENABLE          BIT(0)
#define NVME_CC_ENTRY_SIZES     (UINT32_C(6) << 16 | UINT32_C(4) << 20) /* 64 and 16 bytes */
#define NVME_CSTS               0x1c
#define NVME_CSTS_READY         BIT(0)
#define NVME_CSTS_FATAL         BIT(1)
#define NVME_AQA                0x24
#define NVME_ASQ                0x28 /* 64 bits, as is the next */
#define NVME_ACQ                0x30
#define NVME_DOORBELLS          0x1000
#define NVME_MIN_REGISTERS      0x2000

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

/* Identify Controller (5.17.2.1) */
#define NVME_CONTROLLER_ID         78 /* CNTLID */
#define NVME_CONTROLLER_CTRATT     96 /* attributes, 32 bits */
#define NVME_CTRATT_CAPACITY       (BIT(11) | BIT(12) | BIT(13) | BIT(14))
#define NVME_CONTROLLER_OACS       256 /* optional admin commands */
#define NVME_OACS_SECURITY         BIT(0)
#define NVME_OACS_FORMAT           BIT(1)
#define NVME_OACS_FIRMWARE         BIT(2)
#define NVME_OACS_NAMESPACES       BIT(3)
#define NVME_OACS_MANAGEMENT       BIT(6) /* NVMe-MI Send and Receive */
#define NVME_OACS_VIRTUALIZATION   BIT(7)
#define NVME_OACS_LOCKDOWN         BIT(10)
#define NVME_CONTROLLER_SANICAP    328 /* sanitize, 32 bits */
#define NVME_SANICAP_ANY           (BIT(0) | BIT(1) | BIT(2))
#define NVME_CONTROLLER_NAMESPACES 516               /* NN: the highest namespace id */
#define NVME_CONTROLLER_FNA        524               /* Format NVM attributes */
#define NVME_FNA_ALL               (BIT(0) | BIT(1)) /* it formats or erases all namespaces */

/* Primary Controller Capabilities (5.17.2.15): one block for queues and one for interrupts. */
#define NVME_PRIMARY_ID           0
#define NVME_PRIMARY_TYPES        4 /* CRT: bit 0 queues, bit 1 interrupts */
#define NVME_PRIMARY_QUEUES       32
#define NVME_PRIMARY_INTERRUPTS   64
#define NVME_FLEXIBLE_TOTAL       0  /* VQFRT, VIFRT: 32 bits */
#define NVME_FLEXIBLE_PRIMARY     8  /* VQRFAP, VIRFAP: what the primary controller has of them */
#define NVME_FLEXIBLE_MOST        12 /* VQFRSM, VIFRSM: the most that a secondary may have */
#define NVME_FLEXIBLE_GRANULARITY 14 /* VQGRAN, VIGRAN */

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
#define NVME_LIST_NAMESPACES  1024
