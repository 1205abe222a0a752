/* SPDX-License-Identifier: MIT */
/* Which pixels can be drawn: for loaders, which choose a screen, and for the hypervisor, which
 * believes none of them. */
#pragma once

#include "boot/boot_info.h"

/* Whether the bits are there and in one piece. */
static inline bool boot_mask_sound(uint32_t mask)
{
    uint64_t filled = (uint64_t)mask + (mask & -mask);
    return mask != 0 && (filled & mask) == 0;
}

/* Whether each colour has bits of its own. */
static inline bool boot_masks_sound(const struct boot_framebuffer *screen)
{
    return boot_mask_sound(screen->red) && boot_mask_sound(screen->green) &&
           boot_mask_sound(screen->blue) && (screen->red & screen->green) == 0 &&
           (screen->red & screen->blue) == 0 && (screen->green & screen->blue) == 0;
}
#define BOOT_MASKS_UNSOUND "the bits of its colours overlap, are not in one piece or are missing"
