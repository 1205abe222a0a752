/* SPDX-License-Identifier: MIT */
#include "boot/multiboot2/convert.h"
#include "boot/multiboot2/tags.h"
#include "boot/paging.h"
#include "boot/ranges.h"
#include "hypervisor/base/string.h"

extern uint8_t image_start[], image_end[];

#define INFORMATION_LIMIT MIB(1)
#define EBDA_SEGMENT      0x40e /* real-mode segment of the extended BIOS data area */

static struct boot_info boot_info __attribute__((aligned(4096)));

/* RSDP by search: first KiB of the EBDA, then the BIOS area, at multiples of 16 (ACPI 5.2.5.1). */
static uint64_t find_rsdp(uint64_t base, uint64_t size)
{
    for (uint64_t address = ALIGN_UP(base, UINT64_C(16)); address + 20 <= base + size;
         address += 16) {
        const uint8_t *bytes = (const uint8_t *)(uintptr_t)address;
        uint8_t sum = 0;
        if (memcmp(bytes, "RSD PTR ", 8) != 0)
            continue;
        for (unsigned i = 0; i < 20; i++)
            sum = (uint8_t)(sum + bytes[i]);
        if (sum == 0)
            return address;
    }
    return 0;
}

static uint64_t search_rsdp(void)
{
    uintptr_t place = EBDA_SEGMENT;
    __asm__("" : "+r"(place)); /* low memory is real here, whatever the compiler thinks of it */
    uint16_t segment;
    memcpy(&segment, (const void *)place, sizeof segment);
    uint64_t ebda = (uint64_t)segment << 4;
    uint64_t found = 0;
    if (ebda >= KIB(512) && ebda < KIB(640))
        found = find_rsdp(ebda, KIB(1));
    return found != 0 ? found : find_rsdp(0xe0000, KIB(128));
}

struct page_pool {
    uint64_t next, end;
};

static uint64_t pool_page(void *context)
{
    struct page_pool *pool = context;
    if (pool->next == pool->end)
        return 0;
    uint64_t page = pool->next;
    pool->next += PAGE_SIZE;
    memset((void *)(uintptr_t)page, 0, PAGE_SIZE);
    return page;
}

/* The part of range `i` that lies above 4 GiB; the framebuffer counts as one behind the last. */
static bool high_part(const struct boot_info *info, uint32_t i, uint64_t *base, uint64_t *end)
{
    const struct boot_framebuffer *screen = &info->framebuffer;
    bool memory = i < info->range_count;
    uint64_t first = memory ? info->ranges[i].base : screen->base;
    uint64_t size = memory ? info->ranges[i].size : (uint64_t)screen->stride * screen->height;
    if (size > UINT64_MAX - first)
        return false;
    *end = MIN(first + size, PAGING_IDENTITY_LIMIT);
    *base = MAX(first, GIB(4));
    return *end > *base;
}

/* Enough tables for every range above 4 GiB: a directory for each GiB that it touches when there
 * are not 1 GiB pages, and a page directory pointer table for each 512 GiB. */
static uint64_t tables_size(const struct boot_info *info, bool gigabyte_pages)
{
    uint64_t pages = 0;
    for (uint32_t i = 0; i <= info->range_count; i++) {
        uint64_t base, end;
        if (!high_part(info, i, &base, &end))
            continue;
        pages += (end >> 39) - (base >> 39) + 1;
        if (!gigabyte_pages)
            pages += (end >> 30) - (base >> 30) + 1;
    }
    return pages * PAGE_SIZE;
}

/* Maps what lies above 4 GiB; the entry code has mapped the rest. */
static bool map_high_memory(struct boot_info *info, struct range_list *ranges, uint64_t root)
{
    struct paging paging = {.root = root, .gigabyte_pages = paging_has_gigabyte_pages()};
    uint64_t size = tables_size(info, paging.gigabyte_pages);
    if (size == 0)
        return true;
    struct page_pool pool = {.next = ranges_take(ranges, size, PAGE_SIZE, GIB(4))};
    info->range_count = ranges->count;
    if (pool.next == 0)
        return false;
    pool.end = pool.next + size;
    paging.page = pool_page;
    paging.context = &pool;
    for (uint32_t i = 0; i <= info->range_count; i++) {
        uint64_t base, end;
        if (high_part(info, i, &base, &end) && !paging_map_identity(&paging, base, end - base))
            return false;
    }
    return true;
}

uint64_t multiboot2_convert(uint64_t information, uint64_t image_base, uint64_t root)
{
    struct boot_info *info = &boot_info;
    const struct multiboot2_information *header =
        (const struct multiboot2_information *)(uintptr_t)information;
    memset(info, 0, sizeof *info);
    info->magic = BOOT_INFO_MAGIC;
    info->size = sizeof *info;
    text_copy(info->loader, sizeof info->loader, "multiboot2");
    info->image_base = image_base;
    info->image_size = (uint64_t)(image_end - image_start);
    multiboot2_read(header, (size_t)MIN((uint64_t)header->total_size, INFORMATION_LIMIT),
                    information, info);
    if (info->rsdp == 0)
        info->rsdp = search_rsdp();

    struct range_list ranges = {
        .ranges = info->ranges, .capacity = BOOT_MAX_RANGES, .count = info->range_count};
    if (!map_high_memory(info, &ranges, root)) {
        ranges_set(&ranges, GIB(4), UINT64_MAX - GIB(4), BOOT_MEMORY_RESERVED);
        info->range_count = ranges.count;
        if (info->message[0] == '\0')
            text_copy(info->message, sizeof info->message,
                      "multiboot2: no memory for page tables; memory above 4G is not used");
    }
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    info->entry_tsc = (uint64_t)high << 32 | low;
    return image_base + (uint64_t)((uint8_t *)info - image_start);
}
