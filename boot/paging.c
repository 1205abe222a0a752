/* SPDX-License-Identifier: MIT */
#include "boot/paging.h"

#define ENTRIES      512
#define CR4_LEVELS_5 BIT(12)

static uint32_t extended_features(void)
{
    uint32_t eax = 0x80000000, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (eax < 0x80000001)
        return 0;
    eax = 0x80000001;
    ecx = 0;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return edx;
}

bool paging_has_gigabyte_pages(void)
{
    return (extended_features() & BIT(26)) != 0;
}

bool paging_has_nx(void)
{
    return (extended_features() & BIT(20)) != 0;
}

bool paging_maps_to_itself(uint64_t root, unsigned levels, uint64_t address)
{
    uint64_t table = root & PAGING_ADDRESS;
    if (address >= PAGING_IDENTITY_LIMIT)
        return false;
    for (unsigned shift = PAGE_SHIFT + 9 * (levels - 1);; shift -= 9) {
        const uint64_t *entries = (const uint64_t *)(uintptr_t)table;
        uint64_t entry = entries[(address >> shift) & (ENTRIES - 1)];
        if ((entry & PAGING_PRESENT) == 0)
            return false;
        table = entry & PAGING_ADDRESS;
        if (shift == PAGE_SHIFT || ((entry & PAGING_LARGE) != 0 && shift <= 30))
            return table >> shift == address >> shift;
    }
}

bool paging_reaches(uint64_t address)
{
    uint64_t root, control;
    __asm__ volatile("mov %%cr3, %0" : "=r"(root));
    __asm__ volatile("mov %%cr4, %0" : "=r"(control));
    return paging_maps_to_itself(root, (control & CR4_LEVELS_5) != 0 ? 5 : 4, address);
}

static uint64_t *entry_of(uint64_t table, uint64_t virtual, unsigned shift)
{
    return (uint64_t *)(uintptr_t)table + ((virtual >> shift) & (ENTRIES - 1));
}

/* The table below an entry at the level of `shift`; a large page there is split, an empty entry
 * gets an empty table. 0: no page. */
static uint64_t descend(struct paging *paging, uint64_t *entry, unsigned shift)
{
    if ((*entry & PAGING_PRESENT) != 0 && (*entry & PAGING_LARGE) == 0)
        return *entry & PAGING_ADDRESS;
    uint64_t table = paging->page(paging->context);
    if (table == 0)
        return 0;
    if ((*entry & PAGING_PRESENT) != 0) {
        uint64_t part = *entry;
        unsigned below = shift - 9;
        if (below == PAGE_SHIFT)
            part &= ~PAGING_LARGE;
        for (uint64_t i = 0; i < ENTRIES; i++)
            ((uint64_t *)(uintptr_t)table)[i] = part + (i << below);
    }
    /* Rights are those of the last level. */
    *entry = table | PAGING_PRESENT | PAGING_WRITE;
    return table;
}

/* The entry that maps `virtual` with pages of 1 << size_shift bytes, or NULL. */
static uint64_t *walk(struct paging *paging, uint64_t virtual, unsigned size_shift)
{
    uint64_t table = paging->root;
    for (unsigned shift = 39; shift > size_shift; shift -= 9) {
        table = descend(paging, entry_of(table, virtual, shift), shift);
        if (table == 0)
            return NULL;
    }
    return entry_of(table, virtual, size_shift);
}

bool paging_map(struct paging *paging, uint64_t virtual, uint64_t physical, uint64_t size,
                uint64_t rights)
{
    for (uint64_t done = 0; done < size; done += PAGE_SIZE) {
        uint64_t *entry = walk(paging, virtual + done, PAGE_SHIFT);
        if (entry == NULL)
            return false;
        *entry = (physical + done) | rights;
    }
    return true;
}

bool paging_map_identity(struct paging *paging, uint64_t base, uint64_t size)
{
    unsigned shift = paging->gigabyte_pages ? 30 : 21;
    uint64_t step = UINT64_C(1) << shift;
    uint64_t end = base + size;
    for (uint64_t address = ALIGN_DOWN(base, step); address < end; address += step) {
        uint64_t *entry = walk(paging, address, shift);
        if (entry == NULL)
            return false;
        if (*entry == 0)
            *entry = address | PAGING_RW | PAGING_LARGE;
    }
    return true;
}
