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
