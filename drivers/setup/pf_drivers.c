/* SPDX-License-Identifier: MIT */
/* Every PF driver there is. The last one knows no device: a configuration names it. */
#include "drivers/setup/pf_drivers.h"

const struct pf_setup *const pf_setups[] = {&igb_pf_setup, &nvme_pf_setup, &none_pf_setup, NULL};
