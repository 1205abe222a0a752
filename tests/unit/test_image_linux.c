/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/image.c guest/start/image_linux.c
// SOURCES: guest/start/image_multiboot.c
/* bzImages: a good one, each field of its setup header wrong, and every cut. */
#include "hypervisor/abi/machine.h"
#include "guest/start/image.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/linux_builder.h"
#include "tests/unit/support/tables.h"

#define MEMORY MIB(128)

static struct image image;

static int fresh(void **state)
{
    linux_build(MIB(16), MIB(40));
    return 0;
}

/* Over a copy of exactly the file's size, so that the sanitizer sees a read past it. */
static enum status parse_size(size_t size, uint64_t memory)
{
    uint8_t *copy = exact_copy(linux_file, size);
    enum status status =
        image_parse(copy, size, memory, GUEST_TABLES_BASE, GUEST_TABLES_END, &image);
    free(copy);
    if (status != STATUS_OK)
        assert_non_null(image.problem);
    return status;
}

static void expect(enum status status, uint64_t offset)
{
    assert_int_equal(parse_size(sizeof linux_file, MEMORY), status);
    assert_int_equal(image.problem_offset, offset);
    assert_int_equal(fresh(NULL), 0);
}

static void test_good(void **state)
{
    assert_int_equal(parse_size(sizeof linux_file, MEMORY), STATUS_OK);
    assert_int_equal(image.kind, IMAGE_LINUX);
    assert_int_equal(image.entry, MIB(16) + 0x200);
    assert_int_equal(image.segment_count, 1);
    assert_int_equal(image.segments[0].address, MIB(16));
    assert_int_equal(image.segments[0].file_offset, (LINUX_SECTORS + 1) * 512);
    assert_int_equal(image.segments[0].file_size, LINUX_KERNEL_SIZE);
    assert_int_equal(image.segments[0].memory_size, MIB(40));
    assert_int_equal(image.setup_size, 0x268 - 0x1f1);
    assert_int_equal(image.initrd_limit, UINT64_C(0x80000000));
    assert_int_equal(parse_size(sizeof linux_file, MIB(56)), STATUS_OK); /* just enough */
    linux_set(0x22c, 0, 4);
    assert_int_equal(parse_size(sizeof linux_file, MEMORY), STATUS_OK);
    assert_int_equal(image.initrd_limit, UINT64_C(0x38000000));
}

static void test_refusals(void **state)
{
    linux_set(0x1fe, 0x55aa, 2);
    expect(STATUS_INVALID, 0x1fe);
    linux_set(0x206, 0x020b, 2);
    expect(STATUS_UNSUPPORTED, 0x206);
    linux_set(0x211, 0, 1); /* a zImage */
    expect(STATUS_UNSUPPORTED, 0x211);
    linux_set(0x236, 0x3e, 2); /* a 32-bit kernel */
    expect(STATUS_UNSUPPORTED, 0x236);
    linux_set(0x201, 0x10, 1); /* a header that ends before its own fields */
    expect(STATUS_INVALID, 0x201);
    linux_set(0x201, 0x8f, 1); /* or runs into the memory map */
    expect(STATUS_INVALID, 0x201);
    linux_set(0x1f1, 0xff, 1); /* more set-up than there is file */
    expect(STATUS_INVALID, 0x1f1);
    linux_set(0x258, MIB(1) - 1, 8);
    expect(STATUS_UNSUPPORTED, 0x258);
    linux_set(0x258, UINT64_C(1) << 32, 8);
    expect(STATUS_UNSUPPORTED, 0x258);
    linux_set(0x258, UINT64_MAX, 8);
    expect(STATUS_UNSUPPORTED, 0x258);
    linux_set(0x260, UINT32_MAX, 4);
    expect(STATUS_NO_MEMORY, 0x260);
    linux_set(0x258, MEMORY - MIB(40) + 1, 8);
    expect(STATUS_NO_MEMORY, 0x260);
    assert_int_equal(parse_size(sizeof linux_file, MIB(56) - 1), STATUS_NO_MEMORY);
}

/* More file than the header asks memory for still needs the memory. */
static void test_the_file_counts_too(void **state)
{
    linux_set(0x260, 0, 4);
    assert_int_equal(parse_size(sizeof linux_file, MIB(16) + LINUX_KERNEL_SIZE), STATUS_OK);
    assert_int_equal(image.segments[0].memory_size, LINUX_KERNEL_SIZE);
    assert_int_equal(parse_size(sizeof linux_file, MIB(16) + LINUX_KERNEL_SIZE - 1),
                     STATUS_NO_MEMORY);
}

static void test_every_cut(void **state)
{
    const size_t least = (LINUX_SECTORS + 1) * 512 + 0x200 + 1; /* the entry must be there */
    for (size_t size = 0; size < sizeof linux_file; size++)
        assert_int_equal(parse_size(size, MEMORY) == STATUS_OK, size >= least);
}

static void test_any_header(void **state)
{
    uint32_t random = 1;
    for (unsigned turn = 0; turn < 20000; turn++) {
        for (unsigned change = 0; change < 4; change++) {
            random = random * 1664525 + 1013904223;
            linux_file[0x1f1 + (random >> 8) % 0x80] = (uint8_t)(random >> 24);
        }
        linux_set(0x202, 0x53726448, 4);
        if (parse_size(sizeof linux_file, MEMORY) == STATUS_OK) {
            const struct image_segment *kernel = &image.segments[0];
            assert_true(kernel->address >= MIB(1) && kernel->memory_size <= MEMORY &&
                        kernel->address <= MEMORY - kernel->memory_size);
            assert_true(kernel->file_offset + kernel->file_size == sizeof linux_file);
            assert_true(image.setup_size <= 0x290 - 0x1f1);
        } else {
            (void)fresh(NULL);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_good),      TEST(test_refusals),   TEST(test_the_file_counts_too),
        TEST(test_every_cut), TEST(test_any_header),
    };
    return cmocka_run_group_tests_name("Linux images", tests, NULL, NULL);
}
