/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_aer.h"

#include "hypervisor/pci/config_access.h"

/* Bits that version 2 of the structure brought; reserved before, and to be left alone. Bit 26
 * (poisoned TLP egress blocked) came without a new version, is masked by default and so stays. */
#define UNCORRECTABLE_2 BITS(25, 22)
#define CORRECTABLE_2   BITS(15, 14)

void pci_aer_mask(const struct pci_function *function, unsigned aer, uint64_t uncorrectable,
                  uint64_t correctable)
{
    rid_t rid = function->rid;
    if ((pci_read32(rid, aer) >> 16 & 0xf) < 2) {
        uncorrectable &= ~UNCORRECTABLE_2;
        correctable &= ~CORRECTABLE_2;
    }
    unsigned masks[] = {aer + AER_UNCORRECTABLE_MASK, aer + AER_CORRECTABLE_MASK};
    pci_config_write(rid, masks[0], 4, pci_read32(rid, masks[0]) | (uint32_t)uncorrectable);
    pci_config_write(rid, masks[1], 4, pci_read32(rid, masks[1]) | (uint32_t)correctable);
}
