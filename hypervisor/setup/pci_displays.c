/* SPDX-License-Identifier: MIT */
/* Displays of the chipset, which were left alone until the IOMMU translates (boot/pci/silence.h):
 * one that firmware left showing something goes on where it is confined now, and nowhere else. */
#include "boot/pci/silence.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/iommu_internal.h"
#include "hypervisor/setup/pci.h"

void pci_displays_end(void)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        const struct vtd_unit *unit = vtd_unit_of(function);
        bool left_alone = unit != NULL && vtd_unit_is_left(unit); /* as the configuration asks */
        if (pci_is_chipset_display(function->rid, function->class_code) && !left_alone &&
            !iommu_firmware_connected(function->rid))
            pci_bus_master(function, false);
    }
}
