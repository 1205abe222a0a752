/* SPDX-License-Identifier: MIT */
/* PVH start_info (Xen public headers, arch-x86/hvm/start_info.h, version 1), and what it and the
 * Linux boot parameters have in common. */
#include "guest/start/tables_internal.h"

#include "hypervisor/base/string.h"

#define START_INFO_MAGIC 0x336ec578u

struct start_info {
    uint32_t magic;            /* 0x00 */
    uint32_t version;          /* 0x04 */
    uint32_t flags;            /* 0x08 */
    uint32_t module_count;     /* 0x0c */
    uint64_t modules;          /* 0x10 */
    uint64_t command_line;     /* 0x18 */
    uint64_t rsdp;             /* 0x20 */
    uint64_t memory_map;       /* 0x28 */
    uint32_t memory_map_count; /* 0x30 */
    uint32_t reserved;         /* 0x34 */
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info version 1");

struct memory_map_entry {
    uint64_t base;     /* 0x00 */
    uint64_t size;     /* 0x08 */
    uint32_t type;     /* 0x10: E820 numbers */
    uint32_t reserved; /* 0x14 */
};
_Static_assert(sizeof(struct memory_map_entry) == 24, "hvm_memmap_table_entry");

void *table_take_aligned(struct table_area *area, size_t size, size_t alignment, uint64_t *address)
{
    size_t start = ALIGN_UP(area->used, alignment);
    if (start > area->size || size > area->size - start)
        return NULL;
    area->used = start + size;
    *address = GUEST_TABLES_BASE + start;
    return area->bytes + start;
}

void *table_take(struct table_area *area, size_t size, uint64_t *address)
{
    return table_take_aligned(area, size, 16, address);
}

static uint64_t write_start_info(struct table_area *area, const struct tables_common *common)
{
    uint64_t info_address = 0, map_address = 0;
    struct start_info *info = table_take(area, sizeof *info, &info_address);
    struct memory_map_entry *entries =
        table_take(area, common->range_count * sizeof *entries, &map_address);
    if (info == NULL || entries == NULL)
        return 0;
    for (size_t i = 0; i < common->range_count; i++)
        entries[i] = (struct memory_map_entry){common->ranges[i].base, common->ranges[i].size,
                                               common->ranges[i].type, 0};
    *info = (struct start_info){
        .magic = START_INFO_MAGIC,
        .version = 1,
        .command_line = common->command_line,
        .rsdp = common->rsdp,
        .memory_map = map_address,
        .memory_map_count = common->range_count,
    };
    return info_address;
}

enum status guest_tables_write(uint8_t *area_bytes, size_t size,
                               const struct guest_tables_input *input,
                               struct guest_tables_output *output)
{
    struct table_area area = {area_bytes, size, 0};
    struct tables_common common = {
        .ranges = {{0, GUEST_TABLES_BASE, E820_RAM},
                   {GUEST_TABLES_BASE, GUEST_TABLES_END - GUEST_TABLES_BASE, E820_ACPI},
                   {GUEST_TABLES_END, input->memory_size - GUEST_TABLES_END, E820_RAM},
                   {input->ecam_base, GUEST_ECAM_SIZE, E820_RESERVED},
                   {GUEST_HIGH_BASE, input->high_size, E820_RAM}},
        .range_count = input->high_size != 0 ? TABLES_RANGES : TABLES_RANGES - 1,
    };
    *output = (struct guest_tables_output){0};
    if (input->command_line != NULL) {
        size_t length = strlen(input->command_line) + 1;
        char *line = table_take(&area, length, &common.command_line);
        if (line == NULL)
            return STATUS_FULL;
        memcpy(line, input->command_line, length);
    }
    common.rsdp = tables_write_acpi(&area, input);
    if (common.rsdp == 0)
        return STATUS_FULL;
    uint64_t start =
        input->linux_boot != NULL  ? tables_write_linux(&area, input->linux_boot, &common, output)
        : input->multiboot != NULL ? tables_write_multiboot(&area, input->multiboot, &common)
                                   : write_start_info(&area, &common);
    output->start_info = (uint32_t)start;
    return start != 0 ? STATUS_OK : STATUS_FULL;
}
