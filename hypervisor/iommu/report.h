/* SPDX-License-Identifier: MIT */
/* What the hardware reads, for the monitor and the audit: from the registers down. Only reads, and
 * may be called from anywhere. */
#pragma once

#include "hypervisor/memory/page_table.h"
#include "hypervisor/pci/function.h"

#define IOMMU_MAX_UNITS 64

struct iommu_unit_report {
    uint64_t base, capability, extended_capability;
    uint64_t registers_size; /* bytes */
    uint32_t version, global_status;
    uint16_t segment;         /* of the requester ids it sees */
    uint64_t root_table;      /* as read from RTADDR */
    uint64_t table_mode;      /* the bits of it (TTM) that say how the tables are written here */
    uint64_t interrupt_table; /* as read from IRTA, size field included */
    bool usable;
    const char *refusal; /* why not usable, or "" */
};
bool iommu_unit_report(unsigned index, struct iommu_unit_report *report);

struct iommu_context_report {
    bool root_present, present;
    uint64_t root_entry, context_low, context_high;
    uint64_t pasid_low, pasid_high; /* scalable mode: of requests without a PASID; else 0 */
    uint16_t domain;
    unsigned levels;
    uint64_t table;         /* second-level root */
    struct page_table live; /* the same, to be walked; root NULL: not in the hypervisor's memory */
    bool fault_reporting_off;
};
/* Reads the live entry of a requester id, from a root table address that iommu_unit_report() has
 * read: reading a register costs an exit where the machine itself is a guest. */
void iommu_context_report(uint64_t root_table, uint16_t rid, struct iommu_context_report *report);

struct iommu_irte_report {
    bool present;
    uint16_t source;    /* source id verified */
    uint8_t validation; /* SVT */
    uint8_t qualifier;  /* SQ */
    uint8_t vector;
    uint32_t destination;
    uint64_t low, high;
};
/* An entry of the table that `interrupt_table` of a unit's report names. False past its end.
 * `destination` is the APIC id, whichever the format. */
bool iommu_irte_report(uint64_t interrupt_table, uint32_t index, struct iommu_irte_report *report);
