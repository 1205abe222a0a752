/*
 * DMA and interrupt remapping as the rest of Bulkhead sees it. Behind it stands VT-d (vtd_*.h).
 * From iommu_init() on a function that is connected to no domain reaches nothing (deny by default).
 *
 * Everything here belongs to the control core and takes no lock, but for the reports at the end,
 * which only read and may be called from anywhere. The fault interrupt sets a flag, no more.
 */
#pragma once

#include "hypervisor/memory/page_table.h"
#include "hypervisor/pci/function.h"

struct iommu_domain {
    uint16_t id; /* VT-d domain id, never 0 */
    owner_t owner;
    struct page_table table;
    unsigned functions; /* connected */
};

bool iommu_enabled(void);
bool iommu_remaps_interrupts(void);
/* Whether domains are made so that every request of a device snoops the caches. Where some unit
 * cannot (ECAP.SC), a device that ignores its Enable No Snoop bit reads memory as it was last
 * written back. */
bool iommu_snoops(void);

MUST_CHECK enum status iommu_domain_create(struct iommu_domain *domain, owner_t owner);
/* No function may be connected any more; a domain that has one is kept, and that is logged. */
void iommu_domain_destroy(struct iommu_domain *domain);
/* RAM only: PAGE_DEVICE and whatever overlaps 0xFEE00000-0xFEEFFFFF on either side is
 * STATUS_DENIED; STATUS_INVALID beyond the units' address width. Used before functions are
 * connected; invalidates otherwise. When memory runs out nothing of the range stays mapped. */
MUST_CHECK enum status iommu_domain_map(struct iommu_domain *domain, uint64_t address,
                                        uint64_t physical, uint64_t size, unsigned rights);
MUST_CHECK enum status iommu_domain_unmap(struct iommu_domain *domain, uint64_t address,
                                          uint64_t size);

/* One context entry written, one device-selective context invalidation, one domain-selective IOTLB
 * invalidation, one wait. STATUS_NOT_FOUND: no unit covers the function (it stays blocked);
 * STATUS_UNSUPPORTED: its unit was refused; STATUS_DENIED: it shares its requester id with others
 * (conventional PCI); STATUS_BUSY: connected already.
 * STATUS_TIMEOUT, STATUS_DEVICE: the unit does not invalidate any more; the entry is gone but may
 * still be cached, so the function stays on the domain's books and the domain's memory must not be
 * given to anybody else. */
MUST_CHECK enum status iommu_connect(const struct pci_function *function,
                                     struct iommu_domain *domain);
MUST_CHECK enum status iommu_disconnect(const struct pci_function *function,
                                        struct iommu_domain *domain);
/* Takes away whatever context entries the requester id has in the units of its segment, on record
 * or not: for one that nobody may have let through. False when a unit may still hold one in its
 * caches. A domain on record for it keeps its memory. */
bool iommu_block(rid_t rid);
/* The domain a RID is connected to, NULL when blocked. */
struct iommu_domain *iommu_domain_of(rid_t rid);

/* --- memory that firmware keeps for its own DMA (RMRR, VT-d 8.4) --- */

struct iommu_region {
    uint64_t base, size; /* whole pages; size 0: firmware's values could not be used at all */
    const char *refusal; /* why it is mapped for nobody, or NULL */
};

/* Region `index` of all; false past the last. */
bool iommu_region_at(unsigned index, struct iommu_region *region);
/* The function's regions one by one, from *cursor = 0; false past its last. VFs have none. */
bool iommu_region_next(const struct pci_function *function, unsigned *cursor,
                       struct iommu_region *region);
/* The host's function gets at its regions, identity mapped, and at nothing else. Does nothing when
 * it has none or is connected already; logs iommu.firmware, or why its DMA stays blocked. */
void iommu_firmware_connect(struct pci_function *function);
/* Ends that, for the function's next owner: it has just been reset, so that firmware's bus
 * mastering is not given back later. Errors as of iommu_disconnect(). */
MUST_CHECK enum status iommu_firmware_disconnect(struct pci_function *function);
bool iommu_firmware_connected(rid_t rid);

/* --- interrupt remapping (VT-d 5) --- */
struct iommu_msi {
    uint32_t address_low; /* remappable format */
    uint32_t address_high;
    uint32_t data;
    uint16_t index; /* of the IRTE in the unit's table */
};
/* One entry for one message of one function: delivers `vector` to `apic_id`, verified against the
 * function's RID. Present only once complete. STATUS_FULL, STATUS_UNSUPPORTED (no remapping). */
MUST_CHECK enum status iommu_interrupt_allocate(const struct pci_function *function,
                                                uint32_t apic_id, uint8_t vector,
                                                struct iommu_msi *msi);
MUST_CHECK enum status iommu_interrupt_free(const struct pci_function *function, uint16_t index);
/* Frees all of a function's entries. */
void iommu_interrupts_release(const struct pci_function *function);

/* --- faults --- */
struct iommu_fault {
    rid_t rid;
    uint64_t address; /* of the access, page aligned; of an interrupt: the IRTE index */
    bool interrupt;   /* an interrupt request, not DMA */
    bool write;
    uint8_t reason; /* VT-d fault reason code */
    bool overflow;  /* further faults were lost around this one */
};
/* The manual's meaning in words (VT-d annex: fault reasons). Never NULL. */
const char *iommu_fault_reason(uint8_t reason);
/* Takes the next record out of the units' registers. False at the end of a pass over all registers,
 * which comes even while faults go on; without a fault interrupt a pass begins every 20 ms only. */
bool iommu_fault_next(struct iommu_fault *fault);
/* Suppresses (or allows) recording for one function: FPD in its context entry. */
void iommu_fault_reporting(const struct pci_function *function, bool on);

/* --- what the hardware reads, for the monitor and the audit: from the registers down --- */
struct iommu_unit_report {
    uint64_t base, capability, extended_capability;
    uint64_t registers_size; /* bytes */
    uint32_t version, global_status;
    uint16_t segment;         /* of the requester ids it sees */
    uint64_t root_table;      /* as read from RTADDR */
    uint64_t interrupt_table; /* as read from IRTA, size field included */
    bool usable;
    const char *refusal; /* why not usable, or NULL */
};
bool iommu_unit_report(unsigned index, struct iommu_unit_report *report);
/* Index of the unit that covers the function, -1 for none. */
int iommu_unit_of(const struct pci_function *function);

struct iommu_context_report {
    bool root_present, present;
    uint64_t root_entry, context_low, context_high;
    uint16_t domain;
    unsigned levels;
    uint64_t table; /* second-level root */
    bool fault_reporting_off;
};
/* Reads the live entry that unit `index` would use for the requester id. */
void iommu_context_report(unsigned unit, uint16_t rid, struct iommu_context_report *report);
/* The same from a root table address that was read before (iommu_unit_report), for callers that
 * look at many: reading a register costs an exit where the machine itself is a guest. */
void iommu_context_report_at(uint64_t root_table, uint16_t rid,
                             struct iommu_context_report *report);

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
