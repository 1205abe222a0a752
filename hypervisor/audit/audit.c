/* SPDX-License-Identifier: MIT */
#include "hypervisor/audit/audit.h"

#include "hypervisor/base/log.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/audit/audit_internal.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/vcpu/backend.h"

/* Where the pages of a device's MSI-X table lie; nobody but the hypervisor reaches them. */
struct range {
    uint64_t start, end;
};

static struct audit_findings findings;
static bool failed;

const struct audit_findings *audit_findings(void)
{
    return &findings;
}

bool audit_failed(void)
{
    return failed;
}

/* I1: the ranges do not overlap, so that no frame has two owners. */
static void audit_frames(struct audit *audit)
{
    uint64_t end = 0;
    const struct frame_range *range;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++) {
        audit_check(audit, "I1")->looked++;
        if (range->base < end)
            audit_violation(audit, "I1", audit_machine("frames"), range->base, range->owner,
                            "two owners of one frame");
        end = range->base + range->size;
    }
}

/* I1 as well: what firmware keeps for devices (RMRR) is neither free nor a guest's. */
static void audit_regions(struct audit *audit)
{
    struct iommu_region region;
    for (unsigned n = 0; iommu_region_at(n, &region); n++) {
        const struct frame_range *range;
        for (size_t i = 0; (range = frames_range(i)) != NULL; i++)
            if (range->base < region.base + region.size &&
                region.base < range->base + range->size &&
                (range->owner == OWNER_NOBODY || OWNER_IS_GUEST(range->owner)))
                audit_violation(audit, "I1", audit_machine("frames"), range->base, range->owner,
                                "memory that firmware keeps for a device is free or a guest's");
    }
}

/* --- I2: what a guest's core can reach --- */

/* As the devices' own capabilities say, not as they were read when the devices were assigned. */
static unsigned find_msix_tables(struct audit *audit, const struct guest *guest,
                                 struct range tables[GUEST_MAX_FUNCTIONS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        const struct pci_function *function = guest->assignments[i]->function;
        struct msix_layout layout;
        if (!audit_settled(function))
            continue; /* its pages are the hypervisor's all the same */
        enum status status = msix_layout_read(function, &layout);
        if (status == STATUS_NOT_FOUND)
            continue;
        if (status != STATUS_OK) {
            audit_violation(audit, "I2", audit_guest(guest), function->rid, function->cap_msix,
                            "where a device's MSI-X table lies cannot be read");
            continue;
        }
        uint64_t table = function->bar[layout.table_bar].base + layout.table_offset;
        tables[count++] =
            (struct range){ALIGN_DOWN(table, PAGE_SIZE),
                           ALIGN_UP(table + (uint64_t)layout.vectors * 16, PAGE_SIZE)};
    }
    return count;
}

static void audit_registers(struct audit *audit, const struct guest *guest, uint64_t address,
                            const struct page_walk *walk, const struct range *tables,
                            unsigned table_count)
{
    const uint64_t physical = walk->physical, size = walk->page_size;
    if (!audit_own_bar(guest, physical, size))
        audit_violation(audit, "I2", audit_guest(guest), address, physical,
                        "mapped is neither the guest's RAM nor a BAR of its devices");
    if ((walk->rights & (PAGE_DEVICE | PAGE_EXECUTE)) != PAGE_DEVICE)
        audit_violation(audit, "I2", audit_guest(guest), address, walk->rights,
                        "device registers are mapped cached or executable");
    if (audit_is_platform(physical, size))
        audit_violation(audit, "I2", audit_guest(guest), address, physical,
                        "registers of the IOMMU or of the local APIC are mapped");
    for (unsigned i = 0; i < table_count; i++)
        if (physical < tables[i].end && physical + size > tables[i].start)
            audit_violation(audit, "I2", audit_guest(guest), address, physical,
                            "an MSI-X table is mapped: the guest could forge interrupts");
}

static uint64_t last_entry(const struct page_walk *walk)
{
    return walk->step[walk->steps - 1].entry;
}

/* RAM lies where the guest's memory is and nowhere else; all other leaves are registers. */
static void audit_tables(struct audit *audit, const struct guest *guest,
                         const struct page_table *live)
{
    struct range tables[GUEST_MAX_FUNCTIONS];
    unsigned table_count = find_msix_tables(audit, guest, tables);
    struct page_walk walk;
    for (uint64_t address = 0; page_table_next(live, &address, &walk); address += walk.page_size) {
        if (!audit_leaf(audit, "I2", audit_guest(guest), address, &walk))
            continue;
        if (!frames_owned_by(walk.physical, walk.page_size, guest->owner))
            audit_violation(audit, "I2", audit_guest(guest), address, walk.physical,
                            "the guest's memory tables map what it does not own");
        if (!guest_memory_is(guest, address, walk.physical, walk.page_size))
            audit_registers(audit, guest, address, &walk, tables, table_count);
        else if ((walk.rights & (PAGE_DEVICE | PAGE_COMBINED | PAGE_OTHER_TYPE)) != 0)
            audit_violation(
                audit, "I2", audit_guest(guest), address, last_entry(&walk),
                "RAM is not mapped write-back: what its devices and its core see differs");
    }
}

/* The root comes from the control structure that the CPU reads, where that can be read from here,
 * and is then the only thing that is believed. */
static void audit_guest_memory(struct audit *audit, const struct guest *guest)
{
    const struct vcpu_backend *backend = vcpu_backend();
    for (unsigned i = 0; backend != NULL && backend->memory_root != NULL && i < guest->cpu_count;
         i++) {
        uint64_t root;
        if (backend->memory_root(guest->vcpus[i], &root) &&
            (root == 0 || virtual_address(root) != guest->memory.root))
            audit_violation(audit, "I2", audit_guest(guest), i, root,
                            "a vCPU walks other tables than its guest's");
    }
    audit_tables(audit, guest, &guest->memory);
}

/* --- the hypervisor itself --- */

/* I6 as it can be seen: whatever has no context entry must not master the bus either. */
static void audit_bus_masters(struct audit *audit)
{
    for (size_t i = 0; i < pci_function_count(); i++) {
        const struct pci_function *function = pci_function_at(i);
        uint32_t command = pci_config_read(function->rid, PCI_COMMAND, 2);
        /* Host and ISA bridges often have the bit hard-wired to one. */
        bool bridge = pci_is_bridge(function);
        /* The device of a lost PF may ignore the command register: that it has no context entry is
         * all there is to see (I4). */
        bool lost = function->pf != NULL && pci_unusable(function->pf);
        if (bridge || lost || !audit_answers(function))
            continue;
        audit_check(audit, "I6")->looked++;
        if ((command & PCI_COMMAND_BUS_MASTER) == 0)
            continue;
        if (!audit_connected(guest_of_owner(function->owner), function->rid) &&
            !iommu_firmware_connected(function->rid) && pf_dma_find(function->rid) == NULL)
            audit_violation(audit, "I6", audit_function(function->rid), PCI_COMMAND, command,
                            "a function without an owner masters the bus");
    }
}

/* The hypervisor's own tables on this core: nothing writable is executable, and no guest's memory
 * is mapped (the control core's window is closed between uses). */
static void audit_host(struct audit *audit)
{
    struct page_table host = {.format = &page_format_host,
                              .root = virtual_address(address_space_root()),
                              .levels = 4,
                              .max_leaf_level = 3};
    struct page_walk walk;
    if (host.root == NULL)
        audit_violation(audit, "W^X", audit_machine("host"), address_space_root(), 0,
                        "the hypervisor's own tables are not in its memory");
    for (uint64_t address = 0; host.root != NULL && page_table_next(&host, &address, &walk);
         address += walk.page_size) {
        if (!audit_leaf(audit, "W^X", audit_machine("host"), address, &walk))
            continue;
        if ((walk.rights & PAGE_WRITE) != 0 && (walk.rights & PAGE_EXECUTE) != 0)
            audit_violation(audit, "W^X", audit_machine("host"), address, walk.physical,
                            "writable and executable");
        if ((walk.rights & PAGE_EXECUTE) != 0 && !address_space_may_execute(address, walk.physical))
            audit_violation(audit, "W^X", audit_machine("host"), address, walk.physical,
                            "executable, but not the hypervisor's resident code");
        if ((walk.rights & PAGE_OTHER_TYPE) != 0 ||
            ((walk.rights & PAGE_COMBINED) != 0 && frames_owner(walk.physical) == OWNER_HYPERVISOR))
            audit_violation(audit, "I2", audit_machine("host"), address, last_entry(&walk),
                            "mapped with an unexpected memory type");
        if ((walk.rights & (PAGE_DEVICE | PAGE_COMBINED)) == 0 &&
            OWNER_IS_GUEST(frames_owner(walk.physical)))
            audit_violation(audit, "I2", audit_machine("host"), address, walk.physical,
                            "a guest's memory is mapped on the control core");
    }
}

bool audit_run(void)
{
    struct audit audit = {0};
    audit_units_read();
    audit_frames(&audit);
    audit_regions(&audit);
    audit_host(&audit);
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        if (guest_at(i)->memory.root != NULL)
            audit_guest_memory(&audit, guest_at(i));
    audit_bars(&audit);
    audit_units(&audit);
    audit_functions(&audit);
    audit_lives(&audit);
    audit_bus_masters(&audit);
    audit_pf_devices(&audit);
    audit_check(&audit, "I4")->looked = audit.contexts; /* not the pages of PFs */
    findings = audit.findings;
    failed |= findings.violations != 0;
    if (findings.violations == 0)
        log_event("audit.ok", "ranges=%lu leaves=%lu contexts=%lu interrupts=%lu",
                  audit_check(&audit, "I1")->looked, audit.leaves, audit.contexts,
                  audit_check(&audit, "I5")->looked);
    return findings.violations == 0;
}
