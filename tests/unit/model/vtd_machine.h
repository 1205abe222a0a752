/* SPDX-License-Identifier: MIT */
/*
 * A machine around the modelled units: a DMAR table written structure by structure, PCI functions
 * and bridges, and iommu_init() over them.
 */
#pragma once

#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/iommu/interrupt.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/setup/iommu.h"
#include "tests/unit/model/vtd_model.h"

/* Empties everything: units, table, functions, log. */
void machine_reset(void);
/* Adds a DRHD; the scopes that follow belong to it. */
void machine_drhd(uint16_t segment, bool include_all, uint64_t base);
/* Adds an RMRR for the memory from base to limit, inclusive; scopes as above. */
void machine_rmrr(uint16_t segment, uint64_t base, uint64_t limit);
/* Adds an ATSR; flag 0 is ALL_PORTS (VT-d 8.5). Scopes as above. */
void machine_atsr(uint16_t segment, uint8_t flags);
/* Of the structure that was added last. */
void machine_flags(uint8_t flags);
/* `path` is "dd.f" hops in hexadecimal, e.g. "1c.0/00.1". */
void machine_scope(uint8_t type, uint8_t bus, const char *path);
void machine_dmar_flags(uint8_t flags);
/* A function; behind `bridge` or on a root bus (NULL). */
struct pci_function *machine_function(rid_t rid, struct pci_function *bridge);
struct pci_function *machine_bridge(rid_t rid, struct pci_function *bridge, uint8_t secondary);
struct pci_function *machine_vf(rid_t rid, struct pci_function *pf);
/* The context entry that a unit would use now; none for a unit that cannot be read. */
static inline void machine_context(unsigned unit, uint16_t rid,
                                   struct iommu_context_report *context)
{
    struct iommu_unit_report report;
    iommu_context_report(iommu_unit_report(unit, &report) ? report.root_table : 0, rid, context);
}
/* The table as it is by now, checked. */
const struct dmar *machine_table(void);
/* iommu_init(), and iommu_translate() as well. */
enum status machine_init(void);
enum status machine_start(void);
/* machine_reset(), one unit with these capabilities that covers all, machine_start(). */
struct vtd_model *machine_simple(uint64_t cap, uint64_t ecap);
