/* SPDX-License-Identifier: MIT */
/*
 * What is known of devices by their ids, because no register says it. Sources: the makers' data
 * sheets for the flash (82576 9.4.11, 82574 9.1.4, I350 9.4.11); for peer-to-peer what Intel has
 * stated to Linux' maintainers (pci_dev_acs_enabled in drivers/pci/quirks.c).
 */
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_functions.h"

#define SEPARATE                                                                                   \
    BIT(0) /* several functions that never talk to each other, without an ACS to say so */
#define FLASH                                                                                      \
    BIT(1) /* a BAR behind which the flash lies that the option ROM is in, for writing             \
            */

static const struct {
    uint16_t device;
    uint8_t what;
} known[] = {
    {0x105e, FLASH},
    {0x105f, FLASH},
    {0x1060, FLASH},
    {0x107d, FLASH}, /* 82571, 82572 */
    {0x107e, FLASH},
    {0x107f, FLASH},
    {0x10b9, FLASH},
    {0x108b, FLASH},
    {0x108c, FLASH},
    {0x109a, FLASH}, /* 82573 */
    {0x10d3, FLASH},
    {0x10f6, FLASH},
    {0x150c, FLASH}, /* 82574, 82583 */
    {0x10c9, SEPARATE | FLASH},
    {0x10e6, SEPARATE | FLASH}, /* 82576 */
    {0x10e7, SEPARATE | FLASH},
    {0x10e8, SEPARATE | FLASH},
    {0x150a, SEPARATE | FLASH},
    {0x150d, SEPARATE | FLASH},
    {0x1518, SEPARATE | FLASH},
    {0x1526, SEPARATE | FLASH},
    {0x1509, SEPARATE | FLASH},
    {0x150e, SEPARATE | FLASH}, /* 82580 */
    {0x150f, SEPARATE | FLASH},
    {0x1510, SEPARATE | FLASH},
    {0x1511, SEPARATE | FLASH},
    {0x1516, SEPARATE | FLASH},
    {0x1527, SEPARATE | FLASH},
    {0x1521, SEPARATE | FLASH},
    {0x1522, SEPARATE | FLASH}, /* I350 */
    {0x1523, SEPARATE | FLASH},
    {0x1524, SEPARATE | FLASH},
    {0x10c6, SEPARATE},
    {0x10db, SEPARATE},
    {0x10dd, SEPARATE},
    {0x10e1, SEPARATE}, /* 82598 */
    {0x10f1, SEPARATE},
    {0x10f7, SEPARATE},
    {0x10f8, SEPARATE},
    {0x10f9, SEPARATE},
    {0x10fa, SEPARATE}, /* 82599 */
    {0x10fb, SEPARATE},
    {0x10fc, SEPARATE},
    {0x1507, SEPARATE},
    {0x1514, SEPARATE},
    {0x151c, SEPARATE},
    {0x1529, SEPARATE},
    {0x152a, SEPARATE},
    {0x154d, SEPARATE},
    {0x154f, SEPARATE},
    {0x1551, SEPARATE},
    {0x1558, SEPARATE},
};

void pci_known_devices(void)
{
    struct pci_function *function;
    for (size_t n = 0; (function = pci_function_at(n)) != NULL; n++)
        for (size_t i = 0; function->vendor == PCI_VENDOR_INTEL && i < ARRAY_SIZE(known); i++) {
            if (function->device != known[i].device || function->is_vf)
                continue;
            function->no_peer_to_peer = (known[i].what & SEPARATE) != 0;
            function->flash_bar = (known[i].what & FLASH) != 0;
        }
}
