/* SPDX-License-Identifier: MIT */
/* What the unit reads from memory: tables, entries, and what it remembers of them. */
#include "tests/unit/model/vtd_model.h"

#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/iommu_registers.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"

#define LINE  64
#define LINES 65536

/* For units that do not snoop: memory as it was flushed, line by line. */
static struct {
    uint64_t address;
    uint8_t bytes[LINE];
} visible[LINES];
static bool x2apic;
static struct cpu control_core;
static void (*fault_interrupt)(void *context);
static void *fault_context;
static uint8_t fault_vector;
static unsigned fault_interrupts;

/* --- memory --- */

void vtd_model_memory_reset(void)
{
    memset(visible, 0, sizeof visible);
    fault_interrupts = 0;
    fault_interrupt = NULL;
}

static uint8_t *line_at(uint64_t address, bool create)
{
    uint64_t line = ALIGN_DOWN(address, LINE);
    for (unsigned i = 0, at = (unsigned)(line / LINE * 2654435761u) % LINES; i < LINES;
         i++, at = (at + 1) % LINES) {
        if (visible[at].address == 0 && create)
            visible[at].address = line;
        if (visible[at].address == line)
            return visible[at].bytes;
        if (visible[at].address == 0)
            return NULL;
    }
    return NULL;
}

static bool coherent(const struct vtd_model *unit)
{
    return (unit->ecap & VTD_ECAP_C) != 0 &&
           (!unit->scalable || (unit->ecap & VTD_ECAP_SMPWC) != 0);
}

uint64_t vtd_model_memory(const struct vtd_model *unit, uint64_t physical)
{
    uint64_t value;
    if (coherent(unit)) {
        memcpy(&value, (const void *)(uintptr_t)physical, sizeof value);
        return value;
    }
    const uint8_t *line = line_at(physical, false);
    if (line == NULL) {
        vtd_model_violation("the unit reads %#llx, which was never flushed",
                            (unsigned long long)physical);
        return 0;
    }
    memcpy(&value, line + physical % LINE, sizeof value);
    return value;
}

void vtd_model_memory_write(const struct vtd_model *unit, uint64_t physical, uint32_t value)
{
    memcpy((void *)(uintptr_t)physical, &value, sizeof value);
    if (!coherent(unit))
        memcpy(line_at(physical, true) + physical % LINE, &value, sizeof value);
}

void cache_flush_range(const volatile void *address, size_t size)
{
    uint64_t start = ALIGN_DOWN((uint64_t)(uintptr_t)address, LINE);
    uint64_t end = (uint64_t)(uintptr_t)address + size;
    for (uint64_t at = start; at < end; at += LINE)
        memcpy(line_at(at, true), (const void *)(uintptr_t)at, LINE);
}

/* A root entry that a unit without snooping sees leads to a table that it sees. */
static void look_at_flushed_roots(const struct vtd_model *unit)
{
    for (unsigned bus = 0; bus < VTD_TABLE_ENTRIES; bus++) {
        uint64_t at = unit->root + bus * 16, root = 0;
        const uint8_t *line = line_at(at, false);
        if (line != NULL)
            memcpy(&root, line + at % LINE, sizeof root);
        if ((root & VTD_ROOT_P) != 0 && line_at(root & VTD_ROOT_ADDRESS, false) == NULL)
            vtd_model_violation("the root entry of bus %02x is present, and its context table was "
                                "not flushed before it",
                                bus);
    }
}

/* Every fence is a moment at which the unit might look: what is present must be whole. */
void memory_fence(void)
{
    for (unsigned u = 0; vtd_model_at(u) != NULL; u++) {
        const struct vtd_model *unit = vtd_model_at(u);
        if (unit->root == 0)
            continue;
        if (!coherent(unit)) {
            look_at_flushed_roots(unit);
            continue;
        }
        if (unit->scalable) {
            vtd_model_scalable_fence(unit);
            continue;
        }
        for (unsigned bus = 0; bus < VTD_TABLE_ENTRIES; bus++) {
            uint64_t root = vtd_model_memory(unit, unit->root + bus * 16);
            if ((root & VTD_ROOT_P) == 0)
                continue;
            for (unsigned n = 0; n < VTD_TABLE_ENTRIES; n++) {
                uint64_t entry = (root & VTD_ROOT_ADDRESS) + n * 16;
                uint64_t low = vtd_model_memory(unit, entry);
                uint64_t high = vtd_model_memory(unit, entry + 8);
                if ((low & VTD_CONTEXT_P) && vtd_model_context_is_garbage(unit, low, high))
                    vtd_model_violation("present context entry is garbage: %#llx %#llx",
                                        (unsigned long long)low, (unsigned long long)high);
            }
        }
    }
}

bool vtd_model_has_context(const struct vtd_model *unit, uint16_t source)
{
    if (unit->scalable)
        return vtd_model_scalable_has_context(unit, source);
    uint64_t root = vtd_model_memory(unit, unit->root + (source >> 8) * 16u);
    return (root & VTD_ROOT_P) != 0 &&
           (vtd_model_memory(unit, (root & VTD_ROOT_ADDRESS) + (source & 0xff) * 16u) &
            VTD_CONTEXT_P) != 0;
}

/* --- surroundings --- */

void vtd_model_x2apic(bool on)
{
    x2apic = on;
}

bool apic_is_x2apic(void)
{
    return x2apic;
}

void vtd_model_control_core(uint32_t apic_id)
{
    control_core.apic_id = apic_id;
}

struct cpu *cpu_at(unsigned index)
{
    return index == 0 ? &control_core : NULL;
}

void interrupt_register(uint8_t vector, void (*handler)(void *context), void *context)
{
    fault_vector = vector;
    fault_interrupt = handler;
    fault_context = context;
}

unsigned vtd_model_fault_interrupts(void)
{
    return fault_interrupts;
}

/* --- faults --- */

void vtd_model_fault(struct vtd_model *unit, uint16_t source, uint64_t information, uint8_t reason,
                     bool write)
{
    unsigned count = VTD_CAP_FAULT_COUNT(unit->cap);
    bool pending = (unit->fsts & VTD_FSTS_PFO) != 0;
    for (unsigned i = 0; i < count; i++)
        pending |= (unit->frcd[i][1] & VTD_FRCD_HIGH_F) != 0;
    if (unit->fsts & VTD_FSTS_PFO)
        return;
    uint64_t *record = unit->frcd[unit->next_record];
    if (record[1] & VTD_FRCD_HIGH_F) {
        unit->fsts |= VTD_FSTS_PFO;
        return;
    }
    if (!pending)
        unit->fsts = (unit->fsts & ~0xff00u) | unit->next_record << 8;
    record[0] = information;
    record[1] = source | (uint64_t)reason << 32 | (write ? 0 : VTD_FRCD_HIGH_READ) |
                (unit->pasid_rubbish ? UINT64_C(0xffff) << 40 : 0) | VTD_FRCD_HIGH_F;
    unit->next_record = (unit->next_record + 1) % count;
    if (pending || (unit->fectl & VTD_FECTL_IM))
        return;
    bool eim = (unit->irt & VTD_IRTA_EIME) != 0;
    uint32_t target = (unit->feaddr >> 12 & 0xff) | (eim ? unit->feuaddr & 0xffffff00u : 0);
    if (unit->feaddr >> 20 != 0xfee || (unit->feaddr & 0xfff) != 0 ||
        target != control_core.apic_id || unit->fedata != fault_vector)
        vtd_model_violation("fault event %#x %#x does not reach the control core", unit->feaddr,
                            unit->fedata);
    fault_interrupts++;
    if (fault_interrupt != NULL)
        fault_interrupt(fault_context);
}

static struct vtd_model_result blocked(struct vtd_model *unit, uint16_t source,
                                       uint64_t information, uint8_t reason, bool write,
                                       bool silent)
{
    if (!silent)
        vtd_model_fault(unit, source, information, reason, write);
    return (struct vtd_model_result){.allowed = false, .reason = reason};
}

/* --- DMA --- */

bool vtd_model_context_is_garbage(const struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned width = (unsigned)FIELD(high, 2, 0);
    uint32_t domain = (uint32_t)FIELD(high, 23, 8);
    return (low & BITS(11, 4)) != 0 || VTD_CONTEXT_TT(low) != 0 ||
           (low & VTD_CONTEXT_ADDRESS) == 0 || (high & (BITS(63, 24) | BIT(7))) != 0 || width > 3 ||
           (VTD_CAP_SAGAW(unit->cap) & BIT(width)) == 0 || domain == 0 ||
           domain >= (UINT32_C(1) << (4 + 2 * VTD_CAP_ND(unit->cap)));
}

/* Reads the entry of a source, through the cache. The reason it cannot be used, 0 for none. */
static uint8_t look_up_context(struct vtd_model *unit, uint16_t source, uint64_t *low,
                               uint64_t *high)
{
    *low = *high = 0;
    uint64_t root = vtd_model_memory(unit, unit->root + (uint64_t)(source >> 8) * 16);
    uint64_t entry = (root & VTD_ROOT_ADDRESS) + (uint64_t)(source & 0xff) * 16;
    if (root & VTD_ROOT_P) {
        *low = vtd_model_memory(unit, entry);
        *high = vtd_model_memory(unit, entry + 8);
    }
    uint64_t memory_low = *low, memory_high = *high;
    for (unsigned i = 0; i < MODEL_CACHE; i++) {
        if (unit->context_cache[i].valid && unit->context_cache[i].source == source) {
            *low = unit->context_cache[i].low;
            *high = unit->context_cache[i].high;
            if (*low != memory_low || *high != memory_high)
                vtd_model_violation("context entry of %#x was changed and not invalidated", source);
            return *low & VTD_CONTEXT_P ? 0 : 2;
        }
    }
    if ((root & VTD_ROOT_P) == 0 && !(unit->cap & VTD_CAP_CM))
        return 1;
    bool present = (*low & VTD_CONTEXT_P) != 0;
    if (present && vtd_model_context_is_garbage(unit, *low, *high)) {
        vtd_model_violation("context entry of %#x is garbage", source);
        return 3;
    }
    if (present || (unit->cap & VTD_CAP_CM)) {
        unsigned slot = unit->cache_next++ % MODEL_CACHE;
        unit->context_cache[slot].valid = true;
        unit->context_cache[slot].source = source;
        unit->context_cache[slot].domain = present ? (uint16_t)FIELD(*high, 23, 8) : 0;
        unit->context_cache[slot].low = *low;
        unit->context_cache[slot].high = *high;
    }
    return present ? 0 : root & VTD_ROOT_P ? 2 : 1;
}

#define SNOOPED 4u

static uint8_t walk(struct vtd_model *unit, uint64_t table, unsigned levels, uint64_t address,
                    uint64_t *physical, unsigned *rights)
{
    *rights = 3;
    for (unsigned level = levels; level > 0; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t entry = vtd_model_memory(unit, table + (address >> shift & 0x1ff) * 8);
        *rights &= (unsigned)entry & 3;
        if ((entry & 3) == 0)
            return 0;
        bool leaf = level == 1 || (entry & BIT(7)) != 0;
        uint64_t snoop = leaf && (unit->ecap & VTD_ECAP_SC) != 0 ? 0 : BIT(11);
        if ((entry & (snoop | BITS(63, 52))) != 0 ||
            (level > 1 && leaf && (level > 3 || !(VTD_CAP_SLLPS(unit->cap) & BIT(level - 2))))) {
            vtd_model_violation("second-level entry %#llx has reserved bits",
                                (unsigned long long)entry);
            return 0xc;
        }
        table = entry & BITS(51, 12);
        if (leaf) {
            table = ALIGN_DOWN(table, BIT(shift));
            if (table < VTD_INTERRUPT_RANGE_END && table + BIT(shift) > VTD_INTERRUPT_RANGE_BASE)
                return 0xe;
            *physical = table | (address & (BIT(shift) - 1));
            *rights |= entry & BIT(11) ? SNOOPED : 0;
            return 0;
        }
    }
    return 0;
}

struct vtd_model_result vtd_model_dma(struct vtd_model *unit, uint16_t source, uint64_t address,
                                      bool write)
{
    if ((unit->gsts & VTD_GLOBAL_TE) == 0)
        return (struct vtd_model_result){.allowed = true, .physical = address};
    uint64_t low, high, page = ALIGN_DOWN(address, PAGE_SIZE);
    uint8_t reason = unit->scalable ? vtd_model_scalable_look_up(unit, source, &low, &high)
                                    : look_up_context(unit, source, &low, &high);
    bool silent = (low & VTD_CONTEXT_FPD) != 0;
    if (reason != 0)
        return blocked(unit, source, page, reason, write, silent);
    uint16_t domain = (uint16_t)FIELD(high, 23, 8);
    unsigned levels = (unsigned)FIELD(high, 2, 0) + 2;
    if (address >> MIN(12 + 9 * levels, VTD_CAP_MGAW_BITS(unit->cap)) != 0)
        return blocked(unit, source, page, 4, write, silent);
    unsigned rights = 0;
    uint64_t physical = 0;
    unsigned slot = 0;
    while (slot < MODEL_CACHE &&
           !(unit->iotlb_cache[slot].valid && unit->iotlb_cache[slot].domain == domain &&
             unit->iotlb_cache[slot].page == page))
        slot++;
    if (slot == MODEL_CACHE) {
        reason = walk(unit, low & VTD_CONTEXT_ADDRESS, levels, page, &physical, &rights);
        if (reason != 0)
            return blocked(unit, source, page, reason, write, silent);
        if (rights != 0 || (unit->cap & VTD_CAP_CM)) {
            slot = unit->cache_next++ % MODEL_CACHE;
            unit->iotlb_cache[slot].valid = true;
            unit->iotlb_cache[slot].domain = domain;
            unit->iotlb_cache[slot].page = page;
            unit->iotlb_cache[slot].physical = physical;
            unit->iotlb_cache[slot].rights = rights;
        }
    } else {
        rights = unit->iotlb_cache[slot].rights;
        physical = unit->iotlb_cache[slot].physical;
    }
    if ((rights & (write ? 2u : 1u)) == 0)
        return blocked(unit, source, page, write ? 5 : 6, write, silent);
    return (struct vtd_model_result){.allowed = true,
                                     .physical = physical | (address & 0xfff),
                                     .snooped = (rights & SNOOPED) != 0};
}

/* --- interrupts --- */

struct vtd_model_result vtd_model_interrupt(struct vtd_model *unit, uint16_t source,
                                            uint32_t address, uint32_t data)
{
    struct vtd_model_result delivered = {
        .allowed = true, .vector = (uint8_t)data, .destination = address >> 12 & 0xff};
    if ((unit->gsts & VTD_GLOBAL_IRE) == 0)
        return delivered;
    if ((address & VTD_MSI_REMAPPABLE) == 0) {
        if ((unit->gsts & VTD_GLOBAL_CFI) && !(unit->irt & VTD_IRTA_EIME))
            return delivered;
        return blocked(unit, source, 0, 0x25, true, false);
    }
    uint32_t index = (address >> 5 & 0x7fff) | (address >> 2 & 1) << 15;
    if (address & 8)
        index += data & 0xffff;
    uint64_t information = (uint64_t)index << 48;
    if (index >= VTD_IRTA_ENTRIES(unit->irt))
        return blocked(unit, source, information, 0x21, true, false);
    uint64_t entry = (unit->irt & VTD_IRTA_MASK) + (uint64_t)index * 16;
    uint64_t low = vtd_model_memory(unit, entry);
    uint64_t high = vtd_model_memory(unit, entry + 8);
    unsigned slot = 0;
    while (slot < MODEL_CACHE &&
           !(unit->interrupt_cache[slot].valid && unit->interrupt_cache[slot].index == index))
        slot++;
    if (slot < MODEL_CACHE) {
        if (low != unit->interrupt_cache[slot].low || high != unit->interrupt_cache[slot].high)
            vtd_model_violation("interrupt entry %u was changed and not invalidated", index);
        low = unit->interrupt_cache[slot].low;
        high = unit->interrupt_cache[slot].high;
    } else if ((low & VTD_IRTE_P) || (unit->cap & VTD_CAP_CM)) {
        slot = unit->cache_next++ % MODEL_CACHE;
        unit->interrupt_cache[slot].valid = true;
        unit->interrupt_cache[slot].index = index;
        unit->interrupt_cache[slot].low = low;
        unit->interrupt_cache[slot].high = high;
    }
    if ((low & VTD_IRTE_P) == 0)
        return blocked(unit, source, information, 0x22, true, false);
    bool eim = (unit->irt & VTD_IRTA_EIME) != 0;
    if ((low & (BITS(14, 12) | BITS(31, 24))) != 0 || (high & BITS(63, 20)) != 0 ||
        (!eim && (low & (BITS(63, 48) | BITS(39, 32))) != 0)) {
        vtd_model_violation("interrupt entry %u has reserved bits", index);
        return blocked(unit, source, information, 0x24, true, false);
    }
    if (VTD_IRTE_SVT(high) != 1 || VTD_IRTE_SQ(high) != 0)
        vtd_model_violation("interrupt entry %u does not verify its source: SVT is %u, SQ is %u",
                            index, VTD_IRTE_SVT(high), VTD_IRTE_SQ(high));
    if (VTD_IRTE_SVT(high) != 0 && VTD_IRTE_SID(high) != source)
        return blocked(unit, source, information, 0x26, true, false);
    delivered.vector = VTD_IRTE_VECTOR(low);
    delivered.destination = eim ? VTD_IRTE_DST(low) : VTD_IRTE_DST(low) >> 8;
    return delivered;
}
