/* SPDX-License-Identifier: MIT */
/* What is known of devices by their ids, because no register says it, or what one says is wrong. */
#pragma once

#include "hypervisor/pci/function.h"

enum pci_known {
    PCI_KNOWN_SEPARATE = 1u << 0, /* functions that never talk to each other, without ACS */
    PCI_KNOWN_FLASH = 1u << 1,    /* a BAR leads to the flash of the option ROM, for writing, too */
    PCI_KNOWN_NO_BARS = 1u << 2,  /* other registers stand in their place: not to be written */
    PCI_KNOWN_FLR = 1u << 3,      /* it has FLR, though Device Capabilities do not say so */
    PCI_KNOWN_NO_FLR = 1u << 4,   /* it hangs in FLR, though they do */
};

/* Of enum pci_known; 0 for a device that is not listed. */
unsigned pci_known(const struct pci_function *function);
