/* SPDX-License-Identifier: MIT */
/* What only bringing a controller up needs of NVM Express (Base 2.0): registers (3.1.3), and what
 * Identify says. */
#pragma once

#include "drivers/nvme/nvme_registers.h"

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
#define NVME_CSTS_READY         BIT(0)
#define NVME_AQA                0x24
#define NVME_ASQ                0x28 /* 64 bits, as is the next */
#define NVME_ACQ                0x30
#define NVME_MIN_REGISTERS      0x2000

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
