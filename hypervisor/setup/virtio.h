/* SPDX-License-Identifier: MIT */
/* Virtio devices may be built to reach memory without the IOMMU. */
#pragma once

#include "hypervisor/pci/function.h"

/* Whether a function of a guest, with its decoder on, keeps to what the IOMMU gives it: it is no
 * virtio device, or it offers VIRTIO_F_ACCESS_PLATFORM (virtio 1.3, 6.1). */
bool virtio_is_confined(const struct pci_function *function);
