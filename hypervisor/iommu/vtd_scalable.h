/* SPDX-License-Identifier: MIT */
/* Scalable mode's structures, as far as requests without a PASID use them. */
#pragma once

#include "hypervisor/iommu/vtd_registers.h"

/* 11.4.3 Extended Capability Register */
#define VTD_ECAP_SMTS  BIT(43) /* scalable mode */
#define VTD_ECAP_SSTS  BIT(46) /* second-stage translation in it */
#define VTD_ECAP_SMPWC BIT(48) /* walks of its tables are coherent */

/* 11.4.5 Root Table Address: TTM */
#define VTD_RTADDR_SCALABLE (UINT64_C(1) << 10)

/* 9.2 Root Entry: each half has P and the table of 128 functions, devices 0 to 15 and 16 to 31. */
#define VTD_SCALABLE_FUNCTIONS 128

/* 9.4 Context Entry, 256 bits: P, FPD and the PASID directory; in the upper half of the first 128
 * bits the PASID of requests that have none. */
struct vtd_scalable_context {
    struct vtd_context_entry first;
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct vtd_scalable_context) == 32, "VT-d 9.4");
#define VTD_CONTEXT_DTE             BIT(2)
#define VTD_CONTEXT_PASIDE          BIT(3)
#define VTD_CONTEXT_PDTS(low)       ((unsigned)FIELD(low, 11, 9)) /* 2^(7 + PDTS) entries */
#define VTD_CONTEXT_RID_PASID(high) ((uint32_t)FIELD(high, 19, 0))

/* 9.5 PASID Directory Entry, 64 bits */
#define VTD_PASID_P             BIT(0) /* in a PASID entry as well */
#define VTD_PASID_FPD           BIT(1) /* likewise */
#define VTD_PASID_ADDRESS       BITS(63, 12)
#define VTD_PASID_TABLE_ENTRIES 64 /* of the table that a directory entry points at */

/* 9.6 PASID Table Entry, 512 bits */
struct vtd_pasid_entry {
    uint64_t low;  /* 0x0: P, FPD, AW, PGTT, second-stage table */
    uint64_t high; /* 0x8: DID */
    uint64_t more[6];
};
_Static_assert(sizeof(struct vtd_pasid_entry) == 64, "VT-d 9.6");
#define VTD_PASID_AW(levels)   ((uint64_t)((levels) - 2) << 2)
#define VTD_PASID_LEVELS(low)  ((unsigned)FIELD(low, 4, 2) + 2)
#define VTD_PASID_PGTT(low)    ((unsigned)FIELD(low, 8, 6))
#define VTD_PASID_SECOND_STAGE 2u /* PGTT */
#define VTD_PASID_SSADE        BIT(9)
#define VTD_PASID_DID(high)    ((uint16_t)FIELD(high, 15, 0))

/* 6.5.2.2 PASID-cache invalidate */
#define VTD_DESCRIPTOR_PASID_CACHE 7u
