/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/image.c guest/start/image_linux.c
// SOURCES: guest/start/image_multiboot.c
/* Multiboot 1 kernels: inside an ELF file and with addresses of their own, then each field wrong.
 */
#include "hypervisor/assign/guest.h"
#include "tests/unit/support/image_builder.h"

#define MAGIC     0x1badb002u
#define ADDRESSES BIT(16)
#define LOAD      0x100000u

static struct image_builder builder;
static struct image image;

static enum status parse_size(size_t size)
{
    uint8_t *copy = exact_copy(builder.file.bytes, size);
    enum status status =
        image_parse(copy, size, IMAGE_MEMORY, GUEST_TABLES_BASE, GUEST_TABLES_END, &image);
    free(copy);
    assert_true(status == STATUS_OK || image.problem != NULL);
    return status;
}

static enum status parse(void)
{
    return parse_size(builder.file.length);
}

static void expect(enum status status, uint64_t offset, uint64_t value)
{
    assert_int_equal(parse(), status);
    assert_int_equal(image.problem_offset, offset);
    assert_int_equal(image.problem_value, value);
}

static void header_at(uint32_t offset, uint32_t flags)
{
    put_at(&builder.file, offset, MAGIC, 4);
    put_at(&builder.file, offset + 4, flags, 4);
    put_at(&builder.file, offset + 8, 0 - MAGIC - flags, 4);
}

/* An ELF file with a Multiboot header for its first bytes of text, and no PVH note. */
static uint32_t elf(bool is_64bit, uint32_t flags, uint64_t entry)
{
    image_build(&builder, is_64bit);
    image_set(&builder, 2, FIELD_TYPE, 0);
    put_at(&builder.file, 0x18, entry, image_word(&builder));
    const uint32_t virtual_address[] = {8, 16};
    for (unsigned program = 0; program < 2; program++)
        put_at(&builder.file,
               builder.programs + program * builder.program_size + virtual_address[is_64bit],
               0xc0100000u + program * 0x100000u, image_word(&builder));
    uint32_t content = builder.programs + 3 * builder.program_size;
    header_at(content, flags);
    return content;
}

/* Not ELF: 16 bytes, the header with its addresses, 64 bytes. */
static void flat(uint32_t load, uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
    memset(&builder, 0, sizeof builder);
    for (unsigned i = 0; i < 16; i++)
        put(&builder.file, 0xf4, 1);
    put(&builder.file, MAGIC, 4);
    put(&builder.file, ADDRESSES | 3, 4);
    put(&builder.file, 0 - MAGIC - (ADDRESSES | 3), 4);
    put(&builder.file, LOAD + 16, 4);
    put(&builder.file, load, 4);
    put(&builder.file, load_end, 4);
    put(&builder.file, bss_end, 4);
    put(&builder.file, entry, 4);
    for (unsigned i = 0; i < 64; i++)
        put(&builder.file, i, 1);
}

static void expect_segment(unsigned index, uint64_t address, uint64_t offset, uint64_t file_size,
                           uint64_t memory_size)
{
    assert_int_equal(image.segments[index].address, address);
    assert_int_equal(image.segments[index].file_offset, offset);
    assert_int_equal(image.segments[index].file_size, file_size);
    assert_int_equal(image.segments[index].memory_size, memory_size);
}

static void in_an_elf_file(void **state)
{
    for (int is_64bit = 0; is_64bit < 2; is_64bit++) {
        uint32_t content = elf(is_64bit, 3, 0xc0100020); /* a virtual address, as e_entry is */
        assert_int_equal(parse(), STATUS_OK);
        assert_int_equal(image.kind, IMAGE_MULTIBOOT);
        assert_int_equal(image.entry, 0x100020);
        assert_int_equal(image.segment_count, 2);
        expect_segment(0, 0x100000, content, 64, 64);
        expect_segment(1, 0x200000, content + 64, 16, 0x1000);
        elf(is_64bit, 3, 0xc0100040); /* behind the text */
        expect(STATUS_INVALID, 0, 0);
        elf(is_64bit, 3, 0xc0200010); /* in zeros */
        expect(STATUS_INVALID, 0, 0x200010);
    }
}

/* PVH first: what has both was written for more than one loader. */
static void pvh_comes_first(void **state)
{
    image_build(&builder, true);
    header_at(builder.programs + 3 * builder.program_size, BIT(2));
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(image.kind, IMAGE_PVH);
    assert_int_equal(image.entry, IMAGE_ENTRY);
    assert_int_equal(image.initrd_limit, 0);
}

static void what_it_may_demand(void **state)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t content = elf(false, (uint32_t)BIT(bit), 0xc0100020);
        if (bit >= 2 && bit <= 15)
            expect(STATUS_UNSUPPORTED, content + 4, BIT(bit));
        else if (bit != 16)
            assert_int_equal(parse(), STATUS_OK);
    }
}

static void where_the_header_may_be(void **state)
{
    uint32_t content = elf(false, 3, 0xc0100020);
    put_at(&builder.file, content + 8, 1, 4); /* the sum is wrong */
    expect(STATUS_UNSUPPORTED, 0, 0);
    put_at(&builder.file, content, 0, 4);
    header_at(content + 2, 3); /* not aligned */
    expect(STATUS_UNSUPPORTED, 0, 0);
    flat(LOAD, 0, 0, LOAD);
    uint8_t *large = calloc(1, 8192 + 64);
    for (unsigned at = 8176; at <= 8192; at += 4) {
        memset(large, 0, 8192 + 64);
        memcpy(large + at, builder.file.bytes + 16, 32);
        const uint32_t place = LOAD + at;
        memcpy(large + at + 12, &place, 4);
        enum status status = image_parse(large, 8192 + 64, IMAGE_MEMORY, GUEST_TABLES_BASE,
                                         GUEST_TABLES_END, &image);
        assert_int_equal(status, at < 8192 ? STATUS_OK : STATUS_INVALID);
    }
    free(large);
}

static void with_addresses(void **state)
{
    flat(LOAD, 0, 0, LOAD + 48);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(image.kind, IMAGE_MULTIBOOT);
    assert_int_equal(image.entry, LOAD + 48);
    expect_segment(0, LOAD, 0, 112, 112);
    flat(LOAD + 8, LOAD + 100, LOAD + 0x2000, LOAD + 48);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(image.segment_count, 1);
    expect_segment(0, LOAD + 8, 8, 92, 0x1ff8);
}

/* They count even in an ELF file (3.1.3). */
static void addresses_come_before_elf(void **state)
{
    uint32_t content = elf(false, ADDRESSES | 3, 0xc0100020);
    const uint32_t fields[] = {0x300000, 0x300000, 0x300040, 0, 0x300024};
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
        put_at(&builder.file, content + 12 + 4 * i, fields[i], 4);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(image.segment_count, 1);
    expect_segment(0, 0x300000, content, 64, 64);
    assert_int_equal(image.entry, 0x300024);
}

static void wrong_addresses(void **state)
{
    static const struct {
        uint32_t load, load_end, bss_end, entry;
        uint64_t offset, value;
    } wrong[] = {
        {LOAD + 17, 0, 0, LOAD + 48, 32, LOAD + 17}, /* behind the header */
        {LOAD - 1, 0, 0, LOAD + 48, 32, LOAD - 1},   /* before the file's first byte */
        {LOAD, LOAD, 0, LOAD + 48, 36, LOAD},
        {LOAD, LOAD + 113, 0, LOAD + 48, 36, LOAD + 113},
        {LOAD, 1, 0, LOAD + 48, 36, 1},
        {LOAD, 0, LOAD + 111, LOAD + 48, 40, LOAD + 111},
        {LOAD, 0, 0, LOAD + 112, 0, LOAD + 112},
        {LOAD, 0, 0, 0, 0, 0},
        {LOAD, 0, 0xffffffff, LOAD, 32, LOAD}, /* more than the guest's memory */
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        flat(wrong[i].load, wrong[i].load_end, wrong[i].bss_end, wrong[i].entry);
        expect(STATUS_INVALID, wrong[i].offset, wrong[i].value);
    }
    flat(LOAD, 0, 0, LOAD);
    put_at(&builder.file, 20, 3, 4);
    put_at(&builder.file, 24, 0 - MAGIC - 3, 4);
    expect(STATUS_INVALID, 20, 3); /* no ELF file, no addresses */
}

static void every_cut(void **state)
{
    flat(LOAD, 0, 0, LOAD);
    for (uint32_t size = 0; size < 48; size++)
        assert_int_not_equal(parse_size(size), STATUS_OK);
    flat(LOAD, LOAD + 112, 0, LOAD);
    for (uint32_t size = 0; size < builder.file.length; size++)
        assert_int_not_equal(parse_size(size), STATUS_OK);
    assert_int_equal(parse(), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_an_elf_file),     cmocka_unit_test(pvh_comes_first),
        cmocka_unit_test(what_it_may_demand), cmocka_unit_test(where_the_header_may_be),
        cmocka_unit_test(with_addresses),     cmocka_unit_test(addresses_come_before_elf),
        cmocka_unit_test(wrong_addresses),    cmocka_unit_test(every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
