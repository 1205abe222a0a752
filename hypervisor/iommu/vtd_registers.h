/* SPDX-License-Identifier: MIT */
/*
 * VT-d as the hardware defines it: registers and the structures it reads from memory. Section
 * numbers are those of the Intel VT-d architecture specification, revision 4.1.
 *
 * Fault and invalidation event registers (FECTL, FEDATA, FEADDR, FEUADDR, IECTL, ...) are 32 bits
 * wide and are accessed so: some emulated units stop the whole machine at a 64-bit access.
 */
#pragma once

#include "hypervisor/base/core.h"

enum vtd_register {                    /* 11.4, byte offsets from the unit's base */
                    VTD_VER = 0x00,    /* 32 bits: version */
                    VTD_CAP = 0x08,    /* 64 bits: capability */
                    VTD_ECAP = 0x10,   /* 64 bits: extended capability */
                    VTD_GCMD = 0x18,   /* 32 bits: global command, write-only */
                    VTD_GSTS = 0x1c,   /* 32 bits: global status */
                    VTD_RTADDR = 0x20, /* 64 bits: root table address */
                    VTD_CCMD = 0x28,   /* 64 bits: context command */
                    VTD_FSTS = 0x34,   /* 32 bits: fault status */
                    VTD_IQH = 0x80,    /* 64 bits: invalidation queue head */
                    VTD_IQT = 0x88,    /* 64 bits: invalidation queue tail */
                    VTD_IQA = 0x90,    /* 64 bits: invalidation queue address */
                    VTD_IRTA = 0xb8,   /* 64 bits: interrupt remapping table address */
                    VTD_REGISTERS_SIZE = 0x1000,
};

/* Inside the IOTLB registers, which lie at VTD_ECAP_IOTLB_OFFSET (11.4.8.1, 11.4.8.2). */
#define VTD_IVA   0x0u
#define VTD_IOTLB 0x8u

/* 11.4.2 Capability Register */
#define VTD_CAP_RWBF              BIT(4)
#define VTD_CAP_CM                BIT(7)
#define VTD_CAP_FAULT_OFFSET(cap) ((uint32_t)(FIELD(cap, 33, 24) * 16))
#define VTD_CAP_PSI               BIT(39)
#define VTD_CAP_FAULT_COUNT(cap)  ((unsigned)FIELD(cap, 47, 40) + 1) /* NFR is one less */
#define VTD_CAP_MAMV(cap)         ((unsigned)FIELD(cap, 53, 48))
#define VTD_CAP_DWD               BIT(54)
#define VTD_CAP_DRD               BIT(55)

/* 11.4.3 Extended Capability Register */
#define VTD_ECAP_C                  BIT(0)
#define VTD_ECAP_QI                 BIT(1)
#define VTD_ECAP_IR                 BIT(3)
#define VTD_ECAP_SC                 BIT(7) /* snoop control: SNP in second-level entries */
#define VTD_ECAP_IOTLB_OFFSET(ecap) ((uint32_t)(FIELD(ecap, 17, 8) * 16))

/* 11.4.4.1 Global Command and 11.4.4.2 Global Status: the same bit positions in both. */
#define VTD_GLOBAL_TE  0x80000000u /* translation */
#define VTD_GLOBAL_WBF 0x08000000u /* write buffer flush; one-shot */
#define VTD_GLOBAL_QIE 0x04000000u /* queued invalidation */
#define VTD_GLOBAL_IRE 0x02000000u /* interrupt remapping */
#define VTD_GLOBAL_CFI 0x00800000u /* compatibility format interrupts */
/* What a new command keeps of the status: everything but the one-shot bits (11.4.4.1). */
#define VTD_GLOBAL_KEEP 0x96ffffffu

/* 11.4.5 Root Table Address */
#define VTD_RTADDR_TTM  BITS(11, 10)
#define VTD_RTADDR_MASK BITS(63, 12)

/* 11.4.6.1 Context Command */
#define VTD_CCMD_ICC            BIT(63)
#define VTD_CCMD_GRANULARITY(g) ((uint64_t)(g) << 61) /* as in a descriptor: 1 global, 3 device */
#define VTD_CCMD_IDS(ids)       ((uint64_t)(ids))     /* 15:0 domain, 31:16 source */
#define VTD_CCMD_CAIG(reg)      ((unsigned)FIELD(reg, 60, 59)) /* what was done; 0: request refused */

/* 11.4.8 IOTLB Invalidate */
#define VTD_IOTLB_IVT            BIT(63)
#define VTD_IOTLB_GRANULARITY(g) ((uint64_t)(g) << 60) /* 1 global, 2 domain, 3 pages */
#define VTD_IOTLB_PAGE           VTD_IOTLB_GRANULARITY(3)
#define VTD_IOTLB_DID(id)        ((uint64_t)(id) << 32)
#define VTD_IOTLB_IAIG(reg)      ((unsigned)FIELD(reg, 58, 57)) /* what was done; 0: request refused */
#define VTD_IOTLB_DR             BIT(49)
#define VTD_IOTLB_DW             BIT(48)

/* 11.4.7.1 Fault Status, 11.4.7.2 Fault Event Control */
#define VTD_FSTS_PFO      0x01u /* overflow; write 1 to clear */
#define VTD_FSTS_PPF      0x02u /* some record is pending; read-only */
#define VTD_FSTS_IQE      0x10u /* queue error; write 1 to clear */
#define VTD_FSTS_ICE      0x20u /* bad completion from a device; write 1 to clear */
#define VTD_FSTS_ITE      0x40u /* a device's completion timed out; write 1 to clear */
#define VTD_FSTS_FRI(reg) ((unsigned)FIELD(reg, 15, 8))

/* 11.4.7.6 Fault Recording, 128 bits each */
#define VTD_FRCD_HIGH_F           BIT(63)
#define VTD_FRCD_HIGH_READ        BIT(62)
#define VTD_FRCD_HIGH_REASON(reg) ((uint8_t)FIELD(reg, 39, 32))
#define VTD_FRCD_HIGH_SID(reg)    ((uint16_t)FIELD(reg, 15, 0))
#define VTD_FRCD_LOW_ADDRESS      BITS(63, 12)
#define VTD_FRCD_LOW_INDEX(reg)   ((uint16_t)FIELD(reg, 63, 48))

/* 11.4.9 Invalidation queue */
#define VTD_IQ_INDEX(reg) ((uint32_t)FIELD(reg, 18, 4))
#define VTD_IQ_OFFSET(n)  ((uint64_t)(n) << 4)
#define VTD_IQA_DW(slots) ((uint64_t)((slots) - 1) << 11) /* descriptors of two slots: 256 bits */

/* 11.4.12 Interrupt Remapping Table Address */
#define VTD_IRTA_EIME         BIT(11)
#define VTD_IRTA_MASK         BITS(63, 12)
#define VTD_IRTA_ENTRIES(reg) (UINT32_C(2) << FIELD(reg, 3, 0))

/* 9.1 Root Entry */
struct vtd_root_entry {
    uint64_t low;  /* 0x0: P, context table */
    uint64_t high; /* 0x8: reserved, 0 */
};
_Static_assert(sizeof(struct vtd_root_entry) == 16, "VT-d 9.1");
#define VTD_ROOT_P       BIT(0)
#define VTD_ROOT_ADDRESS BITS(63, 12)

/* 9.3 Context Entry */
struct vtd_context_entry {
    uint64_t low;  /* 0x0: P, FPD, TT, second-level table */
    uint64_t high; /* 0x8: AW, DID */
};
_Static_assert(sizeof(struct vtd_context_entry) == 16, "VT-d 9.3");
_Static_assert(offsetof(struct vtd_context_entry, high) == 8, "VT-d 9.3");
#define VTD_CONTEXT_P          BIT(0)
#define VTD_CONTEXT_FPD        BIT(1)
#define VTD_CONTEXT_TT(low)    ((unsigned)FIELD(low, 3, 2)) /* 0: second level, no device TLB */
#define VTD_CONTEXT_ADDRESS    BITS(63, 12)
#define VTD_CONTEXT_AW(levels) ((uint64_t)((levels) - 2))
#define VTD_CONTEXT_DID(id)    ((uint64_t)(id) << 8)
#define VTD_CONTEXT_ID(high)   ((uint16_t)FIELD(high, 23, 8))

/* 9.10 Interrupt Remapping Table Entry */
struct vtd_irte {
    uint64_t low;  /* 0x0: P, modes, vector, destination */
    uint64_t high; /* 0x8: SID, SQ, SVT */
};
_Static_assert(sizeof(struct vtd_irte) == 16, "VT-d 9.10");
#define VTD_IRTE_P           BIT(0)
#define VTD_IRTE_VECTOR(low) ((uint8_t)FIELD(low, 23, 16))
#define VTD_IRTE_DST(low)    ((uint32_t)FIELD(low, 63, 32))
#define VTD_IRTE_SID(high)   ((uint16_t)FIELD(high, 15, 0))
#define VTD_IRTE_SQ(high)    ((uint8_t)FIELD(high, 17, 16))
#define VTD_IRTE_SVT(high)   ((uint8_t)FIELD(high, 19, 18))
#define VTD_IRTE_HIGH_VERIFY (UINT64_C(1) << 18) /* SVT = 1: SID as SQ says; SQ = 0: all of it */

/* 5.1.2.2 Remappable interrupt request: address bits */
#define VTD_MSI_ADDRESS    0xfee00000u
#define VTD_MSI_REMAPPABLE 0x10u
#define VTD_MSI_HANDLE(index)                                                                      \
    (((uint32_t)((index) & 0x7fff) << 5) | ((uint32_t)((index) >> 15 & 1) << 2))

/* 6.5.2 Invalidation queue descriptors, 128 bits */
struct vtd_descriptor {
    uint64_t low;  /* 0x0: type, granularity, ids */
    uint64_t high; /* 0x8: address */
};
_Static_assert(sizeof(struct vtd_descriptor) == 16, "VT-d 6.5.2");

enum vtd_descriptor_type {
    VTD_DESCRIPTOR_CONTEXT = 1, /* 6.5.2.1 */
    VTD_DESCRIPTOR_IOTLB = 2,   /* 6.5.2.3 */
    VTD_DESCRIPTOR_IEC = 4,     /* 6.5.2.7 */
    VTD_DESCRIPTOR_WAIT = 5,    /* 6.5.2.8 */
};
#define VTD_DESCRIPTOR_TYPE(low)        ((unsigned)FIELD(low, 3, 0))
#define VTD_DESCRIPTOR_GLOBAL           (UINT64_C(1) << 4)
#define VTD_DESCRIPTOR_DOMAIN           (UINT64_C(2) << 4) /* IOTLB: of one domain */
#define VTD_DESCRIPTOR_SELECTIVE        (UINT64_C(3) << 4) /* context: one device; IOTLB: pages */
#define VTD_DESCRIPTOR_DW               BIT(6)
#define VTD_DESCRIPTOR_DR               BIT(7)
#define VTD_DESCRIPTOR_DID(id)          ((uint64_t)(id) << 16)
#define VTD_DESCRIPTOR_SID(source)      ((uint64_t)(source) << 32)
#define VTD_DESCRIPTOR_IEC_INDEX        BIT(4)
#define VTD_DESCRIPTOR_IIDX(index)      ((uint64_t)(index) << 32)
#define VTD_DESCRIPTOR_WAIT_SW          BIT(5)
#define VTD_DESCRIPTOR_WAIT_DATA(value) ((uint64_t)(value) << 32)

/* 3.14: requests to this range are interrupts and never reach second-level tables; cores have their
 * local APICs there (SDM 3A 11.4.1). */
#define VTD_INTERRUPT_RANGE_BASE UINT64_C(0xfee00000)
#define VTD_INTERRUPT_RANGE_END  UINT64_C(0xfef00000)
