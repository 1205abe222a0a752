/* SPDX-License-Identifier: MIT */
/* RAM against registers. */
#pragma once

#include "hypervisor/base/core.h"

/* True when a byte of the range is RAM (free, the hypervisor's, the loader's): firmware that puts
 * registers there must not be believed. */
bool pci_overlaps_ram(uint64_t base, uint64_t size);
