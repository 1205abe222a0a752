/* What each driver offers for bringing its PF up. */
#pragma once

#include "hypervisor/setup/pf_setup.h"

extern const struct pf_setup igb_pf_setup, nvme_pf_setup;
