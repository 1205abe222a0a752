/* SPDX-License-Identifier: MIT */
/*
 * Sources: the makers' data sheets for the flash (82576 9.4.11, 82574 9.1.4, I350 9.4.11); for
 * peer-to-peer and FLR what the makers have stated to Linux' maintainers (pci_dev_acs_enabled and
 * quirk_no_flr in drivers/pci/quirks.c); Intel's specification updates for what are not BARs.
 */
#include "hypervisor/setup/pci_known.h"

#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"

#define BOTH (PCI_KNOWN_SEPARATE | PCI_KNOWN_FLASH)

// clang-format off
static const struct {
    uint16_t vendor, first, last; /* device ids */
    uint8_t what;                 /* enum pci_known */
} known[] = {
    /* 82571 to 82574, 82583 */
    {PCI_VENDOR_INTEL, 0x105e, 0x1060, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x107d, 0x107f, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x108b, 0x108c, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x109a, 0x109a, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x10b9, 0x10b9, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x10d3, 0x10d3, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x10f6, 0x10f6, PCI_KNOWN_FLASH},
    {PCI_VENDOR_INTEL, 0x150c, 0x150c, PCI_KNOWN_FLASH},
    /* 82576 */
    {PCI_VENDOR_INTEL, 0x10c9, 0x10c9, BOTH}, {PCI_VENDOR_INTEL, 0x10e6, 0x10e8, BOTH},
    {PCI_VENDOR_INTEL, 0x150a, 0x150a, BOTH}, {PCI_VENDOR_INTEL, 0x150d, 0x150d, BOTH},
    {PCI_VENDOR_INTEL, 0x1518, 0x1518, BOTH}, {PCI_VENDOR_INTEL, 0x1526, 0x1526, BOTH},
    /* 82580 */
    {PCI_VENDOR_INTEL, 0x1509, 0x1509, BOTH}, {PCI_VENDOR_INTEL, 0x150e, 0x1511, BOTH},
    {PCI_VENDOR_INTEL, 0x1516, 0x1516, BOTH}, {PCI_VENDOR_INTEL, 0x1527, 0x1527, BOTH},
    /* I350 */
    {PCI_VENDOR_INTEL, 0x1521, 0x1524, BOTH},
    /* 82598 */
    {PCI_VENDOR_INTEL, 0x10c6, 0x10c6, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x10db, 0x10db, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x10dd, 0x10dd, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x10e1, 0x10e1, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x10f1, 0x10f1, PCI_KNOWN_SEPARATE},
    /* 82599 and X520 */
    {PCI_VENDOR_INTEL, 0x10f7, 0x10fc, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x1507, 0x1507, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x1514, 0x1514, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x151c, 0x151c, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x1529, 0x152a, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x154d, 0x154d, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x154f, 0x154f, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x1551, 0x1551, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x1558, 0x1558, PCI_KNOWN_SEPARATE},
    {PCI_VENDOR_INTEL, 0x10ed, 0x10ed, PCI_KNOWN_FLR},     /* VF: only its PF says that it has it */
    {PCI_VENDOR_INTEL, 0x1502, 0x1503, PCI_KNOWN_NO_FLR},  /* 82579LM, 82579V */
    /* Audio and USB of Ryzen and EPYC */
    {PCI_VENDOR_AMD, 0x1487, 0x1487, PCI_KNOWN_NO_FLR},
    {PCI_VENDOR_AMD, 0x148c, 0x148c, PCI_KNOWN_NO_FLR},
    {PCI_VENDOR_AMD, 0x149c, 0x149c, PCI_KNOWN_NO_FLR},
    {PCI_VENDOR_INTEL, 0x2fc0, 0x2fc0, PCI_KNOWN_NO_BARS}, /* Xeon E5 v3, erratum HSE43 */
    {PCI_VENDOR_INTEL, 0x6f60, 0x6f60, PCI_KNOWN_NO_BARS}, /* Xeon E5 v4, erratum BDF2 */
    {PCI_VENDOR_INTEL, 0x6fa0, 0x6fa0, PCI_KNOWN_NO_BARS},
    {PCI_VENDOR_INTEL, 0x6fc0, 0x6fc0, PCI_KNOWN_NO_BARS},
    {PCI_VENDOR_INTEL, 0xa1ec, 0xa1ed, PCI_KNOWN_NO_BARS}, /* C620 series, MROM */
    {PCI_VENDOR_INTEL, 0xa26c, 0xa26d, PCI_KNOWN_NO_BARS},
};
// clang-format on

unsigned pci_known(const struct pci_function *function)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (function->vendor == known[i].vendor && function->device >= known[i].first &&
            function->device <= known[i].last)
            return known[i].what;
    return 0;
}
