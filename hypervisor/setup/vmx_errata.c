/* SPDX-License-Identifier: MIT */
/* Errata that change how guests' tables are built. */
#include "hypervisor/setup/vmx.h"

#define FAMILY_6                  6
#define CAPABILITY_PSCHANGE_MC_NO BIT(6) /* IA32_ARCH_CAPABILITIES */

/* Models of family 6 whose instruction TLB does not have it: Atoms and Xeon Phi. Later cores say so
 * in IA32_ARCH_CAPABILITIES. */
static const uint8_t unaffected_models[] = {
    0x1c, 0x26, 0x27, 0x35, 0x36,       /* Bonnell, Saltwell */
    0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x75, /* Silvermont, Airmont */
    0x5c, 0x5f, 0x7a,                   /* Goldmont, Goldmont Plus */
    0x86, 0x96, 0x9c,                   /* Tremont */
    0x57, 0x85,                         /* Xeon Phi */
};

bool vmx_itlb_multihit(uint32_t signature, uint64_t arch_capabilities)
{
    unsigned family = (unsigned)FIELD(signature, 11, 8);
    uint8_t model = (uint8_t)(FIELD(signature, 7, 4) | FIELD(signature, 19, 16) << 4);
    if (family != FAMILY_6 || (arch_capabilities & CAPABILITY_PSCHANGE_MC_NO) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(unaffected_models); i++)
        if (model == unaffected_models[i])
            return false;
    return true;
}
