/* SPDX-License-Identifier: MIT */
#include "boot/pci/ports.h"

#include "hypervisor/base/mmio.h"

#define ADDRESS_PORT 0xcf8
#define DATA_PORT    0xcfc
#define ENABLE       0x80000000u

/* Selects the register; gives the port that its bytes are at. */
static uint16_t select(rid_t rid, unsigned offset)
{
    port_write32(ADDRESS_PORT, ENABLE | (rid & 0xffff) << 8 | (offset & 0xfcu));
    return (uint16_t)(DATA_PORT + (offset & 3));
}

uint8_t ports_read8(rid_t rid, unsigned offset)
{
    return port_read8(select(rid, offset));
}

uint16_t ports_read16(rid_t rid, unsigned offset)
{
    return port_read16(select(rid, offset));
}

uint32_t ports_read32(rid_t rid, unsigned offset)
{
    return port_read32(select(rid, offset));
}

void ports_write16(rid_t rid, unsigned offset, uint16_t value)
{
    port_write16(select(rid, offset), value);
}

void ports_write32(rid_t rid, unsigned offset, uint32_t value)
{
    port_write32(select(rid, offset), value);
}
