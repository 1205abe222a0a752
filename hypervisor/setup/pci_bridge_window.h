/* SPDX-License-Identifier: MIT */
/* The memory windows a PCI-to-PCI bridge forwards (PCI-to-PCI Bridge Architecture 3.2.5.6, .8). */
#pragma once

#include "hypervisor/pci/function.h"

struct bridge_window {
    uint64_t base, limit; /* first and last byte, 1 MiB granules; meaningful when enabled */
    bool enabled;
    bool is_64bit;
};

void bridge_window_read(const struct pci_function *bridge, bool prefetchable,
                        struct bridge_window *window);
/* Sets base and limit (of 1 MiB granules) and reads them back; STATUS_UNSUPPORTED when the bridge
 * does not take them. While registers change the window is never larger than old and new together.
 */
MUST_CHECK enum status bridge_window_write(const struct pci_function *bridge, bool prefetchable,
                                           uint64_t base, uint64_t limit);
/* Puts back what bridge_window_read() saw, a closed window included. */
void bridge_window_restore(const struct pci_function *bridge, bool prefetchable,
                           const struct bridge_window *window);
