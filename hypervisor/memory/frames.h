/* SPDX-License-Identifier: MIT */
/*
 * Page frames and their owners: the one place where the owner of every byte of the physical
 * address space is written down (invariant I1). Ranges, not a map of single frames: there are few
 * owners and each holds large pieces.
 */
#pragma once

#include "hypervisor/base/core.h"

typedef uint16_t owner_t;
#define OWNER_NOBODY             ((owner_t)0) /* free RAM */
#define OWNER_HYPERVISOR         ((owner_t)1)
#define OWNER_FIRMWARE           ((owner_t)2) /* reserved, ACPI, run-time services */
#define OWNER_MMIO               ((owner_t)3) /* a device's registers that no guest owns */
#define OWNER_LOADER             ((owner_t)4) /* boot_info and modules, kept for restarts */
#define OWNER_NONE               ((owner_t)5) /* no RAM is known there and nobody claimed it */
#define OWNER_GUEST(n)           ((owner_t)(16 + (n)))
#define OWNER_IS_GUEST(owner)    ((owner) >= 16)
#define OWNER_GUEST_INDEX(owner) ((unsigned)((owner) - 16))

struct frame_range {
    uint64_t base; /* bytes */
    uint64_t size; /* bytes, multiple of 4 KiB */
    owner_t owner;
};

#define FRAME_MAX_RANGES 2048

/* Takes `size` bytes of free RAM for `owner`, aligned to `alignment` (a power of two >= 4 KiB),
 * highest address first below `limit` (0: no limit). STATUS_NO_MEMORY, STATUS_FULL. */
MUST_CHECK enum status frames_claim(owner_t owner, uint64_t size, uint64_t alignment,
                                    uint64_t limit, uint64_t *base);
/* Changes the owner of an exact range from `from` to `to`. STATUS_DENIED, changing nothing, when
 * any byte of it has another owner than `from`. OWNER_NONE is the owner of all that is unlisted. */
MUST_CHECK enum status frames_transfer(uint64_t base, uint64_t size, owner_t from, owner_t to);
owner_t frames_owner(uint64_t address);
/* True when every byte of the range has this owner. */
bool frames_owned_by(uint64_t base, uint64_t size, owner_t owner);
/* The table itself, for the audit and the monitor: entry `index`, or NULL past the end. */
const struct frame_range *frames_range(size_t index);
/* Bytes of RAM that `owner` holds; the rest is device registers and configuration space. */
uint64_t frames_ram_bytes(owner_t owner);
/* "hypervisor", "firmware", "guest", ... */
const char *owner_kind(owner_t owner);
