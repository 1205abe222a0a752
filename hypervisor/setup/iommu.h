/* SPDX-License-Identifier: MIT */
/* The IOMMU's part of the boot order: reserve what firmware keeps, bring the units up, and let
 * firmware's devices go on. PCI enumeration comes in between: the table names devices by paths. */
#pragma once

#include "hypervisor/acpi/dmar.h"

/* Takes all regions out of the free memory, before any is given to a guest: what is usable by the
 * loader's map becomes firmware's. Logs iommu.reserved, or iommu.refused with what is wrong. */
void iommu_regions_reserve(const struct dmar *dmar);
/* Finds, checks and programs every unit: root table, invalidation, interrupt remapping, faults,
 * translation on. Logs iommu.unit, iommu.refused, iommu.enabled. On STATUS_OK translation is on in
 * every usable unit. A unit that does not answer is refused, and so is every function in its scope.
 * STATUS_NOT_FOUND: no DMAR or no unit; STATUS_DEVICE: no usable one. PCI enumeration comes first
 * (scopes are paths). The table's bytes stay in use: they must remain mapped. */
MUST_CHECK enum status iommu_init(const struct dmar *dmar);
/* One past the last address that a device can reach through every usable unit; UINT64_MAX without
 * any. */
uint64_t iommu_address_end(void);
/* Once the platform's own registers have an owner: maps their regions for the functions that need
 * them, which the host owns so far, and gives these back the bus mastering that firmware had left
 * on. A region that is not firmware's alone is refused. */
void iommu_regions_honour(void);
