/* SPDX-License-Identifier: MIT */
/* What a root bridge's Configuration() gives: ACPI address space descriptors (UEFI 14.2, ACPI
 * 6.4.3.5.1). Works on bytes only (host-tested). */
#pragma once

#include "boot/boot_info.h"

/* The bytes have no length: this is the most that is read. */
#define ROOT_WINDOWS_MAX 64
#define ROOT_DESCRIPTOR  46 /* bytes of one */
#define ROOT_BYTES_MAX   (ROOT_WINDOWS_MAX * ROOT_DESCRIPTOR + 1)

/* Adds the root bridge and its memory windows to `info`. False when the bytes are no such list, do
 * not end, or do not fit; what was read so far stays, marked where it contradicts itself. A root
 * bridge without a bus range begins at bus 0. */
MUST_CHECK bool root_windows_read(const uint8_t *bytes, size_t size, uint16_t segment,
                                  struct boot_info *info);
/* Narrows a stretch of memory-mapped I/O that contains window `index` to what no window of another
 * root bridge touches, and notes it as that window's reach. `end`: one past the last byte. */
void root_window_reach(struct boot_info *info, uint32_t index, uint64_t base, uint64_t end);
