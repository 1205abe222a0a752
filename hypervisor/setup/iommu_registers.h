/* SPDX-License-Identifier: MIT */
/* What only finding units and enabling them needs of VT-d. Section numbers as in vtd_registers.h.
 */
#pragma once

#include "hypervisor/iommu/vtd_registers.h"

enum vtd_setup_register {                     /* 11.4, as enum vtd_register */
                          VTD_FECTL = 0x38,   /* 32 bits: fault event control */
                          VTD_FEDATA = 0x3c,  /* 32 bits: fault event data */
                          VTD_FEADDR = 0x40,  /* 32 bits: fault event address */
                          VTD_FEUADDR = 0x44, /* 32 bits: fault event upper address */
                          VTD_PMEN = 0x64,    /* 32 bits: protected memory enable */
};

/* 11.4.2 Capability Register */
#define VTD_CAP_ND(cap)        ((unsigned)FIELD(cap, 2, 0)) /* 2^(4 + 2 * ND) domain ids */
#define VTD_CAP_PLMR           BIT(5)
#define VTD_CAP_PHMR           BIT(6)
#define VTD_CAP_SAGAW(cap)     ((unsigned)FIELD(cap, 12, 8)) /* bit n: n + 2 levels, n = 1..3 */
#define VTD_CAP_MGAW_BITS(cap) ((unsigned)FIELD(cap, 21, 16) + 1)
#define VTD_CAP_SLLPS(cap)     ((unsigned)FIELD(cap, 37, 34)) /* bit 0: 2 MiB, bit 1: 1 GiB */

/* 11.4.3 Extended Capability Register */
#define VTD_ECAP_EIM BIT(4)

/* 11.4.4.1 Global Command and 11.4.4.2 Global Status: the same bit positions in both. */
#define VTD_GLOBAL_SRTP  0x40000000u /* set root table pointer; one-shot */
#define VTD_GLOBAL_SFL   0x20000000u /* set fault log; one-shot */
#define VTD_GLOBAL_SIRTP 0x01000000u /* set interrupt remapping table pointer; one-shot */

/* 11.4.7.1 Fault Status, 11.4.7.2 Fault Event Control */
#define VTD_FECTL_IM 0x80000000u

/* 11.4.14.1 Protected Memory Enable */
#define VTD_PMEN_EPM 0x80000000u
#define VTD_PMEN_PRS 0x00000001u

#define VTD_TABLE_ENTRIES 256 /* root: buses; context: devices and functions of a bus */
