/* SPDX-License-Identifier: MIT */
/* Bus mastering off, through the configuration ports, before any memory is used. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/pci/discovery.h"

/* Takes bus mastering away from every function of segment 0 that is not a bridge, through ports
 * 0xcf8 and 0xcfc. Buses that no bridge leads to (other roots, which big machines have) are tried
 * one by one with `all_buses`: 8192 reads of a microsecond each, or of far more where every one
 * leaves a virtual machine. What it found mastering the bus is added to info->silenced, a bit for
 * each requester id; `info` must stay. USB controllers come last: firmware is asked for each
 * (usb.h), a second at most, and what came of it is added to info->usb. Displays of bus 0 are left
 * alone. */
void pci_silence(bool all_buses, struct boot_info *noted);
/* A graphics unit of the chipset, which shows its memory by DMA without end: it goes on until the
 * IOMMU confines it. */
static inline bool pci_is_chipset_display(rid_t rid, uint32_t class_code)
{
    return RID_SEGMENT(rid) == 0 && RID_BUS(rid) == 0 && class_code >> 16 == 0x03;
}
/* Whether it, or the loader before, found this function mastering the bus. */
bool pci_silenced(rid_t rid);
