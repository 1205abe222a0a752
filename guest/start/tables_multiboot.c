/* SPDX-License-Identifier: MIT */
/* The information structure of the Multiboot Specification 0.6.96 (3.3). */
#include "guest/start/tables_internal.h"

#include "hypervisor/base/string.h"

#define INFO_MEMORY       BIT(0)
#define INFO_COMMAND_LINE BIT(2)
#define INFO_MODULES      BIT(3)
#define INFO_MEMORY_MAP   BIT(6)
#define INFO_LOADER_NAME  BIT(9)
#define LOWER_KIB         640u

struct multiboot_info {
    uint32_t flags;              /* 0x00 */
    uint32_t memory_lower;       /* 0x04: KiB from 0 */
    uint32_t memory_upper;       /* 0x08: KiB from 1 MiB to the first hole */
    uint32_t boot_device;        /* 0x0c */
    uint32_t command_line;       /* 0x10 */
    uint32_t module_count;       /* 0x14 */
    uint32_t modules;            /* 0x18 */
    uint32_t symbols[4];         /* 0x1c */
    uint32_t memory_map_length;  /* 0x2c: bytes */
    uint32_t memory_map;         /* 0x30 */
    uint32_t drives_length;      /* 0x34 */
    uint32_t drives;             /* 0x38 */
    uint32_t configuration;      /* 0x3c */
    uint32_t loader_name;        /* 0x40 */
    uint32_t apm;                /* 0x44 */
    uint32_t unused_video[0x0b]; /* 0x48 */
} PACKED;
_Static_assert(offsetof(struct multiboot_info, memory_map_length) == 0x2c, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot_info, loader_name) == 0x40, "Multiboot 3.3");
_Static_assert(sizeof(struct multiboot_info) == 0x74, "Multiboot 3.3");

struct multiboot_module {
    uint32_t start, end; /* 0x00 */
    uint32_t string;     /* 0x08 */
    uint32_t reserved;   /* 0x0c */
} PACKED;
_Static_assert(sizeof(struct multiboot_module) == 16, "Multiboot 3.3");

struct multiboot_range {
    uint32_t size; /* 0x00: of what follows */
    uint64_t base; /* 0x04 */
    uint64_t length;
    uint32_t type; /* 0x14: E820 numbers */
} PACKED;
_Static_assert(sizeof(struct multiboot_range) == 24, "Multiboot 3.3");

/* The address of a copy; 0 when the area is too small. */
static uint32_t write_text(struct table_area *area, const char *text)
{
    uint64_t address;
    size_t size = strlen(text) + 1;
    char *copy = table_take(area, size, &address);
    if (copy == NULL)
        return 0;
    memcpy(copy, text, size);
    return (uint32_t)address;
}

static bool write_module(struct table_area *area, const struct guest_multiboot *boot,
                         struct multiboot_info *info)
{
    uint64_t address;
    struct multiboot_module *module = table_take(area, sizeof *module, &address);
    if (module == NULL)
        return false;
    *module = (struct multiboot_module){.start = (uint32_t)boot->module_base,
                                        .end = (uint32_t)(boot->module_base + boot->module_size),
                                        .string = write_text(area, boot->module_name)};
    info->module_count = 1;
    info->modules = (uint32_t)address;
    return module->string != 0;
}

uint64_t tables_write_multiboot(struct table_area *area, const struct guest_multiboot *boot,
                                const struct tables_common *common)
{
    uint64_t info_address, map_address;
    struct multiboot_info *info = table_take(area, sizeof *info, &info_address);
    const uint32_t map_size = common->range_count * (uint32_t)sizeof(struct multiboot_range);
    struct multiboot_range *map = table_take(area, map_size, &map_address);
    uint32_t loader = write_text(area, "Bulkhead");
    if (info == NULL || map == NULL || loader == 0)
        return 0;
    *info = (struct multiboot_info){
        .flags =
            INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME,
        .memory_lower = LOWER_KIB,
        .command_line = (uint32_t)common->command_line,
        .memory_map_length = map_size,
        .memory_map = (uint32_t)map_address,
        .loader_name = loader,
    };
    for (unsigned i = 0; i < common->range_count; i++) {
        map[i] =
            (struct multiboot_range){sizeof map[i] - sizeof map[i].size, common->ranges[i].base,
                                     common->ranges[i].size, common->ranges[i].type};
        if (common->ranges[i].type == E820_RAM && common->ranges[i].base == MIB(1))
            info->memory_upper = (uint32_t)(common->ranges[i].size / KIB(1));
    }
    return boot->module_size == 0 || write_module(area, boot, info) ? info_address : 0;
}
