/* SPDX-License-Identifier: MIT */
/* Configuration space of segment 0 through ports 0xcf8 and 0xcfc (PCI local bus 3.0, 3.2.2.3.2),
 * which need neither memory nor tables: the first 256 bytes of each function. */
#pragma once

#include "hypervisor/pci/rid.h"

uint8_t ports_read8(rid_t rid, unsigned offset);
uint16_t ports_read16(rid_t rid, unsigned offset);
uint32_t ports_read32(rid_t rid, unsigned offset);
void ports_write16(rid_t rid, unsigned offset, uint16_t value);
void ports_write32(rid_t rid, unsigned offset, uint32_t value);
