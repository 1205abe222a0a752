/* SPDX-License-Identifier: MIT */
/*
 * Domains (second-level tables with an id) and the context entries that point functions at them.
 * A function without a present entry is blocked by the unit itself.
 */
#include "hypervisor/iommu/vtd_queue.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/config_space.h"

static struct vtd_connection *connection_of(rid_t rid)
{
    for (size_t i = 0; i < ARRAY_SIZE(vtd.connections); i++)
        if (vtd.connections[i].domain != NULL && vtd.connections[i].rid == rid)
            return &vtd.connections[i];
    return NULL;
}

struct iommu_domain *iommu_domain_of(rid_t rid)
{
    const struct vtd_connection *connection = connection_of(rid);
    return connection == NULL ? NULL : connection->domain;
}

/* --- domains --- */

/* Id 0 is never given out: units with caching mode file not-present entries under it (VT-d 6.1). */
static uint16_t take_id(void)
{
    for (uint32_t id = 1; id < vtd.domain_count; id++) {
        if ((vtd.domain_used[id / 64] & BIT(id % 64)) == 0) {
            vtd.domain_used[id / 64] |= BIT(id % 64);
            return (uint16_t)id;
        }
    }
    return 0;
}

enum status iommu_domain_create(struct iommu_domain *domain, owner_t owner)
{
    if (!vtd.enabled)
        return STATUS_UNSUPPORTED;
    *domain = (struct iommu_domain){.owner = owner};
    uint16_t id = take_id();
    if (id == 0) {
        log_event("iommu.refused",
                  "base=%#lx offset=%#x value=%u message=\"all domain ids are in use; stop a guest "
                  "first\"",
                  vtd.unit[0].base, VTD_CAP, vtd.domain_count);
        return STATUS_FULL;
    }
    enum status status = page_table_create(&domain->table, &page_format_vtd, vtd.levels,
                                           vtd.max_leaf_level, vtd.flush);
    if (status == STATUS_OK)
        domain->id = id;
    else
        vtd.domain_used[id / 64] &= ~BIT(id % 64);
    return status;
}

/* Invalidates part of a domain (or all of it) in every unit that has a function connected to it. */
static enum status invalidate_domain(const struct iommu_domain *domain, uint64_t address,
                                     uint64_t size)
{
    enum status result = STATUS_OK;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *unit = &vtd.unit[i];
        bool connected = false;
        for (size_t n = 0; n < ARRAY_SIZE(vtd.connections) && !connected; n++)
            connected = vtd.connections[n].domain == domain && vtd.connections[n].unit == unit;
        if (!connected)
            continue;
        struct vtd_descriptor request = vtd_translations_of(domain->id);
        unsigned order = 0;
        while ((PAGE_SIZE << order) < size && order < 32)
            order++;
        if ((unit->capability & VTD_CAP_PSI) != 0 && order <= VTD_CAP_MAMV(unit->capability) &&
            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {
            request = vtd_translations_at(domain->id, address, order);
        }
        enum status status = vtd_invalidate(unit, &request, 1);
        if (status != STATUS_OK)
            result = status;
    }
    return result;
}

static bool overlaps_interrupt_range(uint64_t base, uint64_t size)
{
    return base < VTD_INTERRUPT_RANGE_END && base + size > VTD_INTERRUPT_RANGE_BASE;
}

static bool range_is_sound(uint64_t base, uint64_t size)
{
    return size != 0 && IS_ALIGNED(base | size, PAGE_SIZE) && base + size > base;
}

enum status iommu_domain_map(struct iommu_domain *domain, uint64_t address, uint64_t physical,
                             uint64_t size, unsigned rights)
{
    if (domain->id == 0 || !range_is_sound(address, size) || !range_is_sound(physical, size) ||
        address + size > BIT(vtd.input_bits) || (rights & (PAGE_READ | PAGE_WRITE)) == 0)
        return STATUS_INVALID;
    /* RAM only. A large page whose output touches the interrupt range blocks all of itself on some
     * units, and nothing that is RAM can lie there (VT-d 3.14). */
    if ((rights & PAGE_DEVICE) != 0 || overlaps_interrupt_range(address, size) ||
        overlaps_interrupt_range(physical, size))
        return STATUS_DENIED;
    rights &= PAGE_READ | PAGE_WRITE;
    enum status status = page_table_map(&domain->table, address, physical, size,
                                        rights | (vtd.snoop ? PAGE_SNOOPED : 0));
    if (status == STATUS_NO_MEMORY) {
        /* Splits nothing: the range begins and ends where it was mapped a moment ago. */
        enum status undone = iommu_domain_unmap(domain, address, size);
        return undone == STATUS_OK ? status : undone;
    }
    if (status != STATUS_OK || domain->functions == 0)
        return status;
    /* Caching mode: a unit may hold on to "not present" (VT-d 6.1); RWBF: it may not see the new
     * entries yet. Every other unit needs nothing when an entry becomes present. */
    bool needed = false;
    for (unsigned i = 0; i < vtd.unit_count; i++)
        needed |= (vtd.unit[i].capability & (VTD_CAP_CM | VTD_CAP_RWBF)) != 0;
    return needed ? invalidate_domain(domain, address, size) : STATUS_OK;
}

enum status iommu_domain_unmap(struct iommu_domain *domain, uint64_t address, uint64_t size)
{
    if (domain->id == 0 || !range_is_sound(address, size) || address + size > BIT(vtd.input_bits))
        return STATUS_INVALID;
    enum status status = page_table_unmap(&domain->table, address, size);
    /* Even when it stopped half-way: what is gone must be gone in the caches too. */
    enum status flushed =
        domain->functions == 0 ? STATUS_OK : invalidate_domain(domain, address, size);
    return status != STATUS_OK ? status : flushed;
}

/* --- context entries (VT-d 9.3): legacy mode, unless another format is linked (vtd.h) --- */

WEAK const struct vtd_format vtd_format = {.slots = 1};

WEAK struct vtd_context_entry *vtd_context_at(const struct vtd_unit *unit, rid_t rid, bool create)
{
    struct vtd_root_entry *root = &unit->root[RID_BUS(rid)];
    if ((root->low & VTD_ROOT_P) == 0) {
        struct vtd_context_entry *created = create ? pages_allocate(1) : NULL;
        if (created == NULL)
            return NULL;
        vtd_publish(unit, created, PAGE_SIZE);
        root->low = physical_address(created) | VTD_ROOT_P;
        vtd_publish(unit, root, sizeof *root);
    }
    struct vtd_context_entry *table = virtual_address(root->low & VTD_ROOT_ADDRESS);
    return table == NULL ? NULL : &table[rid & 0xff];
}

WEAK struct vtd_context_entry vtd_context_for(const struct iommu_domain *domain)
{
    return (struct vtd_context_entry){.low = physical_address(domain->table.root) | VTD_CONTEXT_P,
                                      .high = VTD_CONTEXT_AW(domain->table.levels) |
                                              VTD_CONTEXT_DID(domain->id)};
}

/* Requests of a function behind a conventional PCI bridge carry the bridge's id, or one made up by
 * it: they cannot be told from its neighbours' (VT-d 3.9.1). */
static bool has_own_requester_id(const struct pci_function *function)
{
    PCI_FOR_EACH_UPWARD (at, pci_physical(function)->bridge)
        if (at->pcie_type == PCIE_TYPE_TO_PCI_BRIDGE ||
            at->pcie_type == PCIE_TYPE_FROM_PCI_BRIDGE || at->pcie_type == PCIE_TYPE_NONE)
            return false;
    return true;
}

static enum status refuse_function(const struct pci_function *function, const char *message,
                                   enum status status)
{
    log_event("iommu.refused", "rid=%s message=\"%s\"", rid_text(function->rid).text, message);
    return status;
}

/* Both caches of the unit, for one function and its domain: a single wait. */
static enum status invalidate_function(struct vtd_unit *unit, rid_t rid, uint16_t context_domain,
                                       uint16_t domain)
{
    const struct vtd_descriptor list[] = {vtd_context_of(context_domain, rid),
                                          vtd_translations_of(domain)};
    return vtd_invalidate(unit, list, ARRAY_SIZE(list));
}

/* P goes first and everything else only when hardware no longer looks at it. FPD stays: a function
 * that floods the fault registers does not begin again because it was blocked. */
static void clear_entry(const struct vtd_unit *unit, volatile struct vtd_context_entry *entry)
{
    entry->low &= VTD_CONTEXT_FPD;
    memory_fence();
    entry->high = 0;
    vtd_publish(unit, entry, sizeof *entry);
}

enum status iommu_connect(const struct pci_function *function, struct iommu_domain *domain)
{
    if (!vtd.enabled || domain->id == 0)
        return STATUS_UNSUPPORTED;
    struct vtd_unit *unit = vtd_unit_of(function);
    if (unit == NULL)
        return refuse_function(function,
                               "no VT-d unit covers this function (it is missing from the DMAR "
                               "table); it stays unused",
                               STATUS_NOT_FOUND);
    if (!unit->usable)
        return refuse_function(function, unit->refusal, STATUS_UNSUPPORTED);
    if (!has_own_requester_id(function))
        return refuse_function(function,
                               "it is behind a conventional PCI bridge and shares its requester "
                               "id; move the card to a PCI Express slot",
                               STATUS_DENIED);
    if (connection_of(function->rid) != NULL)
        return STATUS_BUSY;
    struct vtd_connection *slot = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(vtd.connections) && slot == NULL; i++)
        if (vtd.connections[i].domain == NULL)
            slot = &vtd.connections[i];
    if (slot == NULL)
        return STATUS_FULL;
    volatile struct vtd_context_entry *entry = vtd_context_at(unit, function->rid, true);
    const struct vtd_context_entry whole = vtd_context_for(domain);
    if (entry == NULL || whole.low == 0)
        return STATUS_NO_MEMORY;

    /* The half with P last: hardware never sees a present entry that is not whole. */
    entry->high = whole.high;
    memory_fence();
    entry->low = whole.low;
    vtd_publish(unit, entry, sizeof *entry);
    /* What a unit with caching mode remembers of a blocked function is filed under id 0. */
    bool caching = (unit->capability & VTD_CAP_CM) != 0;
    enum status status =
        invalidate_function(unit, function->rid, caching ? 0 : domain->id, domain->id);
    *slot = (struct vtd_connection){function->rid, unit, domain};
    domain->functions++;
    if (status != STATUS_OK) {
        /* The unit is out of order now. The connection stays on record: what it may have cached
         * keeps the domain's memory from being given to anybody else. */
        clear_entry(unit, entry);
    }
    return status;
}

enum status iommu_disconnect(const struct pci_function *function, struct iommu_domain *domain)
{
    struct vtd_connection *connection = connection_of(function->rid);
    if (connection == NULL || connection->domain != domain)
        return STATUS_NOT_FOUND;
    volatile struct vtd_context_entry *entry =
        vtd_context_at(connection->unit, function->rid, false);
    if (entry == NULL)
        return STATUS_NOT_FOUND;
    clear_entry(connection->unit, entry);
    enum status status =
        invalidate_function(connection->unit, function->rid, domain->id, domain->id);
    if (status != STATUS_OK)
        return status; /* still on record, see iommu_connect() */
    connection->domain = NULL;
    domain->functions--;
    return STATUS_OK;
}

bool iommu_block(rid_t rid)
{
    bool blocked = true;
    const struct vtd_connection *connection = connection_of(rid);
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *unit = &vtd.unit[i];
        volatile struct vtd_context_entry *entry =
            unit->root != NULL && unit->segment == RID_SEGMENT(rid)
                ? vtd_context_at(unit, rid, false)
                : NULL;
        if (entry == NULL)
            continue;
        /* Under which id it was cached nobody knows: the entry may have been changed meanwhile. */
        const struct vtd_descriptor everything[] = {vtd_all_contexts(), vtd_all_translations()};
        bool present = (entry->low & VTD_CONTEXT_P) != 0;
        if (present)
            clear_entry(unit, entry);
        if (present || (connection != NULL && connection->unit == unit))
            blocked =
                vtd_invalidate(unit, everything, ARRAY_SIZE(everything)) == STATUS_OK && blocked;
        blocked = blocked && !unit->broken;
    }
    return blocked;
}

/* FPD counts whether or not the entry is present (VT-d 9.3), so a blocked function can be kept from
 * flooding the fault registers as well. */
void iommu_fault_reporting(const struct pci_function *function, bool on)
{
    struct vtd_unit *unit = vtd.enabled ? vtd_unit_of(function) : NULL;
    if (unit == NULL || unit->root == NULL)
        return;
    volatile struct vtd_context_entry *entry = vtd_context_at(unit, function->rid, !on);
    if (entry == NULL || ((entry->low & VTD_CONTEXT_FPD) == 0) == on)
        return;
    entry->low ^= VTD_CONTEXT_FPD;
    vtd_publish(unit, entry, sizeof *entry);
    const struct iommu_domain *domain = iommu_domain_of(function->rid);
    const struct vtd_descriptor request =
        vtd_context_of(domain == NULL ? 0 : domain->id, function->rid);
    /* A failure has been logged and has put the unit out of order; blocking is not affected. */
    (void)!vtd_invalidate(unit, &request, 1);
}
