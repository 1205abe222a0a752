/* SPDX-License-Identifier: MIT */
/* Boot parameters, page tables and GDT for the 64-bit entry of Linux (The Linux/x86 Boot Protocol,
 * "64-bit boot protocol"; offsets of "zero-page.rst"). */
#include "guest/start/tables_internal.h"

#include "hypervisor/base/string.h"
#include "guest/start/image.h"

#define LOADER_UNDEFINED 0xff
#define ENTRY_PRESENT    BIT(0)
#define ENTRY_WRITE      BIT(1)
#define ENTRY_LARGE      BIT(7)
#define MAPPED_GIB       4u
#define GDT_CODE_64      UINT64_C(0x00af9b000000ffff) /* __BOOT_CS, 0x10 */
#define GDT_DATA         UINT64_C(0x00cf93000000ffff) /* __BOOT_DS, 0x18 */

struct e820_entry {
    uint64_t base;
    uint64_t size;
    uint32_t type;
} PACKED;
_Static_assert(sizeof(struct e820_entry) == 20, "boot protocol");

struct boot_params {
    uint8_t screen[0x70];      /* 0x000: none */
    uint64_t rsdp;             /* 0x070 */
    uint8_t unused_78[0x170];  /* 0x078 */
    uint8_t e820_entries;      /* 0x1e8 */
    uint8_t unused_1e9[8];     /* 0x1e9 */
    uint8_t setup[0x21];       /* 0x1f1: the setup header, which goes on behind its fields below */
    uint8_t setup_from_212[6]; /* 0x212 */
    uint32_t ramdisk_image;    /* 0x218 */
    uint32_t ramdisk_size;     /* 0x21c */
    uint8_t setup_from_220[8]; /* 0x220 */
    uint32_t command_line;     /* 0x228 */
    uint8_t setup_from_22c[0x64]; /* 0x22c */
    uint8_t edd_signatures[0x40]; /* 0x290 */
    struct e820_entry e820[128];  /* 0x2d0 */
    uint8_t rest[0x330];          /* 0xcd0 */
} PACKED;
_Static_assert(offsetof(struct boot_params, rsdp) == 0x70, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, setup) == IMAGE_SETUP_HEADER, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, ramdisk_image) == 0x218, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, command_line) == 0x228, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, e820) == 0x2d0, "zero-page.rst");
_Static_assert(sizeof(struct boot_params) == PAGE_SIZE, "zero-page.rst");

#define TYPE_OF_LOADER (0x210 - IMAGE_SETUP_HEADER)

/* Root, one table below it, and a table of 2 MiB pages for each GiB. */
static bool write_page_tables(struct table_area *area, uint64_t *root)
{
    uint64_t address[2 + MAPPED_GIB];
    uint64_t *table[2 + MAPPED_GIB];
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        table[i] = table_take_aligned(area, PAGE_SIZE, PAGE_SIZE, &address[i]);
        if (table[i] == NULL)
            return false;
    }
    table[0][0] = address[1] | ENTRY_PRESENT | ENTRY_WRITE;
    for (unsigned gib = 0; gib < MAPPED_GIB; gib++) {
        table[1][gib] = address[2 + gib] | ENTRY_PRESENT | ENTRY_WRITE;
        for (unsigned i = 0; i < 512; i++)
            table[2 + gib][i] =
                (gib * GIB(1) + i * PAGE_2M) | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_LARGE;
    }
    *root = address[0];
    return true;
}

uint64_t tables_write_linux(struct table_area *area, const struct guest_linux_boot *boot,
                            const struct tables_common *common, struct guest_tables_output *output)
{
    uint64_t address;
    struct boot_params *params = table_take_aligned(area, sizeof *params, PAGE_SIZE, &address);
    uint64_t *gdt = table_take(area, 4 * sizeof *gdt, &output->gdt);
    if (params == NULL || gdt == NULL || !write_page_tables(area, &output->page_tables))
        return 0;
    gdt[2] = GDT_CODE_64;
    gdt[3] = GDT_DATA;
    output->gdt_limit = 4 * sizeof *gdt - 1;

    memcpy((uint8_t *)params + IMAGE_SETUP_HEADER, boot->setup,
           MIN(boot->setup_size, (size_t)(0x290 - IMAGE_SETUP_HEADER)));
    params->setup[TYPE_OF_LOADER] = LOADER_UNDEFINED;
    params->rsdp = common->rsdp;
    params->ramdisk_image = (uint32_t)boot->initrd_base;
    params->ramdisk_size = (uint32_t)boot->initrd_size;
    params->command_line = (uint32_t)common->command_line;
    params->e820_entries = (uint8_t)common->range_count;
    for (unsigned i = 0; i < common->range_count; i++)
        params->e820[i] = (struct e820_entry){common->ranges[i].base, common->ranges[i].size,
                                              common->ranges[i].type};
    return address;
}
