/* SPDX-License-Identifier: MIT */
/* PFs that the hypervisor switches SR-IOV on for and leaves alone otherwise. */
#pragma once

#include "hypervisor/pci/pf_driver.h"

extern const struct pf_driver none_pf_driver;
