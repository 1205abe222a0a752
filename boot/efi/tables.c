/* SPDX-License-Identifier: MIT */
#include "boot/efi/efi.h"
#include "boot/paging.h"

#define POOL_PAGES 64

struct page_pool {
    UINT64 next, end;
};

static uint64_t pool_page(void *context)
{
    struct page_pool *pool = context;
    if (pool->next == pool->end) {
        pool->next = memory_allocate(POOL_PAGES, GIB(4), BOOT_MEMORY_LOADER);
        pool->end = pool->next == 0 ? 0 : pool->next + POOL_PAGES * PAGE_SIZE;
        if (pool->next == 0)
            return 0;
    }
    pool->next += PAGE_SIZE;
    return pool->next - PAGE_SIZE;
}

static uint64_t rights_of(const struct elf_segment *segment)
{
    if (segment->executable)
        return PAGING_RX;
    return segment->writable ? PAGING_RW : PAGING_R;
}

static bool map_everything(struct paging *paging, const struct boot_info *info,
                           const struct elf_image *image, UINT64 jump)
{
    if (!paging_map_identity(paging, 0, GIB(4)))
        return false;
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct boot_memory_range *range = &info->ranges[i];
        uint64_t end = MIN(range->base + range->size, PAGING_IDENTITY_LIMIT);
        uint64_t base = MAX(range->base, GIB(4));
        if (end > base && !paging_map_identity(paging, base, end - base))
            return false;
    }
    uint64_t screen = info->framebuffer.base;
    uint64_t bytes = (uint64_t)info->framebuffer.stride * info->framebuffer.height;
    if (screen < PAGING_IDENTITY_LIMIT && bytes <= PAGING_IDENTITY_LIMIT - screen && bytes != 0 &&
        !paging_map_identity(paging, screen, bytes))
        return false;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if (!paging_map(paging, segment->virtual,
                        info->image_base + (segment->virtual - image->base),
                        ALIGN_UP(segment->memory_size, PAGE_SIZE), rights_of(segment)))
            return false;
    }
    return paging_map(paging, jump, jump, PAGE_SIZE, PAGING_RX);
}

EFI_STATUS tables_build(const struct boot_info *info, const struct elf_image *image, UINT64 jump,
                        UINT64 *root)
{
    struct page_pool pool = {0};
    struct paging paging = {
        .gigabyte_pages = paging_has_gigabyte_pages(), .page = pool_page, .context = &pool};
    paging.root = pool_page(&pool);
    if (paging.root == 0 || !map_everything(&paging, info, image, jump))
        return refuse(EFI_OUT_OF_RESOURCES, "no memory for page tables below 4G");
    *root = paging.root;
    return EFI_SUCCESS;
}
