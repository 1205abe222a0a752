/* SPDX-License-Identifier: MIT */
/*
 * Interrupt remapping (VT-d 5): the only way a message of an owned function becomes an interrupt is
 * an entry made for it here, which names the function, the vector and the core.
 *
 * The table itself says which entries are free (P clear) and whose they are (SID): there is no
 * second bookkeeping that could disagree with it.
 */
#include "hypervisor/iommu/vtd_queue.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/interrupt.h"

static bool destination_fits(const struct vtd_unit *unit, uint32_t apic_id)
{
    return unit->eim || apic_id < 0xff;
}

/* Low half of an entry: fixed delivery of an edge to one APIC, by physical id (VT-d 9.10). */
static uint64_t entry_low(const struct vtd_unit *unit, uint32_t apic_id, uint8_t vector)
{
    uint64_t destination = unit->eim ? (uint64_t)apic_id << 32 : (uint64_t)apic_id << 40;
    return destination | (uint64_t)vector << 16 | VTD_IRTE_P;
}

static uint64_t entry_high(rid_t rid)
{
    return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;
}

static enum status invalidate_entry(struct vtd_unit *unit, uint32_t index)
{
    const struct vtd_descriptor request = vtd_interrupt_at(index);
    return vtd_invalidate(unit, &request, 1);
}

static bool entry_is_of(const struct vtd_unit *unit, uint32_t index, rid_t rid)
{
    return index >= VTD_INTERRUPT_FIRST && index < VTD_INTERRUPT_ENTRIES &&
           (unit->interrupts[index].low & VTD_IRTE_P) != 0 &&
           VTD_IRTE_SID(unit->interrupts[index].high) == (uint16_t)rid;
}

enum status iommu_interrupt_allocate(const struct pci_function *function, uint32_t apic_id,
                                     uint8_t vector, struct iommu_msi *msi)
{
    struct vtd_unit *unit = vtd.enabled ? vtd_unit_of(function) : NULL;
    if (unit == NULL || !unit->remapping || !unit->usable || !destination_fits(unit, apic_id))
        return STATUS_UNSUPPORTED;
    if (vector < 16)
        return STATUS_INVALID;
    uint32_t index = unit->interrupt_hint;
    uint32_t tried = VTD_INTERRUPT_FIRST;
    while (tried < VTD_INTERRUPT_ENTRIES && (unit->interrupts[index].low & VTD_IRTE_P) != 0) {
        index = index + 1 < VTD_INTERRUPT_ENTRIES ? index + 1 : VTD_INTERRUPT_FIRST;
        tried++;
    }
    if (tried == VTD_INTERRUPT_ENTRIES)
        return STATUS_FULL;
    unit->interrupt_hint = index + 1 < VTD_INTERRUPT_ENTRIES ? index + 1 : VTD_INTERRUPT_FIRST;

    volatile struct vtd_irte *entry = &unit->interrupts[index];
    entry->high = entry_high(function->rid);
    memory_fence();
    entry->low = entry_low(unit, apic_id, vector);
    vtd_publish(unit, entry, sizeof *entry);
    enum status status = invalidate_entry(unit, index);
    if (status != STATUS_OK)
        return status;
    *msi = (struct iommu_msi){
        .address_low = VTD_MSI_ADDRESS | VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(index),
        .index = (uint16_t)index,
    };
    return STATUS_OK;
}

static void clear_entry(const struct vtd_unit *unit, uint32_t index)
{
    volatile struct vtd_irte *entry = &unit->interrupts[index];
    entry->low = 0;
    memory_fence();
    entry->high = 0;
    vtd_publish(unit, entry, sizeof *entry);
}

enum status iommu_interrupt_free(const struct pci_function *function, uint16_t index)
{
    struct vtd_unit *unit = vtd.enabled ? vtd_unit_of(function) : NULL;
    if (unit == NULL || !unit->remapping)
        return STATUS_UNSUPPORTED;
    if (!entry_is_of(unit, index, function->rid))
        return STATUS_DENIED;
    clear_entry(unit, index);
    return invalidate_entry(unit, index);
}

void iommu_interrupts_release(const struct pci_function *function)
{
    struct vtd_unit *unit = vtd.enabled ? vtd_unit_of(function) : NULL;
    if (unit == NULL || !unit->remapping)
        return;
    unsigned freed = 0;
    for (uint32_t index = VTD_INTERRUPT_FIRST; index < VTD_INTERRUPT_ENTRIES; index++) {
        if (entry_is_of(unit, index, function->rid)) {
            clear_entry(unit, index);
            freed++;
        }
    }
    const struct vtd_descriptor entries = vtd_all_interrupts();
    /* A failure has been logged and has put the unit out of order. */
    if (freed != 0)
        (void)!vtd_invalidate(unit, &entries, 1);
}

bool iommu_remaps_interrupts(void)
{
    bool any = false;
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        if (!vtd.unit[i].usable)
            continue;
        if (!vtd.unit[i].remapping)
            return false;
        any = true;
    }
    return vtd.enabled && any;
}
