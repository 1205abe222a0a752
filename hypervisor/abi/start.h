/* SPDX-License-Identifier: MIT */
/*
 * Between the hypervisor and the start stub (guest/start/). A guest loads itself: the hypervisor
 * copies the stub, this block, the image and the initial RAM disk into its memory, which is zero
 * otherwise, and starts vCPU 0 in the stub, in 32-bit protected mode without paging, all general
 * registers 0. The stub parses the image, writes what its boot protocol wants, moves everything to
 * its place, overwrites itself and the rest with zeros, and enters the image.
 *
 * It runs with the guest's rights. What it says is data from outside, as all that a guest says.
 */
#pragma once

#include "hypervisor/abi/machine.h"

#define ABI_START_BLOCK UINT64_C(0x000f0000) /* struct abi_start */
#define ABI_START_STUB  UINT64_C(0x000f1000) /* its first byte is its entry */
#define ABI_START_END   GUEST_TABLES_END

#define ABI_START_NAME      64
#define ABI_START_ARGUMENTS 1024

struct abi_start {
    uint64_t memory_size;                /* 0x00: bytes of RAM from 0 */
    uint64_t high_size;                  /* 0x08: and from GUEST_HIGH_BASE */
    uint64_t bar_base, bar_end;          /* 0x10: where 64-bit BARs above the RAM may lie */
    uint64_t image_base, image_size;     /* 0x20: guest-physical, bytes */
    uint64_t initrd_base, initrd_size;   /* 0x30: size 0: none */
    uint64_t tsc_khz;                    /* 0x40 */
    uint32_t cpu_count;                  /* 0x48 */
    uint32_t apic_ids[GUEST_MAX_CPUS];   /* 0x4c */
    char image_name[ABI_START_NAME];     /* 0x14c */
    char initrd_name[ABI_START_NAME];    /* 0x18c */
    char arguments[ABI_START_ARGUMENTS]; /* 0x1cc */
};
_Static_assert(offsetof(struct abi_start, arguments) == 0x1cc, "guest/start/ and the hypervisor");
_Static_assert(sizeof(struct abi_start) <= ABI_START_STUB - ABI_START_BLOCK, "one page");

/* Guest calls of the stub; once ABI_START_LOADED was made nobody has them, and exits are counted
 * from 0. */
#define ABI_START_LOADED 16 /* RDI = 1: the machine is to have ports (machine.h); 0: none */
#define ABI_START_REFUSED                                                                          \
    17 /* RDI = guest-physical address of struct abi_refusal; the guest ends */

enum abi_refused {
    ABI_REFUSED_IMAGE,  /* with offset in the file and the value there */
    ABI_REFUSED_INITRD, /* no offset, no value */
    ABI_REFUSED_OTHER,  /* likewise */
};

struct abi_refusal {
    uint64_t what;          /* 0x00: enum abi_refused */
    uint64_t offset, value; /* 0x08 */
    char message[128];      /* 0x18: ends with a zero, or with the structure */
};
_Static_assert(sizeof(struct abi_refusal) == 0x98, "guest/start/ and the hypervisor");
