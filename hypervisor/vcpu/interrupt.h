/* Fields of the interrupt command register in x2APIC mode (SDM 3A 11.12.9). */
#pragma once

#include "hypervisor/base/core.h"

enum icr_mode { /* bits 10:8 of the ICR and of local vector table entries */
                ICR_FIXED,
                ICR_LOWEST,
                ICR_SMI,
                ICR_RESERVED,
                ICR_NMI,
                ICR_INIT,
                ICR_STARTUP,
                ICR_EXTERNAL,
};

#define ICR_LOGICAL      BIT(11)
#define ICR_LEVEL_ASSERT BIT(14)

/* May a guest send a command of this kind at all? Whom it may reach is the guest code's to judge. */
bool icr_permitted(uint64_t icr);
