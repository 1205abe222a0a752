/* SPDX-License-Identifier: MIT */
/* What the IOMMU's boot files share. */
#pragma once

#include "hypervisor/iommu/vtd_reserved.h"
#include "hypervisor/setup/iommu.h"

/* --- iommu_discover.c --- */
/* Fills vtd.unit from the table: maps, identifies and checks every unit; logs iommu.unit. */
void vtd_discover(const struct dmar *dmar);

/* --- iommu_scopes.c --- */
/* Notes what the table says of a function, which is not a VF. */
void vtd_scope_add(const struct dmar *dmar, const struct pci_function *function);
/* Index of the unit whose scope the function is in; -1 for none. */
int vtd_unit_find(const struct dmar *dmar, const struct pci_function *function);
/* Of each reserved region's structure in the table; 0: it stands for all that found no room. */
extern uint32_t vtd_region_offset[VTD_MAX_REGIONS];

/* --- iommu_quirks.c --- */
/* What is known to be wrong with this machine's units, by the ids of its host bridge and graphics:
 * refuses units that have to stay as firmware has them, corrects capabilities. Scopes come first.
 */
void vtd_quirks_apply(bool leave_graphics);
/* NULL, or why no unit of this machine may remap interrupts. */
const char *vtd_quirk_interrupts(void);
bool vtd_unit_is_left(const struct vtd_unit *unit);

/* --- iommu_init.c, or what is linked in its place --- */
const char *vtd_format_problem(struct vtd_unit *unit);

/* --- iommu_enable.c --- */
/* Queue and root table; nothing of it is in use yet but the queue. */
MUST_CHECK enum status vtd_unit_prepare(struct vtd_unit *unit);
/* Takes the root table, translation, PMRs, interrupt remapping, fault event: in this order. */
MUST_CHECK enum status vtd_unit_enable(struct vtd_unit *unit, const struct dmar *dmar);
