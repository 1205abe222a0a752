/* SPDX-License-Identifier: MIT */
/* Building the hypervisor's own address space. */
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space_internal.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/x86/registers.h"

#define OWN_PAGES_END           GIB(4) /* pages.h */
#define CPUID_EXTENDED          0x80000000u
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define FEATURES_EDX_1G         BIT(26)
#define CPUID_ADDRESS_SIZES     0x80000008u

/* Where the linker put the image (linker.ld); first what runs only at boot. */
extern const char image_start[], image_boot_text_end[];
extern const char image_boot_rodata_start[], image_boot_rodata_end[];
extern const char image_boot_data_start[], image_boot_data_end[];
extern const char image_text_start[], image_text_end[];
extern const char image_rodata_start[], image_rodata_end[];
extern const char image_data_start[], image_data_end[];
extern const char boot_stack_guard[];

static enum status map_image(const struct boot_info *boot)
{
    const struct {
        const char *start, *end;
        unsigned rights;
    } parts[] = {
        {image_start, image_boot_text_end, PAGE_READ | PAGE_EXECUTE},
        {image_boot_rodata_start, image_boot_rodata_end, PAGE_READ},
        {image_boot_data_start, image_boot_data_end, PAGE_READ | PAGE_WRITE},
        {image_text_start, image_text_end, PAGE_READ | PAGE_EXECUTE},
        {image_rodata_start, image_rodata_end, PAGE_READ},
        {image_data_start, boot_stack_guard, PAGE_READ | PAGE_WRITE},
        {boot_stack_guard + PAGE_SIZE, image_data_end, PAGE_READ | PAGE_WRITE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint64_t start = (uintptr_t)parts[i].start;
        uint64_t size = ALIGN_UP((uintptr_t)parts[i].end - start, PAGE_SIZE);
        uint64_t physical = start - (uintptr_t)image_start + boot->image_base;
        enum status status = address_space_map(start, physical, size, parts[i].rights);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The tables that hold an address's entry for 2 MiB. Unmapping keeps them. */
static enum status create_tables(uint64_t address)
{
    enum status status = address_space_map(address, 0, PAGE_2M, PAGE_READ);
    if (status == STATUS_BUSY) /* a chunk of the hypervisor's own pages */
        return STATUS_OK;
    return status == STATUS_OK ? page_table_unmap(&address_space.shared, input_of(address), PAGE_2M)
                               : status;
}

/* The top-level entries of all shared regions, and the lower tables that the direct map needs so
 * that it can grow without taking a page. */
static enum status create_regions(void)
{
    static const uint64_t regions[] = {0, DEVICE_MAP_BASE, STACK_MAP_BASE};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < ARRAY_SIZE(regions) && status == STATUS_OK; i++)
        status = create_tables(regions[i]);
    for (uint64_t at = 0; at < OWN_PAGES_END && status == STATUS_OK; at += PAGE_1G)
        status = create_tables(DIRECT_MAP_BASE + at);
    for (size_t i = 0; status == STATUS_OK && pages_chunk(i) != 0; i++) {
        struct page_walk walk;
        page_table_walk(&address_space.shared, input_of(DIRECT_MAP_BASE) + pages_chunk(i), &walk);
        if (!walk.present)
            status = direct_map_add(pages_chunk(i), PAGE_2M);
    }
    return status;
}

static unsigned largest_leaf(void)
{
    return cpuid(CPUID_EXTENDED, 0).eax >= CPUID_EXTENDED_FEATURES &&
                   (cpuid(CPUID_EXTENDED_FEATURES, 0).edx & FEATURES_EDX_1G) != 0
               ? LARGE_LEAF + 1
               : LARGE_LEAF;
}

/* Firmware may have chosen 5 levels, which 64-bit mode cannot leave: one more table on top then. */
static uint64_t create_top(void)
{
    if ((cr4_read() & CR4_LA57) == 0)
        return physical_address(address_space.shared.root);
    uint64_t *top = pages_allocate(1);
    if (top == NULL)
        return 0;
    top[0] = address_space.shared.format->table(physical_address(address_space.shared.root));
    top[511] = top[0];
    return physical_address(top);
}

unsigned physical_address_bits(void)
{
    bool known = cpuid(CPUID_EXTENDED, 0).eax >= CPUID_ADDRESS_SIZES;
    return known ? cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff : 36;
}

enum status address_space_init(const struct boot_info *boot)
{
    uint64_t size = (uintptr_t)image_data_end - (uintptr_t)image_start;
    enum status status = pages_init(boot->image_base, (uintptr_t)image_start, size);
    if (status == STATUS_OK)
        status =
            page_table_create(&address_space.shared, &page_format_host, LEVELS, LARGE_LEAF, false);
    address_space.window_leaf = largest_leaf();
    unsigned bits = physical_address_bits();
    address_space.physical_end = BIT(MIN(bits, 52u));
    if (status == STATUS_OK)
        status = create_regions();
    if (status == STATUS_OK)
        status = map_image(boot);
    uint64_t cr3 = status == STATUS_OK ? create_top() : 0;
    if (cr3 == 0) {
        log_event("memory.refused",
                  "status=%s image=0x%lx message=\"no tables for the hypervisor's own address "
                  "space: 2 MiB of usable memory below 4 GiB are needed\"",
                  status_name(status), boot->image_base);
        return status == STATUS_OK ? STATUS_NO_MEMORY : status;
    }
    /* Global entries of the loader's or firmware's tables must not survive the switch. */
    cr4_write(cr4_read() & ~CR4_PGE);
    cr3_write(cr3);
    uint64_t root = physical_address(address_space.shared.root);
    pages_use_direct_map();
    address_space.shared.root = virtual_address(root);
    address_space.cores[0] = (struct core_space){.cr3 = cr3, .top = address_space.shared.root};
    return STATUS_OK;
}

uint64_t address_space_create_core(unsigned core)
{
    if (core == 0 || core >= CPU_MAX || address_space.shared.root == NULL)
        return 0;
    if (address_space.cores[core].top == NULL) {
        uint64_t *top = pages_allocate(1);
        if (top == NULL)
            return 0;
        memcpy(top, address_space.shared.root, PAGE_SIZE);
        top[top_index(WINDOW_BASE)] = 0;
        address_space.cores[core] = (struct core_space){.cr3 = physical_address(top), .top = top};
    }
    return address_space.cores[core].cr3;
}

size_t address_space_window_pages(void)
{
    size_t pages = 0;
    for (unsigned i = 0; i < CPU_MAX; i++)
        pages += address_space.cores[i].window.table_pages;
    return pages;
}

enum status trampoline_map(uint64_t physical)
{
    if (physical >= MIB(1))
        return STATUS_INVALID;
    lock_take(&address_space.lock);
    enum status status = address_space_map(physical, physical, PAGE_SIZE, PAGE_READ | PAGE_EXECUTE);
    address_space.trampoline = physical;
    lock_give(&address_space.lock);
    return status;
}

void trampoline_unmap(uint64_t physical)
{
    if (physical < MIB(1))
        address_space_unmap(physical, PAGE_SIZE);
    address_space.trampoline = UINT64_MAX;
}

uintptr_t stack_create(size_t pages)
{
    void *memory = pages_allocate(pages);
    if (memory == NULL)
        return 0;
    lock_take(&address_space.lock);
    uint64_t bottom = address_space.next_stack + PAGE_SIZE;
    uint64_t top = bottom + pages * PAGE_SIZE;
    enum status status = STATUS_FULL;
    if (top + PAGE_SIZE <= STACK_MAP_BASE + REGION_SIZE) {
        address_space.next_stack = top;
        status = address_space_map(bottom, physical_address(memory), pages * PAGE_SIZE,
                                   PAGE_READ | PAGE_WRITE);
    }
    lock_give(&address_space.lock);
    /* On failure the pages stay taken: a part of them may be mapped. */
    return status == STATUS_OK ? top : 0;
}
