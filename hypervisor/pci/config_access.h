/* SPDX-License-Identifier: MIT */
/*
 * Access to configuration space. The machine implements pci_config_read() and pci_config_write()
 * over ECAM (ecam.c), host tests over a model.
 */
#pragma once

#include "hypervisor/pci/rid.h"

/* `width` is 1, 2 or 4 and offset aligned to it, below 4096. Reads of what does not exist give all
 * ones, writes there do nothing. */
uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width);
void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value);

static inline uint8_t pci_read8(rid_t rid, unsigned offset)
{
    return (uint8_t)pci_config_read(rid, offset, 1);
}

static inline uint16_t pci_read16(rid_t rid, unsigned offset)
{
    return (uint16_t)pci_config_read(rid, offset, 2);
}

static inline uint32_t pci_read32(rid_t rid, unsigned offset)
{
    return pci_config_read(rid, offset, 4);
}

/* Clears, then sets bits of a 16-bit register. */
static inline void pci_update16(rid_t rid, unsigned offset, uint64_t clear, uint64_t set)
{
    uint32_t value = pci_config_read(rid, offset, 2);
    pci_config_write(rid, offset, 2, (value & ~(uint32_t)clear) | (uint32_t)set);
}
