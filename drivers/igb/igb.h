/* SPDX-License-Identifier: MIT */
/* PF driver of the Intel 82576 family (Intel document 320961, "82576EB Datasheet"). */
#pragma once

#include "hypervisor/pci/pf_driver.h"

extern const struct pf_driver igb_pf_driver;
