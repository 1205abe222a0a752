/* SPDX-License-Identifier: MIT */
/* Of a virtio device that does not offer VIRTIO_F_ACCESS_PLATFORM the specification says that it
 * uses guest-physical addresses, and emulators take that for a way around the IOMMU. Whether it is
 * offered stands in the common configuration (virtio 1.3, 4.1.4.3), before any driver is there. */
#include "hypervisor/setup/virtio.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/view.h"

#define VENDOR_VIRTIO   0x1af4
#define DEVICE_FIRST    0x1000 /* 4.1.2; beyond there are others of this vendor */
#define DEVICE_LAST     0x107f
#define TYPE            3 /* of the vendor-specific capability, 4.1.4 */
#define TYPE_COMMON     1
#define BAR             4
#define OFFSET          8
#define FEATURE_SELECT  0x00
#define FEATURE         0x04
#define COMMON_SIZE     8u /* of what is read */
#define FEATURE_HIGH    1u /* features 32 to 63 */
#define ACCESS_PLATFORM BIT(33 - 32)

/* Where its common configuration lies, 0 without one: a device of before version 1. */
static uint64_t common_configuration(const struct pci_function *function)
{
    unsigned cursor = 0, left = VENDOR_CAPABILITIES;
    while (view_next_vendor(function->rid, &cursor, &left)) {
        if (pci_read8(function->rid, cursor + TYPE) != TYPE_COMMON)
            continue;
        unsigned number = pci_read8(function->rid, cursor + BAR);
        uint32_t offset = pci_read32(function->rid, cursor + OFFSET);
        const struct pci_bar *bar = &function->bar[number < PCI_BARS ? number : 0];
        if (number >= PCI_BARS || bar->io || bar->base == 0 || bar->size < COMMON_SIZE ||
            offset > bar->size - COMMON_SIZE || !IS_ALIGNED(offset, 4u))
            return 0;
        return bar->base + offset;
    }
    return 0;
}

bool virtio_is_confined(const struct pci_function *function)
{
    if (function->vendor != VENDOR_VIRTIO || function->device < DEVICE_FIRST ||
        function->device > DEVICE_LAST)
        return true;
    uint64_t physical = common_configuration(function);
    uintptr_t common = physical != 0 ? map_device(physical, COMMON_SIZE) : 0;
    if (common == 0)
        return false;
    mmio_write32(common + FEATURE_SELECT, FEATURE_HIGH);
    uint32_t features = mmio_read32(common + FEATURE);
    mmio_write32(common + FEATURE_SELECT, 0);
    return features != UINT32_MAX && (features & ACCESS_PLATFORM) != 0;
}
