/* SPDX-License-Identifier: MIT */
/* PF driver of the Intel 82576 and I350 families (Intel documents 320961, "82576EB Datasheet",
 * whose sections are cited, and 333171, "I350 Datasheet"). */
#pragma once

#include "hypervisor/pci/pf_driver.h"

extern const struct pf_driver igb_pf_driver;
