/* SPDX-License-Identifier: MIT */
// SOURCES: boot/ranges.c boot/paging.c boot/efi/elf.c boot/multiboot2/read.c
// SOURCES: hypervisor/base/text.c hypervisor/base/format.c
#include <stdlib.h>
#include <string.h>

#include "boot/efi/elf.h"
#include "boot/multiboot2/convert.h"
#include "boot/paging.h"
#include "boot/ranges.h"
#include "tests/unit/support/host.h"

/* --- ranges --- */

#define MODEL_PAGES 256
#define NO_TYPE     255

static struct boot_memory_range storage[BOOT_MAX_RANGES];

static void check_shape(const struct range_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct boot_memory_range *range = &list->ranges[i];
        assert_true(range->size != 0 && IS_ALIGNED(range->base | range->size, PAGE_SIZE));
        if (i == 0)
            continue;
        uint64_t end = range[-1].base + range[-1].size;
        assert_true(end < range->base || (end == range->base && range[-1].type != range->type));
    }
}

static void test_ranges_against_model(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 300; round++) {
        uint8_t model[MODEL_PAGES];
        memset(model, NO_TYPE, sizeof model);
        struct range_list list = {.ranges = storage, .capacity = BOOT_MAX_RANGES};
        for (unsigned step = 0; step < 60; step++) {
            unsigned first = (unsigned)rand() % MODEL_PAGES;
            unsigned count = 1 + (unsigned)rand() % MIN(16u, MODEL_PAGES - first);
            unsigned type = (unsigned)rand() % 7;
            memset(model + first, (int)type, count);
            ranges_set(&list, first * PAGE_SIZE, count * PAGE_SIZE, (enum boot_memory_type)type);
        }
        check_shape(&list);
        uint8_t seen[MODEL_PAGES];
        memset(seen, NO_TYPE, sizeof seen);
        for (uint32_t i = 0; i < list.count; i++)
            memset(seen + list.ranges[i].base / PAGE_SIZE, (int)list.ranges[i].type,
                   list.ranges[i].size / PAGE_SIZE);
        assert_memory_equal(seen, model, sizeof model);
        assert_false(list.full);
    }
}

static void test_ranges_edges(void **state)
{
    (void)state;
    struct range_list list = {.ranges = storage, .capacity = 3};
    ranges_set(&list, 0x1800, 0x2000, BOOT_MEMORY_USABLE); /* shrinks */
    assert_int_equal(list.ranges[0].base, 0x2000);
    assert_int_equal(list.ranges[0].size, 0x1000);
    ranges_set(&list, 0x9fc00, 0x400, BOOT_MEMORY_RESERVED); /* grows */
    assert_int_equal(list.ranges[1].base, 0x9f000);
    ranges_set(&list, 0x100, 0x200, BOOT_MEMORY_USABLE); /* no whole page */
    ranges_set(&list, 0x5000, 0, BOOT_MEMORY_ACPI);
    assert_int_equal(list.count, 2);
    ranges_set(&list, UINT64_MAX - 0x1fff, UINT64_MAX, BOOT_MEMORY_RESERVED); /* wraps */
    check_shape(&list);
    assert_int_equal(list.count, 3);
    /* A full list loses memory, and never calls reserved memory usable. */
    ranges_set(&list, 0x10000, 0x1000, BOOT_MEMORY_USABLE);
    assert_true(list.full);
    assert_int_equal(list.count, 3);
}

static void test_ranges_take(void **state)
{
    (void)state;
    struct range_list list = {.ranges = storage, .capacity = BOOT_MAX_RANGES};
    ranges_set(&list, MIB(1), MIB(7), BOOT_MEMORY_USABLE);
    ranges_set(&list, GIB(4), MIB(8), BOOT_MEMORY_USABLE);
    assert_int_equal(ranges_take(&list, MIB(1), PAGE_2M, GIB(4)), MIB(6));
    assert_int_equal(ranges_take(&list, MIB(16), PAGE_SIZE, GIB(4)), 0);
    assert_int_equal(ranges_take(&list, PAGE_SIZE, PAGE_SIZE, GIB(4)), MIB(8) - PAGE_SIZE);
    check_shape(&list);
}

/* --- page tables --- */

static uint64_t table_page(void *context)
{
    (void)context;
    void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(page, 0, PAGE_SIZE);
    return (uint64_t)(uintptr_t)page;
}

/* The last entry for an address and the size of its page; 0: not mapped. */
static uint64_t look_up(uint64_t table, uint64_t virtual, uint64_t *size)
{
    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        uint64_t entry = ((uint64_t *)(uintptr_t)table)[(virtual >> shift) & 511];
        *size = UINT64_C(1) << shift;
        if ((entry & PAGING_PRESENT) == 0)
            return 0;
        if (shift == 12 || (entry & PAGING_LARGE) != 0)
            return entry;
        table = entry & PAGING_ADDRESS;
    }
    return 0;
}

static void free_tables(uint64_t table, unsigned level)
{
    const uint64_t *entries = (const uint64_t *)(uintptr_t)table;
    for (unsigned i = 0; i < 512 && level > 0; i++) {
        if ((entries[i] & PAGING_PRESENT) != 0 && (entries[i] & PAGING_LARGE) == 0)
            free_tables(entries[i] & PAGING_ADDRESS, level - 1);
    }
    free((void *)(uintptr_t)table);
}

static void check_paging(bool gigabyte_pages)
{
    struct paging paging = {.page = table_page, .gigabyte_pages = gigabyte_pages};
    uint64_t size, large = gigabyte_pages ? PAGE_1G : PAGE_2M;
    paging.root = table_page(NULL);
    assert_true(paging_map_identity(&paging, 0, GIB(4)));
    assert_int_equal(look_up(paging.root, GIB(3) + 0x5000, &size),
                     ALIGN_DOWN(GIB(3) + 0x5000, large) | PAGING_RW | PAGING_LARGE);
    assert_int_equal(size, large);
    assert_int_equal(look_up(paging.root, GIB(4), &size), 0);
    /* One page of other rights splits the large one and leaves its neighbours alone. */
    assert_true(paging_map(&paging, MIB(3), MIB(3), PAGE_SIZE, PAGING_RX));
    assert_int_equal(look_up(paging.root, MIB(3), &size), MIB(3) | PAGING_RX);
    assert_int_equal(look_up(paging.root, MIB(3) + PAGE_SIZE, &size),
                     (MIB(3) + PAGE_SIZE) | PAGING_RW);
    assert_int_equal(look_up(paging.root, MIB(4), &size), MIB(4) | PAGING_RW | PAGING_LARGE);
    assert_int_equal(size, PAGE_2M);
    /* Identity mapping again keeps it. */
    assert_true(paging_map_identity(&paging, 0, GIB(1)));
    assert_int_equal(look_up(paging.root, MIB(3), &size), MIB(3) | PAGING_RX);
    assert_true(paging_map(&paging, UINT64_C(0xffffffff80000000), MIB(16), MIB(3), PAGING_R));
    assert_int_equal(look_up(paging.root, UINT64_C(0xffffffff802ff000), &size),
                     (MIB(19) - PAGE_SIZE) | PAGING_R);
    /* Only what lies where it is said to. */
    assert_true(paging_maps_to_itself(paging.root | 0x18, 4, GIB(4) - 1));
    assert_true(paging_maps_to_itself(paging.root, 4, MIB(3) + 8));
    assert_false(paging_maps_to_itself(paging.root, 4, GIB(4)));
    assert_false(paging_maps_to_itself(paging.root, 4, UINT64_C(0xffffffff80000000)));
    assert_true(paging_map(&paging, MIB(5), MIB(6), PAGE_SIZE, PAGING_RW));
    assert_false(paging_maps_to_itself(paging.root, 4, MIB(5)));
    assert_true(paging_maps_to_itself(paging.root, 4, MIB(5) + PAGE_SIZE));
    uint64_t *top = (uint64_t *)(uintptr_t)table_page(NULL);
    top[0] = paging.root | PAGING_PRESENT | PAGING_WRITE;
    assert_true(paging_maps_to_itself((uintptr_t)top, 5, MIB(3)));
    assert_false(paging_maps_to_itself((uintptr_t)top, 5, GIB(4)));
    top[0] = 0;
    free_tables((uintptr_t)top, 0);
    free_tables(paging.root, 3);
}

static void test_paging(void **state)
{
    (void)state;
    check_paging(true);
    check_paging(false);
}

/* --- ELF --- */

static void put(uint8_t *bytes, size_t at, uint64_t value, size_t size)
{
    memcpy(bytes + at, &value, size);
}

#define ELF_SIZE 0x3000
#define ELF_BASE UINT64_C(0xffffffff80000000)

static void make_segment(uint8_t *bytes, unsigned index, uint32_t flags, uint64_t offset,
                         uint64_t file_size, uint64_t memory_size)
{
    size_t at = 64 + index * 56;
    put(bytes, at, 1, 4);
    put(bytes, at + 4, flags, 4);
    put(bytes, at + 8, offset, 8);
    put(bytes, at + 16, ELF_BASE + (offset - 0x1000), 8);
    put(bytes, at + 32, file_size, 8);
    put(bytes, at + 40, memory_size, 8);
}

static uint8_t *make_elf(void)
{
    uint8_t *bytes = calloc(1, ELF_SIZE);
    memcpy(bytes, "\177ELF\2\1\1", 7);
    put(bytes, 16, 2, 2);
    put(bytes, 18, 62, 2);
    put(bytes, 24, ELF_BASE + 0x10, 8);
    put(bytes, 32, 64, 8);
    put(bytes, 54, 56, 2);
    put(bytes, 56, 2, 2);
    make_segment(bytes, 0, 5, 0x1000, 0x800, 0x800);
    make_segment(bytes, 1, 6, 0x2000, 0x800, 0x5000);
    return bytes;
}

static void test_elf_good(void **state)
{
    (void)state;
    struct elf_image image;
    uint8_t *bytes = make_elf();
    assert_int_equal(elf_check(bytes, ELF_SIZE, &image), STATUS_OK);
    assert_int_equal(image.base, ELF_BASE);
    assert_int_equal(image.size, 0x6000);
    assert_int_equal(image.segment_count, 2);
    assert_true(image.segments[0].executable && !image.segments[0].writable);
    assert_true(image.segments[1].writable && !image.segments[1].executable);
    free(bytes);
}

static void test_elf_bad(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint64_t value;
        size_t size;
        const char *problem;
    } changes[] = {
        {0, 0x7e, 1, "no ELF file"},
        {4, 1, 1, "not a 64-bit"},
        {16, 3, 2, "fixed address"},
        {18, 183, 2, "not for x86-64"},
        {54, 32, 2, "e_phentsize"},
        {56, 0xffff, 2, "before its program headers"},
        {32, UINT64_MAX - 8, 8, "before its program headers"},
        {24, ELF_BASE + 0x1000, 8, "no executable segment"},
        {24, 0, 8, "no executable segment"},
        {64 + 4, 7, 4, "writable and executable"},
        {64 + 8, UINT64_MAX, 8, "before its segment"},
        {64 + 16, ELF_BASE + 0x800, 8, "not page aligned"},
        {64 + 16, ELF_BASE + 0x1000, 8, "not 2 MiB aligned"},
        {64 + 32, 0x900, 8, "more bytes in the file"},
        {64 + 40, UINT64_MAX, 8, "larger than 64M"},
        {64 + 40, 0x1001, 8, "overlap"},
        {120 + 16, ELF_BASE - 0x1000, 8, "overlap"},
        {120 + 32, 0x1001, 8, "before its segment"},
        {120 + 40, MIB(65), 8, "larger than 64M"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        struct elf_image image;
        uint8_t *bytes = make_elf();
        put(bytes, changes[i].at, changes[i].value, changes[i].size);
        assert_int_equal(elf_check(bytes, ELF_SIZE, &image), STATUS_INVALID);
        if (strstr(image.problem, changes[i].problem) == NULL)
            fail_msg("change %zu: expected '%s', got '%s'", i, changes[i].problem, image.problem);
        free(bytes);
    }
}

static void test_elf_cut(void **state)
{
    (void)state;
    uint8_t *whole = make_elf();
    for (size_t size = 0; size < 0x2800; size += size < 300 ? 1 : 97) {
        struct elf_image image;
        uint8_t *part = malloc(size == 0 ? 1 : size);
        memcpy(part, whole, size);
        assert_int_equal(elf_check(part, size, &image), STATUS_INVALID);
        assert_non_null(image.problem);
        free(part);
    }
    free(whole);
}

/* --- multiboot2 --- */

static uint8_t information[4096] __attribute__((aligned(8)));
static size_t used;

static uint8_t *add_tag(uint32_t type, uint32_t size)
{
    uint8_t *tag = information + used;
    put(tag, 0, type, 4);
    put(tag, 4, size, 4);
    used += ALIGN_UP(size, 8u);
    return tag;
}

static void add_module(uint32_t start, uint32_t end, const char *line)
{
    uint8_t *tag = add_tag(3, (uint32_t)(16 + strlen(line) + 1));
    put(tag, 8, start, 4);
    put(tag, 12, end, 4);
    memcpy(tag + 16, line, strlen(line) + 1);
}

static void begin_information(void)
{
    memset(information, 0, sizeof information);
    used = 8;
    static const struct {
        uint64_t base, size;
        uint32_t type;
    } map[] = {
        {0, 0x9fc00, 1},
        {0x9fc00, 0x400, 2},
        {MIB(1), MIB(127), 1},
        {MIB(127), KIB(64), 3},
        {MIB(127) + KIB(64), KIB(64), 4},
        {GIB(4), GIB(1), 1},
        {MIB(64), KIB(4), 5}, /* bad memory inside usable memory */
    };
    uint8_t *tag = add_tag(6, 16 + 24 * ARRAY_SIZE(map));
    put(tag, 8, 24, 4);
    for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
        put(tag, 16 + 24 * i, map[i].base, 8);
        put(tag, 24 + 24 * i, map[i].size, 8);
        put(tag, 32 + 24 * i, map[i].type, 4);
    }
}

static struct boot_info info;

static void read_information(void)
{
    memset(&info, 0, sizeof info);
    info.image_base = MIB(2);
    info.image_size = KIB(100);
    uint8_t *copy = malloc(used);
    memcpy(copy, information, used);
    multiboot2_read(copy, used, MIB(1), &info);
    free(copy);
    struct range_list list = {.ranges = info.ranges, .count = info.range_count};
    check_shape(&list);
}

static uint32_t type_at(uint64_t address)
{
    for (uint32_t i = 0; i < info.range_count; i++) {
        if (address >= info.ranges[i].base && address - info.ranges[i].base < info.ranges[i].size)
            return info.ranges[i].type;
    }
    return NO_TYPE;
}

static void test_multiboot2(void **state)
{
    (void)state;
    begin_information();
    memcpy(add_tag(1, 8 + 6) + 8, "quiet", 6);
    add_module(0x101000, 0x101100, "/bulkhead/sriov.conf second");
    add_module(0x102000, 0x103001, "ping.elf");
    add_module(0x104000, 0x104002, "batch");
    add_module(0x105000, 0x105010, "other.conf");
    size_t old = used + 8;
    add_tag(14, 8 + 20);
    size_t new = used + 8;
    add_tag(15, 8 + 36);
    uint8_t *screen = add_tag(8, 38);
    put(screen, 8, 0xc0000000, 8);
    put(screen, 16, 4096, 4);
    put(screen, 20, 1024, 4);
    put(screen, 24, 768, 4);
    memcpy(screen + 28, "\x20\x01\0\0\x10\x08\x08\x08\0\x08", 10);
    add_tag(0, 8);
    read_information();
    assert_string_equal(info.message, "");
    assert_string_equal(info.command_line, "quiet");
    assert_string_equal(info.config_name, "sriov.conf");
    assert_int_equal(info.config_base, 0x101000);
    assert_int_equal(info.config_size, 0x100);
    assert_int_equal(info.flags, BOOT_FLAG_BATCH);
    assert_int_equal(info.module_count, 2);
    assert_string_equal(info.modules[0].name, "ping.elf");
    assert_int_equal(info.modules[0].size, 0x1001);
    assert_int_not_equal(old, new);
    assert_int_equal(info.rsdp, MIB(1) + new);
    assert_int_equal(info.framebuffer.format, BOOT_FRAMEBUFFER_BGRX);
    assert_int_equal(info.framebuffer.size, 4096 * 768);
    assert_int_equal(type_at(0), BOOT_MEMORY_RESERVED);
    assert_int_equal(type_at(0x1000), BOOT_MEMORY_USABLE);
    assert_int_equal(type_at(0x9f000), BOOT_MEMORY_RESERVED);
    assert_int_equal(type_at(MIB(1)), BOOT_MEMORY_LOADER);
    assert_int_equal(type_at(0x103000), BOOT_MEMORY_LOADER);
    assert_int_equal(type_at(0x106000), BOOT_MEMORY_USABLE);
    assert_int_equal(type_at(MIB(2) + KIB(99)), BOOT_MEMORY_IMAGE);
    assert_int_equal(type_at(MIB(64)), BOOT_MEMORY_RESERVED);
    assert_int_equal(type_at(MIB(127)), BOOT_MEMORY_ACPI);
    assert_int_equal(type_at(MIB(127) + KIB(64)), BOOT_MEMORY_NVS);
    assert_int_equal(type_at(GIB(4)), BOOT_MEMORY_USABLE);
}

/* A pixel's description: bits, type, reserved, then position and size of red, green and blue. */
static void test_multiboot2_screens(void **state)
{
    static const struct {
        uint8_t description[10];
        uint32_t format, red, green, blue;
        const char *problem;
    } screens[] = {
        {{32, 1, 0, 0, 16, 8, 8, 8, 0, 8}, BOOT_FRAMEBUFFER_BGRX, 0xff0000, 0xff00, 0xff, ""},
        {{32, 1, 0, 0, 0, 8, 8, 8, 16, 8}, BOOT_FRAMEBUFFER_RGBX, 0xff, 0xff00, 0xff0000, ""},
        {{32, 1, 0, 0, 20, 10, 10, 10, 0, 10},
         BOOT_FRAMEBUFFER_MASKS,
         0x3ff00000,
         0xffc00,
         0x3ff,
         ""},
        {{32, 1, 0, 0, 28, 8, 8, 8, 0, 255}, BOOT_FRAMEBUFFER_MASKS, 0, 0xff00, 0, ""},
        {{24, 1, 0, 0, 16, 8, 8, 8, 0, 8}, BOOT_FRAMEBUFFER_NONE, 0, 0, 0, "24 bits"},
        {{32, 0, 0, 0, 16, 8, 8, 8, 0, 8}, BOOT_FRAMEBUFFER_NONE, 0, 0, 0, "type 0"},
        {{16, 2, 0, 0, 0, 0, 0, 0, 0, 0}, BOOT_FRAMEBUFFER_NONE, 0, 0, 0, "text mode"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(screens); i++) {
        begin_information();
        memcpy(add_tag(8, 38) + 28, screens[i].description, 10);
        add_tag(0, 8);
        read_information();
        assert_int_equal(info.framebuffer.format, screens[i].format);
        assert_int_equal(info.framebuffer.red, screens[i].red);
        assert_int_equal(info.framebuffer.green, screens[i].green);
        assert_int_equal(info.framebuffer.blue, screens[i].blue);
        assert_non_null(strstr(info.framebuffer.problem, screens[i].problem));
    }
}

static void test_multiboot2_bad(void **state)
{
    (void)state;
    begin_information();
    add_module(0x102010, 0x103000, "ping.elf");
    add_module(0x104000, 0x103000, "pong.elf");
    read_information();
    assert_int_equal(info.module_count, 0);
    assert_non_null(strstr(info.message, "not on a page: ping.elf"));
    begin_information();
    add_module(0x102000, 0x103000, "");
    read_information();
    assert_non_null(strstr(info.message, "gives no name"));
    begin_information();
    for (unsigned i = 0; i <= BOOT_MAX_MODULES; i++)
        add_module(0x102000, 0x103000, "a.elf");
    read_information();
    assert_int_equal(info.module_count, BOOT_MAX_MODULES);
    assert_non_null(strstr(info.message, "too many: a.elf"));
    static const uint32_t sizes[] = {0, 7, 15, 0x1000, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        begin_information();
        uint8_t *tag = add_tag(3, 32);
        put(tag, 4, sizes[i], 4);
        read_information();
        assert_non_null(strstr(info.message, "impossible size"));
        assert_int_equal(info.module_count, 0);
    }
    used = 8;
    read_information();
    assert_non_null(strstr(info.message, "no memory map"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_against_model),
        cmocka_unit_test(test_ranges_edges),
        cmocka_unit_test(test_ranges_take),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_elf_good),
        cmocka_unit_test(test_elf_bad),
        cmocka_unit_test(test_elf_cut),
        cmocka_unit_test(test_multiboot2),
        cmocka_unit_test(test_multiboot2_screens),
        cmocka_unit_test(test_multiboot2_bad),
    };
    return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
