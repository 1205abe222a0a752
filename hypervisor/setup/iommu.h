/* SPDX-License-Identifier: MIT */
/* The IOMMU's part of the boot order: reserve what firmware keeps, prepare the units, write the
 * context entries of firmware's devices, and only then translate: a display that is scanned out, or
 * a management controller, is not blocked for a moment. PCI enumeration comes in between: the table
 * names devices by paths. */
#pragma once

#include "hypervisor/acpi/dmar.h"

/* Takes all regions out of the free memory, before any is given to a guest: what is usable by the
 * loader's map becomes firmware's. Logs iommu.reserved, or iommu.refused with what is wrong. */
void iommu_regions_reserve(const struct dmar *dmar);
/* Finds and checks every unit, and gives it an invalidation queue and an empty root table, which it
 * does not use yet. Logs iommu.unit, iommu.refused. A unit that does not answer is refused, and so
 * is every function in its scope; `leave_graphics`: one that is behind graphics alone stays as it
 * is. STATUS_NOT_FOUND: no DMAR or no unit; STATUS_DEVICE: no usable one. PCI enumeration comes
 * first (scopes are paths). The table's bytes stay in use: they must remain mapped. */
MUST_CHECK enum status iommu_init(const struct dmar *dmar, bool leave_graphics);
/* Turns all units on: root table, translation, interrupt remapping, faults. Logs iommu.refused,
 * iommu.enabled. On STATUS_OK translation is on in every usable unit; STATUS_DEVICE: in none. */
MUST_CHECK enum status iommu_translate(const struct dmar *dmar);
/* One past the last address that a device can reach through every usable unit; UINT64_MAX without
 * any. */
uint64_t iommu_address_end(void);
/* Once the platform's own registers have an owner: maps their regions for the functions that need
 * them, which the host owns so far, and writes their context entries. A region that is not
 * firmware's alone is refused. */
void iommu_regions_honour(void);
/* After iommu_translate(), whatever came of it: what has its context entry behind a unit that
 * translates gets back the bus mastering that firmware had left on; all others stay blocked. Logs
 * iommu.firmware. */
void iommu_regions_resume(void);
