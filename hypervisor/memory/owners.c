/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/frames.h"

const char *owner_kind(owner_t owner)
{
    static const char *const kinds[] = {
        [OWNER_NOBODY] = "free", [OWNER_HYPERVISOR] = "hypervisor", [OWNER_FIRMWARE] = "firmware",
        [OWNER_MMIO] = "mmio",   [OWNER_LOADER] = "loader",         [OWNER_NONE] = "none",
    };
    return OWNER_IS_GUEST(owner) ? "guest" : owner < ARRAY_SIZE(kinds) ? kinds[owner] : "unknown";
}

struct short_text owner_text(owner_t owner)
{
    struct short_text result;
    if (OWNER_IS_GUEST(owner))
        (void)format_text(result.text, sizeof result.text, "guest %u", OWNER_GUEST_INDEX(owner));
    else
        (void)format_text(result.text, sizeof result.text, "%s", owner_kind(owner));
    return result;
}
