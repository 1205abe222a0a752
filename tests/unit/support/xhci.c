/* SPDX-License-Identifier: MIT */
/* For tests without an xHCI; those with one bring reset_xhci.c. */
#include "hypervisor/pci/reset_xhci.h"
#include "tests/unit/support/host.h"

__attribute__((weak)) void xhci_halt(const struct pci_function *function)
{
    fail_msg("there is no xHCI to halt");
}

__attribute__((weak)) void xhci_reset(const struct pci_function *function)
{
    fail_msg("there is no xHCI to reset");
}

__attribute__((weak)) bool xhci_is_reset(const struct pci_function *function)
{
    return false;
}
