/* SPDX-License-Identifier: MIT */
#pragma once

#include "hypervisor/base/core.h"

/* Gives back what large arrays hold for cores that this machine does not have; after all cores have
 * started. `image` is the image's physical address. */
void core_arrays_drop(uint64_t image);
