/* SPDX-License-Identifier: MIT */
/* What a machine may have no use of: the groups of hypervisor/layers.txt. */
#pragma once

#include "hypervisor/base/core.h"

/* Overwrites, unmaps and gives back each group of which this machine uses nothing; logs
 * `boot.unused name= bytes=` for each. A group is used when its table of functions has been picked:
 * a back-end's by vcpu_backend_select(), a PF driver's by pfs_verify(). After both, on the boot
 * core, before any guest runs; `image` is the image's physical address. */
void optional_drop(uint64_t image);
