/* SPDX-License-Identifier: MIT */
/*
 * What the DMA and interrupt remapping units of this machine can do. Behind it stands VT-d
 * (vtd_*.h). From iommu_init() on a function that is connected to no domain reaches nothing (deny
 * by default).
 *
 * Everything in iommu/ belongs to the control core and takes no lock, but for report.h. The fault
 * interrupt sets a flag, no more.
 */
#pragma once

#include "hypervisor/pci/function.h"

/* Why something is not used, in words of boot-only code, which is gone when somebody asks. */
#define IOMMU_REFUSAL_SIZE 160

bool iommu_enabled(void);
bool iommu_remaps_interrupts(void);
/* Whether domains are made so that every request of a device snoops the caches. Where some unit
 * cannot (ECAP.SC), a device that ignores its Enable No Snoop bit reads memory as it was last
 * written back. */
bool iommu_snoops(void);
/* Index of the unit that covers the function, -1 for none. */
int iommu_unit_of(const struct pci_function *function);
