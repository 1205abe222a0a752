/* SPDX-License-Identifier: MIT */
/* Displays of the chipset, which were left alone until the IOMMU translates (boot/pci/silence.h):
 * one that firmware left showing something goes on where it is confined now, and nowhere else. */
#include "boot/pci/silence.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"

void pci_displays_end(void)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (pci_is_chipset_display(function->rid, function->class_code) &&
            !iommu_firmware_connected(function->rid))
            pci_bus_master(function, false);
}
