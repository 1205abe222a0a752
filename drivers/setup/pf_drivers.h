/* SPDX-License-Identifier: MIT */
/* What each PF driver offers at boot. */
#pragma once

#include "hypervisor/pci/pf_setup.h"

extern const struct pf_setup igb_pf_setup;  /* igb/setup/igb_start.c */
extern const struct pf_setup nvme_pf_setup; /* nvme/setup/nvme_start.c */
extern const struct pf_setup none_pf_setup; /* none/setup/none_start.c */
