/* SPDX-License-Identifier: MIT */
/* The page that the switch to our page tables runs in (jump.asm). */
#pragma once

#include <efi.h>

/* A page with the switch in it, which ends at `entry` (virtual): executable, and read-only where
 * the firmware can be told so. 0: no memory. */
UINT64 code_page_create(UINT64 entry);
/* Makes it an ordinary page again, before the firmware gets it back. */
void code_page_release(void);
