/* SPDX-License-Identifier: MIT */
/* PF driver of NVMe controllers with virtualization enhancements (NVM Express Base 2.0, 8.26). */
#pragma once

#include "hypervisor/pci/pf_driver.h"

extern const struct pf_driver nvme_pf_driver;
