/* SPDX-License-Identifier: MIT */
/*
 * XSA-59: chipsets that make a system error of what a guest's device sends, by registers that no
 * specification of PCI has. The table is public knowledge (the advisory, Intel's datasheets of the
 * devices named).
 */
#include "hypervisor/setup/pci_errors.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_aer.h"
#include "hypervisor/setup/pci_ram.h"

#define VTD_ERRORS            0x1ac /* I/O hub: how the DMA remapping's errors are signalled */
#define VTD_ERRORS_OFF        BIT(31)
#define PORT_ERRORS           0x20c /* XPUNCERRMSK: a completion with Unsupported Request sent */
#define PORT_ERRORS_COMPLETER BIT(4)
#define VENDOR_AER_ID         0x4 /* host bridges: AER's registers behind a vendor's header */
#define VENDOR_AER_REVISION   0x1
#define DMI_BAR               0x68
#define DMI_BAR_ENABLE        BIT(0)
#define DMI_BAR_ADDRESS       BITS(38, 12)
#define DMI_UNCORRECTABLE     0x1c8 /* the mask of the link to the chipset */

enum remedy { REMEDY_VTD, REMEDY_PORT, REMEDY_DMI };

static const struct {
    uint16_t first, last;
    enum remedy remedy;
} chipsets[] = {
    {0x0e28, 0x0e28, REMEDY_VTD},  /* Xeon E5 v2, E7 v2 */
    {0x342e, 0x342e, REMEDY_VTD},  /* 5500, 5520, X58, 7500 */
    {0x3728, 0x3728, REMEDY_VTD},  /* Xeon C5500, C3500 */
    {0x3c28, 0x3c28, REMEDY_VTD},  /* Xeon E5 */
    {0x3400, 0x3411, REMEDY_PORT}, /* 5500, 5520, X58, 7500: host bridges and root ports */
    {0x3420, 0x3421, REMEDY_PORT}, {0x3700, 0x370f, REMEDY_PORT}, /* Xeon C5500, C3500 */
    {0x3720, 0x3724, REMEDY_PORT}, {0x3c00, 0x3c0b, REMEDY_PORT}, /* Xeon E5 */
    {0x0040, 0x0040, REMEDY_DMI},                                 /* Core, first generation */
    {0x0044, 0x0044, REMEDY_DMI},  {0x0048, 0x0048, REMEDY_DMI},
    {0x0100, 0x0100, REMEDY_DMI}, /* second */
    {0x0104, 0x0104, REMEDY_DMI},  {0x0108, 0x0108, REMEDY_DMI},
    {0x0150, 0x0150, REMEDY_DMI}, /* third */
    {0x0154, 0x0154, REMEDY_DMI},  {0x0158, 0x0158, REMEDY_DMI},
    {0x0a00, 0x0a00, REMEDY_DMI}, /* fourth */
    {0x0a04, 0x0a04, REMEDY_DMI},  {0x0a08, 0x0a08, REMEDY_DMI},
    {0x0a0f, 0x0a0f, REMEDY_DMI},  {0x0c00, 0x0c00, REMEDY_DMI},
    {0x0c04, 0x0c04, REMEDY_DMI},  {0x0c08, 0x0c08, REMEDY_DMI},
    {0x0c0f, 0x0c0f, REMEDY_DMI},  {0x0d00, 0x0d00, REMEDY_DMI},
    {0x0d04, 0x0d04, REMEDY_DMI},  {0x0d08, 0x0d08, REMEDY_DMI},
    {0x0d0f, 0x0d0f, REMEDY_DMI},  {0x1600, 0x1600, REMEDY_DMI}, /* fifth */
    {0x1604, 0x1604, REMEDY_DMI},  {0x1608, 0x1608, REMEDY_DMI},
    {0x160f, 0x160f, REMEDY_DMI},  {0x1610, 0x1610, REMEDY_DMI},
    {0x1614, 0x1614, REMEDY_DMI},  {0x1618, 0x1618, REMEDY_DMI},
    {0x1900, 0x1900, REMEDY_DMI}, /* sixth */
    {0x1904, 0x1904, REMEDY_DMI},  {0x1908, 0x1908, REMEDY_DMI},
    {0x190c, 0x190c, REMEDY_DMI},  {0x190f, 0x1910, REMEDY_DMI},
    {0x1918, 0x1918, REMEDY_DMI},  {0x191f, 0x191f, REMEDY_DMI},
};

static void set_bits(rid_t rid, unsigned offset, uint64_t bits)
{
    pci_config_write(rid, offset, 4, pci_read32(rid, offset) | (uint32_t)bits);
}

/* AER, or the same registers 4 bytes into a vendor's own capability; 0 for neither. */
static unsigned find_masks(rid_t rid)
{
    unsigned offset = pci_extended_capability_find(rid, PCI_EXT_CAP_AER);
    if (offset != 0)
        return offset;
    offset = PCI_LEGACY_SIZE;
    for (unsigned left = (PCI_CONFIG_SIZE - PCI_LEGACY_SIZE) / 4; left > 0; left--) {
        uint32_t entry = pci_read32(rid, offset);
        if (entry == 0 || entry == 0xffffffff || offset + 0x20 > PCI_CONFIG_SIZE)
            return 0;
        uint32_t header = pci_read32(rid, offset + 4);
        if ((entry & 0xffff) == PCI_EXT_CAP_VENDOR && (header & 0xffff) == VENDOR_AER_ID &&
            (header >> 16 & 0xf) == VENDOR_AER_REVISION)
            return offset + 4;
        offset = entry >> 20 & 0xffcu;
        if (offset < PCI_LEGACY_SIZE)
            return 0;
    }
    return 0;
}

static const char *mask_port(const struct pci_function *function)
{
    unsigned masks = find_masks(function->rid);
    if (masks != 0)
        pci_aer_mask(function, masks, ERROR_UNSUPPORTED, ERROR_ADVISORY);
    set_bits(function->rid, PORT_ERRORS, PORT_ERRORS_COMPLETER);
    return masks != 0 ? NULL : "it has no error masks where its kind has them";
}

static const char *mask_dmi(const struct pci_function *function)
{
    uint64_t bar =
        pci_read32(function->rid, DMI_BAR) | (uint64_t)pci_read32(function->rid, DMI_BAR + 4) << 32;
    uint64_t base = bar & DMI_BAR_ADDRESS;
    if ((bar & DMI_BAR_ENABLE) == 0 || base == 0 || pci_overlaps_ram(base, PAGE_SIZE))
        return "the firmware gave the registers of its link no address of their own";
    uintptr_t registers = map_device(base, PAGE_SIZE);
    if (registers == 0)
        return "no memory left to map the registers of its link";
    mmio_write32(registers + DMI_UNCORRECTABLE,
                 mmio_read32(registers + DMI_UNCORRECTABLE) | (uint32_t)ERROR_UNSUPPORTED);
    unmap(registers, PAGE_SIZE);
    return NULL;
}

void pci_errors_chipset(const struct pci_function *function)
{
    for (size_t i = 0; function->vendor == PCI_VENDOR_INTEL && i < ARRAY_SIZE(chipsets); i++) {
        if (function->device < chipsets[i].first || function->device > chipsets[i].last)
            continue;
        const char *problem = NULL;
        if (chipsets[i].remedy == REMEDY_PORT)
            problem = mask_port(function);
        else if (chipsets[i].remedy == REMEDY_DMI)
            problem = mask_dmi(function);
        else
            set_bits(function->rid, VTD_ERRORS, VTD_ERRORS_OFF);
        log_event("pci.errors", "rid=%s id=%04x:%04x status=%s message=\"%s\"",
                  rid_text(function->rid).text, function->vendor, function->device,
                  problem == NULL ? "ok" : "unsupported",
                  problem == NULL
                      ? "it no longer turns guests' requests into system errors (XSA-59)"
                      : problem);
    }
}
