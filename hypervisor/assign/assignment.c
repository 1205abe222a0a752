/* SPDX-License-Identifier: MIT */
/*
 * Giving a function to a guest and taking it back, in the order of invariant I6: bus mastering off,
 * reset, context entry gone, caches invalidated; memory is scrubbed and freed only then.
 */
#include "hypervisor/assign/assignment.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/config_space.h"

/* MMIO that the firmware's map lists has an owner in the frames table, other MMIO has none yet. */
static enum status claim_registers(uint64_t base, uint64_t size, owner_t owner)
{
    enum status status = frames_transfer(base, size, OWNER_NONE, owner);
    return status == STATUS_OK ? status : frames_transfer(base, size, OWNER_MMIO, owner);
}

/* The pages of the MSI-X table, as offsets in their BAR; empty (size, size) in other BARs. */
static void table_pages(const struct assignment *assignment, unsigned number, uint64_t *start,
                        uint64_t *end)
{
    *start = *end = assignment->bars[number].size;
    if (!assignment->has_msix || assignment->msix.table_bar != number)
        return;
    *start = ALIGN_DOWN((uint64_t)assignment->msix.table_offset, PAGE_SIZE);
    *end = ALIGN_UP(assignment->msix.table_offset + (uint64_t)assignment->msix.vectors * 16,
                    PAGE_SIZE);
}

static void unclaim_registers(struct assignment *assignment, unsigned number)
{
    const struct guest_bar *bar = &assignment->bars[number];
    owner_t owner = assignment->guest->owner;
    uint64_t hole_start, hole_end;
    table_pages(assignment, number, &hole_start, &hole_end);
    uint64_t hole = bar->host_base + hole_start, hole_size = hole_end - hole_start;
    enum status status = STATUS_OK;
    if (hole_size != 0 && frames_owned_by(hole, hole_size, OWNER_HYPERVISOR))
        status = frames_transfer(hole, hole_size, OWNER_HYPERVISOR, owner);
    if (status == STATUS_OK)
        status = frames_transfer(bar->host_base, bar->size, owner, OWNER_MMIO);
    if (status != STATUS_OK)
        log_event("frames.refused",
                  "base=%#lx size=%#lx status=%s message=\"the owner of a BAR's registers could "
                  "not be changed\"",
                  bar->host_base, bar->size, status_name(status));
}

/* Registers go to the guest, the MSI-X table's pages to the hypervisor: in the frames table first,
 * then, following it, in the guest's memory tables. After a failure the frames are as before. */
static enum status map_bar(struct assignment *assignment, unsigned number)
{
    const struct guest_bar *bar = &assignment->bars[number];
    owner_t owner = assignment->guest->owner;
    const unsigned rights = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;
    uint64_t hole_start, hole_end;
    table_pages(assignment, number, &hole_start, &hole_end);
    enum status status = claim_registers(bar->host_base, bar->size, owner);
    if (status != STATUS_OK)
        return status;
    if (hole_end > hole_start)
        status = frames_transfer(bar->host_base + hole_start, hole_end - hole_start, owner,
                                 OWNER_HYPERVISOR);
    if (status == STATUS_OK && hole_start != 0)
        status = page_table_map(&assignment->guest->memory, bar->guest_base, bar->host_base,
                                hole_start, rights);
    if (status == STATUS_OK && hole_end < bar->size)
        status = page_table_map(&assignment->guest->memory, bar->guest_base + hole_end,
                                bar->host_base + hole_end, bar->size - hole_end, rights);
    /* A part may be mapped: what cannot be taken out again stays the guest's. */
    if (status != STATUS_OK &&
        page_table_unmap(&assignment->guest->memory, bar->guest_base, bar->size) == STATUS_OK)
        unclaim_registers(assignment, number);
    return status;
}

static size_t vector_pages(const struct assignment *assignment)
{
    return ALIGN_UP(assignment->msix.vectors * sizeof(struct guest_vector), PAGE_SIZE) / PAGE_SIZE;
}

static void drop_msix(struct assignment *assignment)
{
    if (assignment->vectors != NULL)
        pages_free(assignment->vectors, vector_pages(assignment));
    assignment->vectors = NULL;
    assignment->msix_table = 0;
    assignment->has_msix = false;
}

/* Below 4 GiB as long as there is room; a 64-bit BAR may lie above the guest's memory. 0: it fits
 * into no window. */
static uint64_t place_bar(const struct guest *guest, const struct pci_bar *bar, uint64_t *next_bar)
{
    for (unsigned i = 0; i < (bar->is_64bit ? GUEST_BAR_WINDOWS : 1); i++) {
        uint64_t base = ALIGN_UP(next_bar[i], bar->size), end = guest->bar_windows[i].end;
        if (base < next_bar[i] || base > end || bar->size > end - base)
            continue;
        next_bar[i] = base + bar->size;
        return base;
    }
    return 0;
}

static enum status claim_bars(struct guest *guest, struct assignment *assignment,
                              uint64_t *next_bar)
{
    const struct pci_function *function = assignment->function;
    for (unsigned number = 0; number < PCI_BARS; number++) {
        const struct pci_bar *physical = &function->bar[number];
        if (physical->size == 0 || physical->io)
            continue; /* I/O BARs are not given: every port is the hypervisor's */
        if (assignment_bar_is_flash(function, number)) {
            log_event("device.bar_hidden",
                      "guest=%s device=%s bar=%u base=%#lx size=%#lx message=\"the guest does not "
                      "get this BAR: it reaches the device's flash and option ROM\"",
                      guest->name, rid_text(function->rid).text, number, physical->base,
                      physical->size);
            continue;
        }
        if (physical->base == 0)
            return assignment_refuse(guest, function, STATUS_UNSUPPORTED,
                                     "the firmware left a BAR of the device without an address; "
                                     "enable its slot or 64-bit decoding in the firmware set-up");
        if (!IS_ALIGNED(physical->base | physical->size, PAGE_SIZE)) {
            /* XSA-class: what shares a page cannot be kept apart. Leaving such a BAR out is safe.
             */
            log_event(
                "device.bar_hidden",
                "guest=%s device=%s bar=%u base=%#lx size=%#lx message=\"the guest does not get "
                "this BAR: it is smaller than a page, which it may share with another device\"",
                guest->name, rid_text(function->rid).text, number, physical->base, physical->size);
            if (assignment->has_msix && assignment->msix.table_bar == number)
                drop_msix(assignment); /* no interrupts without the table's registers */
            continue;
        }
        uint64_t base = place_bar(guest, physical, next_bar);
        if (base == 0)
            return assignment_refuse(
                guest, function, STATUS_NO_MEMORY,
                "the device's BARs do not fit into the guest's device windows: below 4 GiB and, "
                "for 64-bit BARs, between its memory and the end of its physical addresses");
        assignment->bars[number] = (struct guest_bar){
            .guest_base = base,
            .host_base = physical->base,
            .size = physical->size,
            .is_64bit = physical->is_64bit,
            .prefetchable = physical->prefetchable,
        };
        enum status status = map_bar(assignment, number);
        if (status != STATUS_OK) {
            assignment->bars[number].size = 0; /* nothing to give back */
            return assignment_refuse(
                guest, function, status,
                "a BAR of the device overlaps memory that has another owner, or cannot be mapped");
        }
    }
    return STATUS_OK;
}

static enum status prepare_msix(struct guest *guest, struct assignment *assignment)
{
    struct pci_function *function = assignment->function;
    enum status status = msix_layout_read(function, &assignment->msix);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return assignment_refuse(
            guest, function, status,
            "its MSI-X capability places the table outside a BAR or over the PBA");
    if (assignment->msix.vectors > GUEST_MSIX_MAX)
        return assignment_refuse(guest, function, STATUS_UNSUPPORTED,
                                 "it has more MSI-X vectors than can be virtualised (256)");
    const struct pci_bar *bar = &function->bar[assignment->msix.table_bar];
    assignment->vectors = pages_allocate(vector_pages(assignment));
    /* Once for each function: addresses are not given out again (another core may remember what was
     * there), and guests may come and go any number of times. */
    uint64_t size = (uint64_t)assignment->msix.vectors * 16;
    uint64_t base = bar->base + assignment->msix.table_offset;
    if (function->msix_table_base != base || function->msix_table_size < size) {
        function->msix_table = map_device(base, size);
        function->msix_table_base = base;
        function->msix_table_size = function->msix_table != 0 ? size : 0;
    }
    assignment->msix_table = function->msix_table;
    if (assignment->vectors == NULL || assignment->msix_table == 0) {
        drop_msix(assignment);
        return assignment_refuse(guest, function, STATUS_NO_MEMORY,
                                 "no memory left for its MSI-X table");
    }
    assignment->has_msix = true;
    return STATUS_OK;
}

/* Power-on state for what the firmware or a driver may have used. VFs that were just enabled, and
 * what was reset when its last owner lost it, are in it. */
static enum status clean(const struct guest *guest, struct pci_function *function)
{
    enum status status = pci_function_reset(function);
    if (status == STATUS_OK)
        return pci_life_set(function, PCI_CLEAN) ? STATUS_OK : STATUS_DENIED;
    (void)!assignment_refuse(
        guest, function, status,
        "the device cannot be reset, so it may carry state or DMA of its former owner");
    /* Without a way to reset it nothing was tried, and a neighbour that is in the way may go. */
    if (status != STATUS_UNSUPPORTED)
        (void)!pci_life_set(function, PCI_UNUSABLE);
    return status;
}

enum status assignment_claim(struct guest *guest, struct assignment *assignment,
                             struct pci_function *function, struct pf_device *pf, unsigned slot,
                             uint64_t next_bar[GUEST_BAR_WINDOWS])
{
    enum status status = assignment_check(guest, function, false);
    if (status != STATUS_OK)
        return status;
    assignment->guest = guest;
    assignment->function = function;
    assignment->pf = pf;
    assignment->slot = slot;
    function->owner = guest->owner;
    status = prepare_msix(guest, assignment);
    if (status == STATUS_OK)
        status = claim_bars(guest, assignment, next_bar);
    if (status == STATUS_OK && function->life != PCI_CLEAN)
        status = clean(guest, function);
    if (status == STATUS_OK) {
        status = iommu_firmware_disconnect(function);
        if (status != STATUS_OK)
            (void)!assignment_refuse(guest, function, status,
                                     "its unit does not let go of firmware's memory");
    }
    if (status != STATUS_OK) {
        if (assignment_unmap(assignment) == STATUS_OK)
            assignment_unclaim(assignment);
        return status;
    }
    pci_command_set(function, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF, PCI_COMMAND_BUS_MASTER);
    view_reset_config(assignment);
    log_event("device.assigned", "guest=%s rid=%s slot=00:%02x.0 vectors=%u", guest->name,
              rid_text(function->rid).text, slot,
              assignment->has_msix ? assignment->msix.vectors : 0u);
    return STATUS_OK;
}

enum status assignment_unmap(struct assignment *assignment)
{
    for (unsigned number = 0; number < PCI_BARS; number++) {
        const struct guest_bar *bar = &assignment->bars[number];
        if (bar->size == 0)
            continue;
        enum status status =
            page_table_unmap(&assignment->guest->memory, bar->guest_base, bar->size);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void assignment_unclaim(struct assignment *assignment)
{
    struct pci_function *function = assignment->function;
    for (unsigned number = 0; number < PCI_BARS; number++)
        if (assignment->bars[number].size != 0)
            unclaim_registers(assignment, number);
    drop_msix(assignment);
    if (pci_connected(function)) /* its context entry is present: nobody else's, in any case */
        (void)!pci_life_set(function, PCI_UNCONFIRMED);
    if (pci_kept_back(function))
        return;
    function->owner = OWNER_NOBODY;
    /* Nothing of a guest's is left in it: the guest never ran, or it was reset. */
    iommu_firmware_connect(function);
}

void assignment_silence(struct assignment *assignment)
{
    if (assignment->function->life == PCI_USED)
        (void)!pci_life_set(assignment->function, PCI_SILENCED);
    assignment->command &= (uint16_t)~PCI_COMMAND_BUS_MASTER;
    pci_bus_master(assignment->function, false);
    iommu_fault_reporting(assignment->function, false);
}

void assignment_withdraw(struct assignment *assignment)
{
    if (assignment_unmap(assignment) != STATUS_OK)
        return;
    for (unsigned number = 0; number < PCI_BARS; number++) {
        struct guest_bar *bar = &assignment->bars[number];
        if (bar->size == 0)
            continue;
        unclaim_registers(assignment, number);
        assignment_pulled(assignment, number);
        bar->size = 0;
    }
}

/* What cannot be brought to a known state is never given to anybody again, and its registers are
 * out of reach of the guest that had it. */
static void keep_back(struct assignment *assignment, enum pci_life life, const char *event,
                      enum status status)
{
    (void)!pci_life_set(assignment->function, life);
    assignment_silence(assignment);
    log_event(event,
              "guest=%s rid=%s status=%s message=\"the reset failed: bus mastering stays off, and "
              "no guest gets the device until a reboot\"",
              assignment->guest->name, rid_text(assignment->function->rid).text,
              status_name(status));
    assignment_withdraw(assignment);
}

enum status assignment_block(struct assignment *assignment)
{
    struct pci_function *function = assignment->function;
    pci_bus_master(function, false);
    enum status status = pci_connected(function)
                             ? iommu_disconnect(function, &assignment->guest->domain)
                             : STATUS_OK;
    view_reset_interrupts(assignment);
    (void)!pci_life_set(function, status == STATUS_OK ? PCI_UNUSABLE : PCI_UNCONFIRMED);
    /* After that: an entry that is gone says nothing about faults. */
    assignment_silence(assignment);
    return status;
}

enum status assignment_connect(struct assignment *assignment)
{
    struct pci_function *function = assignment->function;
    struct guest *guest = assignment->guest;
    struct pf_device *pf = assignment->pf;
    if (pci_in_use(function) && function->owner == guest->owner)
        return STATUS_OK;
    if (pci_unusable(function) || function->owner != guest->owner)
        return assignment_refuse(guest, function, STATUS_DENIED, assignment_unusable);
    if (assignment_check_registers(guest, function) != STATUS_OK)
        return STATUS_DENIED;
    /* A neighbour's bus reset may have left it so (pci/reset.c). */
    enum status status = function->life == PCI_UNKNOWN ? clean(guest, function) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (function->life != PCI_CLEAN)
        return assignment_refuse(guest, function, STATUS_DENIED,
                                 "its last guest has not given it back");
    if (pf != NULL)
        status = pf->driver->vf_reset(pf, function->vf_index);
    if (pf != NULL && pci_unusable(pf->function))
        status = STATUS_DENIED;
    if (status != STATUS_OK)
        return assignment_refuse(guest, function, status,
                                 "its PF's driver could not prepare it, see above");
    view_reset_config(assignment);
    view_reset_interrupts(assignment);
    status = iommu_connect(function, &guest->domain);
    if (status != STATUS_OK) {
        /* What the unit may have cached stays on record. */
        if (iommu_domain_of(function->rid) != NULL)
            keep_back(assignment, PCI_UNCONFIRMED, "device.attach_failed", status);
        return assignment_refuse(guest, function, status,
                                 "its context entry could not be written; it stays blocked");
    }
    (void)!pci_life_set(function, PCI_USED);
    iommu_fault_reporting(function, true);
    pci_command_set(function, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF, PCI_COMMAND_BUS_MASTER);
    return STATUS_OK;
}

void assignment_quiesce(struct assignment *assignment)
{
    if (!pci_in_use(assignment->function))
        return;
    pci_bus_master(assignment->function, false);
    view_reset_interrupts(assignment);
    (void)!pci_life_set(assignment->function, PCI_RESETTING);
    enum status status = pci_reset_start(assignment->function, &assignment->reset);
    assignment->reset_status = status == STATUS_OK     ? STATUS_BUSY
                               : status == STATUS_BUSY ? STATUS_DENIED
                                                       : status;
}

bool assignment_quiet(struct assignment *assignment)
{
    if (assignment->function->life == PCI_RESETTING && assignment->reset_status == STATUS_BUSY)
        assignment->reset_status = pci_reset_poll(assignment->function, &assignment->reset);
    return assignment->function->life != PCI_RESETTING || assignment->reset_status != STATUS_BUSY;
}

enum status assignment_disconnect(struct assignment *assignment)
{
    struct pci_function *function = assignment->function;
    if (function->life != PCI_RESETTING)
        return pci_connected(function) ? STATUS_DENIED : STATUS_OK;
    enum status reset = assignment->reset_status;
    enum status detach = iommu_disconnect(function, &assignment->guest->domain);
    if (assignment->pf != NULL) {
        const struct pf_driver *driver = assignment->pf->driver;
        if (driver->vf_release != NULL)
            driver->vf_release(assignment->pf, function->vf_index);
        else
            (void)!driver->vf_reset(assignment->pf, function->vf_index);
    }
    const enum pci_life failed = detach == STATUS_OK ? PCI_UNUSABLE : PCI_UNCONFIRMED;
    if (reset != STATUS_OK)
        keep_back(assignment, failed, "device.reset_failed", reset);
    if (detach != STATUS_OK)
        keep_back(assignment, failed, "device.detach_failed", detach);
    if (reset != STATUS_OK || detach != STATUS_OK)
        return detach != STATUS_OK ? detach : reset;
    return pci_life_set(function, PCI_CLEAN) ? STATUS_OK : STATUS_DENIED;
}
