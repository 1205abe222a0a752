// SOURCES: hypervisor/guest/image.c hypervisor/guest/image_linux.c
/* bzImages: a good one, each field of its setup header wrong, and every cut. */
#include "hypervisor/guest/guest.h"
#include "hypervisor/guest/image.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/tables.h"

#define SECTORS     3
#define KERNEL_SIZE 0x3000
#define FILE_SIZE   ((SECTORS + 1) * 512 + KERNEL_SIZE)
#define MEMORY      MIB(128)

static uint8_t file[FILE_SIZE];
static struct image image;

static void set(unsigned offset, uint64_t value, unsigned size)
{
    memcpy(file + offset, &value, size);
}

static int fresh(void **state)
{
    memset(file, 0, sizeof file);
    set(0x1f1, SECTORS, 1);
    set(0x1fe, 0xaa55, 2);
    set(0x200, 0x66eb, 2); /* a jump over the header, which ends at 0x268 */
    set(0x202, 0x53726448, 4);
    set(0x206, 0x020f, 2);
    set(0x211, 1, 1);
    set(0x22c, 0x7fffffff, 4);
    set(0x230, 0x200000, 4);
    set(0x236, 0x3f, 2);
    set(0x258, MIB(16), 8);
    set(0x260, MIB(40), 4);
    return 0;
}

/* Over a copy of exactly the file's size, so that the sanitizer sees a read past it. */
static enum status parse_size(size_t size, uint64_t memory)
{
    uint8_t *copy = exact_copy(file, size);
    enum status status =
        image_parse(copy, size, memory, GUEST_TABLES_BASE, GUEST_TABLES_END, &image);
    free(copy);
    if (status != STATUS_OK)
        assert_non_null(image.problem);
    return status;
}

static void expect(enum status status, uint64_t offset)
{
    assert_int_equal(parse_size(sizeof file, MEMORY), status);
    assert_int_equal(image.problem_offset, offset);
    assert_int_equal(fresh(NULL), 0);
}

static void test_good(void **state)
{
    assert_int_equal(parse_size(sizeof file, MEMORY), STATUS_OK);
    assert_int_equal(image.kind, IMAGE_LINUX);
    assert_int_equal(image.entry, MIB(16) + 0x200);
    assert_int_equal(image.segment_count, 1);
    assert_int_equal(image.segments[0].address, MIB(16));
    assert_int_equal(image.segments[0].file_offset, (SECTORS + 1) * 512);
    assert_int_equal(image.segments[0].file_size, KERNEL_SIZE);
    assert_int_equal(image.segments[0].memory_size, MIB(40));
    assert_int_equal(image.setup_size, 0x268 - 0x1f1);
    assert_int_equal(image.initrd_limit, UINT64_C(0x80000000));
    assert_int_equal(parse_size(sizeof file, MIB(56)), STATUS_OK); /* just enough */
    set(0x22c, 0, 4);
    assert_int_equal(parse_size(sizeof file, MEMORY), STATUS_OK);
    assert_int_equal(image.initrd_limit, UINT64_C(0x38000000));
}

static void test_refusals(void **state)
{
    set(0x1fe, 0x55aa, 2);
    expect(STATUS_INVALID, 0x1fe);
    set(0x206, 0x020b, 2);
    expect(STATUS_UNSUPPORTED, 0x206);
    set(0x211, 0, 1); /* a zImage */
    expect(STATUS_UNSUPPORTED, 0x211);
    set(0x236, 0x3e, 2); /* a 32-bit kernel */
    expect(STATUS_UNSUPPORTED, 0x236);
    set(0x201, 0x10, 1); /* a header that ends before its own fields */
    expect(STATUS_INVALID, 0x201);
    set(0x201, 0x8f, 1); /* or runs into the memory map */
    expect(STATUS_INVALID, 0x201);
    set(0x1f1, 0xff, 1); /* more set-up than there is file */
    expect(STATUS_INVALID, 0x1f1);
    set(0x258, MIB(1) - 1, 8);
    expect(STATUS_UNSUPPORTED, 0x258);
    set(0x258, UINT64_C(1) << 32, 8);
    expect(STATUS_UNSUPPORTED, 0x258);
    set(0x258, UINT64_MAX, 8);
    expect(STATUS_UNSUPPORTED, 0x258);
    set(0x260, UINT32_MAX, 4);
    expect(STATUS_NO_MEMORY, 0x260);
    set(0x258, MEMORY - MIB(40) + 1, 8);
    expect(STATUS_NO_MEMORY, 0x260);
    assert_int_equal(parse_size(sizeof file, MIB(56) - 1), STATUS_NO_MEMORY);
}

/* More file than the header asks memory for still needs the memory. */
static void test_the_file_counts_too(void **state)
{
    set(0x260, 0, 4);
    assert_int_equal(parse_size(sizeof file, MIB(16) + KERNEL_SIZE), STATUS_OK);
    assert_int_equal(image.segments[0].memory_size, KERNEL_SIZE);
    assert_int_equal(parse_size(sizeof file, MIB(16) + KERNEL_SIZE - 1), STATUS_NO_MEMORY);
}

static void test_every_cut(void **state)
{
    const size_t least = (SECTORS + 1) * 512 + 0x200 + 1; /* the entry must be there */
    for (size_t size = 0; size < sizeof file; size++)
        assert_int_equal(parse_size(size, MEMORY) == STATUS_OK, size >= least);
}

static void test_any_header(void **state)
{
    uint32_t random = 1;
    for (unsigned turn = 0; turn < 20000; turn++) {
        for (unsigned change = 0; change < 4; change++) {
            random = random * 1664525 + 1013904223;
            file[0x1f1 + (random >> 8) % 0x80] = (uint8_t)(random >> 24);
        }
        set(0x202, 0x53726448, 4);
        if (parse_size(sizeof file, MEMORY) == STATUS_OK) {
            const struct image_segment *kernel = &image.segments[0];
            assert_true(kernel->address >= MIB(1) && kernel->memory_size <= MEMORY &&
                        kernel->address <= MEMORY - kernel->memory_size);
            assert_true(kernel->file_offset + kernel->file_size == sizeof file);
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
