/* SPDX-License-Identifier: MIT */
/* From Multiboot2's boot information to struct boot_info. */
#pragma once

#include "boot/boot_info.h"

/* Reads `size` bytes of boot information (an address range that may be read) into `info`, whose
 * image_base and image_size are set. `physical` is where these bytes lie in physical memory.
 * Complaints go into info->message (the first one stays). Never fails: what is wrong is left out.
 */
void multiboot2_read(const void *information, size_t size, uint64_t physical,
                     struct boot_info *info);

/* The entry code's call: everything from the address of the boot information to the identity-mapped
 * address of a struct boot_info. `root` is the PML4 in use, the first 4 GiB are mapped to
 * themselves. */
uint64_t multiboot2_convert(uint64_t information, uint64_t image_base, uint64_t root);
