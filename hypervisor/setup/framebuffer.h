/* SPDX-License-Identifier: MIT */
/* Setting up the screen. */
#pragma once

#include "boot/boot_info.h"

/* On the loader's identity map, and clears it. STATUS_INVALID when the description contradicts
 * itself or the memory map, STATUS_UNSUPPORTED for pixels that are none of ours; *message says what
 * is wrong then, and else what is odd, or is NULL. */
MUST_CHECK enum status framebuffer_init(const struct boot_info *boot, const char **message);
/* Nothing is drawn from here on; text is kept. */
void framebuffer_hide(void);
/* Maps it for the hypervisor, write-combined, and draws on. STATUS_NO_MEMORY: it stays hidden. */
MUST_CHECK enum status framebuffer_map(void);
/* From here on framebuffer_turn() draws, a bounded part each time. */
void framebuffer_settle(void);
