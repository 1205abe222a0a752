/* SPDX-License-Identifier: MIT */
/* What a processor makes of EPT entries (SDM 3C 29.3.2 and 29.3.3), written apart from the engine
 * that is checked. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/support/host.h"

/* What a walker sees that does not snoop caches: a line as it was when it was flushed. */
static struct {
    const uint64_t *page;
    uint64_t word[512];
} flushed[16];

static inline uint64_t *flushed_word(const uint64_t *word)
{
    const uint64_t *page = (const uint64_t *)ALIGN_DOWN((uintptr_t)word, PAGE_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(flushed); i++) {
        if (flushed[i].page == NULL)
            flushed[i].page = page;
        if (flushed[i].page == page)
            return &flushed[i].word[word - page];
    }
    return NULL;
}

void cache_flush_range(const volatile void *address, size_t size)
{
    uintptr_t end = (uintptr_t)address + size;
    for (uintptr_t at = ALIGN_DOWN((uintptr_t)address, 64); at < end; at += sizeof(uint64_t)) {
        uint64_t *word = flushed_word((const uint64_t *)at);
        if (word != NULL)
            *word = *(const uint64_t *)at;
    }
}

struct ept_answer {
    bool mapped;
    uint64_t physical, page_size;
    unsigned rights; /* 1 read, 2 write, 4 execute */
    unsigned type;   /* of memory: 0 uncacheable, 6 write-back */
};

/* Why an entry is an EPT misconfiguration, NULL when it is none (29.3.3.1). */
static inline const char *misconfigured(uint64_t entry, unsigned level)
{
    bool page = level == 1 || (level <= 3 && (entry >> 7 & 1) != 0);
    if ((entry & 7) == 0)
        return NULL; /* not present; the rest is ignored */
    if ((entry & 3) == 2)
        return "bit 1 (write) is set and bit 0 (read) is clear";
    if (level == 4 && (entry & 0xf8) != 0)
        return "bits 7:3 of a level-4 entry are reserved";
    if (level < 4 && level > 1 && !page && (entry & 0x78) != 0)
        return "bits 6:3 of an entry that points at a table are reserved; the memory type belongs "
               "to the page";
    unsigned type = entry >> 3 & 7;
    if (page && (type == 2 || type == 3 || type == 7))
        return "bits 5:3 are a memory type that does not exist (2, 3 or 7)";
    if (page && level > 1 &&
        (entry & ((UINT64_C(1) << (12 + 9 * (level - 1))) - 1) & ~UINT64_C(0xfff)) != 0)
        return "address bits below the page's size are set in the entry of a large page";
    return NULL;
}

static inline struct ept_answer ept_walk(const struct page_table *table, uint64_t address)
{
    const uint64_t *page = table->root;
    unsigned rights = 7;
    for (unsigned level = table->levels; level >= 1; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t entry = page[address >> shift & 511];
        const char *why = misconfigured(entry, level);
        expect(why == NULL, "EPT misconfiguration at %#llx, level %u, entry %#llx: %s",
               (unsigned long long)address, level, (unsigned long long)entry, why);
        if ((entry & 7) == 0)
            break;
        rights &= entry & 7;
        if (level == 1 || (level <= 3 && (entry >> 7 & 1) != 0)) {
            uint64_t size = UINT64_C(1) << shift;
            return (struct ept_answer){
                true, (entry & 0xffffffffff000 & ~(size - 1)) | (address & (size - 1)), size,
                rights, entry >> 3 & 7};
        }
        page = virtual_address(entry & 0xffffffffff000);
        expect(page != NULL,
               "the level-%u entry %#llx at %#llx points outside the hypervisor's tables", level,
               (unsigned long long)entry, (unsigned long long)address);
    }
    return (struct ept_answer){0};
}
