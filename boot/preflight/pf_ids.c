/* SPDX-License-Identifier: MIT */
/* Which PFs the hypervisor has a driver for. The drivers themselves do not fit into a loader; a
 * unit test compares this with what their probe functions say, id by id. */
#include "boot/preflight/plan.h"

#define CLASS_NVME 0x010802

static const struct {
    uint16_t vendor, device;
} driven[] = {
    /* Intel 82576 */
    {PCI_VENDOR_INTEL, 0x10c9}, {PCI_VENDOR_INTEL, 0x10e6}, {PCI_VENDOR_INTEL, 0x10e7},
    {PCI_VENDOR_INTEL, 0x10e8}, {PCI_VENDOR_INTEL, 0x150a}, {PCI_VENDOR_INTEL, 0x150d},
    {PCI_VENDOR_INTEL, 0x1518}, {PCI_VENDOR_INTEL, 0x1526},
};

bool plan_has_driver(const struct pci_function *function)
{
    for (size_t i = 0; i < ARRAY_SIZE(driven); i++)
        if (function->vendor == driven[i].vendor && function->device == driven[i].device)
            return true;
    return function->class_code == CLASS_NVME;
}
