/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/start.c guest/start/image.c guest/start/image_linux.c
// SOURCES: guest/start/image_multiboot.c guest/start/tables.c guest/start/tables_acpi.c
// SOURCES: guest/start/tables_linux.c guest/start/tables_multiboot.c
// SOURCES: hypervisor/base/text.c
/* What the start stub moves: files that lie where the image is to go, and nothing left of them. */
#include "guest/start/start.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/image_builder.h"
#include "tests/unit/support/linux_builder.h"

#define MEMORY_SIZE MIB(4)

static uint8_t memory[MEMORY_SIZE] __attribute__((aligned(4096)));
static uint8_t expected[MEMORY_SIZE];
static struct abi_start start;
static struct start_result result;
static struct abi_refusal refusal;
static struct image_builder builder;

static int fresh(void **state)
{
    memset(memory, 0, sizeof memory);
    memset(expected, 0, sizeof expected);
    image_build(&builder, true);
    start = (struct abi_start){.memory_size = MEMORY_SIZE,
                               .cpu_count = 1,
                               .image_size = builder.file.length,
                               .initrd_base = MEMORY_SIZE};
    refusal = (struct abi_refusal){0};
    return 0;
}

static uint32_t content(void)
{
    return builder.programs + 3 * builder.program_size;
}

/* The image's two segments as they lie in the file, at these addresses. */
static bool load_at(uint64_t image, uint64_t first, uint64_t second)
{
    image_set(&builder, 0, FIELD_ADDRESS, first);
    image_set(&builder, 1, FIELD_ADDRESS, second);
    start.image_base = image;
    memcpy(memory + image, builder.file.bytes, builder.file.length);
    return start_load(memory, &start, &result, &refusal);
}

/* From `begin` on; memcmp() first: it is fast where a loop has each byte looked at by a sanitizer.
 */
static void memory_is_as_expected(uint64_t begin)
{
    if (memcmp(memory + begin, expected + begin, MEMORY_SIZE - begin) == 0)
        return;
    while (memory[begin] == expected[begin])
        begin++;
    fail_msg("%#llx: %#x instead of %#x", (unsigned long long)begin, memory[begin],
             expected[begin]);
}

static void expect_only(uint64_t first, uint64_t second)
{
    memcpy(expected + first, builder.file.bytes + content(), 64);
    memcpy(expected + second, builder.file.bytes + content() + 64, 16);
    memcpy(expected + GUEST_TABLES_BASE, memory + GUEST_TABLES_BASE,
           ABI_START_BLOCK - GUEST_TABLES_BASE);
    memory_is_as_expected(0);
}

static void apart(void **state)
{
    assert_true(load_at(MIB(3), 0x100000, 0x200000));
    expect_only(0x100000, 0x200000);
}

/* Wherever the second segment's bytes are to go within their own file. */
static void over_its_own_bytes(void **state)
{
    const uint64_t image = MIB(3);
    for (uint64_t to = image; to < image + builder.file.length; to++) {
        fresh(NULL);
        assert_true(load_at(image, 0x100000, to));
        expect_only(0x100000, to);
    }
}

/* The first one's, too, unless it would lie over what is still to be moved. */
static void over_the_others_bytes(void **state)
{
    const uint64_t image = MIB(3);
    unsigned refused = 0, loaded = 0;
    for (uint64_t to = image; to < image + builder.file.length + 32; to++) {
        const uint64_t unread = image + content() + 64;
        const bool over = to < unread + 16 && unread < to + 64;
        fresh(NULL);
        /* The entry has to stay in a segment. */
        image_set(&builder, 0, FIELD_ADDRESS, to);
        put_at(&builder.file, builder.notes + 36, to, 4);
        assert_int_equal(load_at(image, to, 0x200000), !over);
        if (over) {
            assert_int_equal(refusal.what, ABI_REFUSED_OTHER);
            assert_non_null(strstr(refusal.message, "at the same time"));
            refused++;
        } else {
            expect_only(to, 0x200000);
            loaded++;
        }
    }
    assert_int_equal(refused, 64 + 16 - 1);
    assert_true(loaded > 64);
}

/* A kernel that wants its RAM disk lower than the hypervisor has put it. */
static void an_initrd_moves_down(void **state)
{
    uint8_t byte = 0x77;
    linux_build(MIB(1), KIB(64));
    for (uint64_t limit = MIB(2); limit <= MEMORY_SIZE; limit += PAGE_SIZE) {
        fresh(NULL);
        linux_set(0x22c, limit - 1, 4);
        start.initrd_size = 3 * PAGE_SIZE + 5;
        start.initrd_base = ALIGN_DOWN(MEMORY_SIZE - start.initrd_size, PAGE_SIZE);
        start.image_size = sizeof linux_file;
        start.image_base = ALIGN_DOWN(start.initrd_base - start.image_size, PAGE_SIZE);
        strcpy(start.initrd_name, "initrd");
        memcpy(memory + start.image_base, linux_file, sizeof linux_file);
        for (uint64_t i = 0; i < start.initrd_size; i++)
            memory[start.initrd_base + i] = byte = (uint8_t)(byte * 5 + 1);
        const uint64_t to = ALIGN_DOWN(limit - start.initrd_size, PAGE_SIZE);
        memcpy(expected + to, memory + start.initrd_base, start.initrd_size);
        memcpy(expected + MIB(1), linux_file + (LINUX_SECTORS + 1) * 512, LINUX_KERNEL_SIZE);
        assert_true(start_load(memory, &start, &result, &refusal));
        memory_is_as_expected(MIB(1));
    }
}

static void arguments_that_do_not_fit(void **state)
{
    linux_build(MIB(1), KIB(64));
    memset(start.arguments, 'a', sizeof start.arguments - 1);
    start.image_size = sizeof linux_file;
    start.image_base = MIB(3);
    memcpy(memory + start.image_base, linux_file, sizeof linux_file);
    assert_false(start_load(memory, &start, &result, &refusal));
    assert_int_equal(refusal.what, ABI_REFUSED_OTHER);
    assert_non_null(strstr(refusal.message, "longer than 1023 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(apart, fresh),
        cmocka_unit_test_setup(over_its_own_bytes, fresh),
        cmocka_unit_test_setup(over_the_others_bytes, fresh),
        cmocka_unit_test_setup(an_initrd_moves_down, fresh),
        cmocka_unit_test_setup(arguments_that_do_not_fit, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
