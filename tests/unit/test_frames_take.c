/* SPDX-License-Identifier: MIT */
// Taking parts of a range by their owners.
// SOURCES: hypervisor/memory/frames.c
// SOURCES: hypervisor/setup/frames.c
#include <string.h>

#include "hypervisor/memory/frames.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/support/host.h"

static struct boot_info boot;

static int clear(void **state)
{
    memset(&boot, 0, sizeof boot);
    host_log_clear();
    return 0;
}

static void add(uint64_t base, uint64_t size, enum boot_memory_type type)
{
    boot.ranges[boot.range_count++] = (struct boot_memory_range){base, size, type, 0};
}

static void init(void)
{
    assert_int_equal(frames_init(&boot), STATUS_OK);
}

/* Sorted, not overlapping, neighbours merged; how many ranges there are. */
static size_t check_table(void)
{
    const struct frame_range *previous = NULL, *range;
    size_t count = 0;
    for (; (range = frames_range(count)) != NULL; previous = range, count++)
        if (previous != NULL)
            assert_true(previous->base + previous->size <=
                        range->base - (previous->owner == range->owner));
    return count;
}

static void test_taking_leaves_others_alone(void **state)
{
    add(MIB(1), MIB(7), BOOT_MEMORY_USABLE);
    add(MIB(9), MIB(1), BOOT_MEMORY_MMIO);
    add(MIB(20), MIB(1), BOOT_MEMORY_IMAGE);
    init();
    assert_int_equal(frames_transfer(MIB(2), MIB(1), OWNER_NOBODY, OWNER_HYPERVISOR), STATUS_OK);
    assert_int_equal(frames_transfer(MIB(4), MIB(1), OWNER_NOBODY, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(frames_take(KIB(1536), MIB(8), BIT(OWNER_NOBODY), OWNER_FIRMWARE), STATUS_OK);
    assert_int_equal(frames_bytes(OWNER_NOBODY), KIB(512));
    assert_int_equal(frames_bytes(OWNER_FIRMWARE), MIB(4) + KIB(512));
    assert_int_equal(frames_bytes(OWNER_HYPERVISOR), MIB(2));
    assert_int_equal(frames_bytes(OWNER_GUEST(0)), MIB(1));
    assert_int_equal(frames_owner(MIB(8)), OWNER_NONE);
    assert_int_equal(frames_owner(MIB(9)), OWNER_MMIO);
    check_table();
    const uint32_t two = BIT(OWNER_NONE) | BIT(OWNER_MMIO);
    assert_int_equal(frames_take(MIB(7), MIB(9), two, OWNER_HYPERVISOR), STATUS_OK);
    assert_true(frames_owned_by(MIB(8), MIB(8), OWNER_HYPERVISOR));
    assert_int_equal(frames_owner(MIB(8) - 1), OWNER_FIRMWARE);
    check_table();
    assert_int_equal(frames_ram_bytes(OWNER_HYPERVISOR), MIB(2)); /* the image, and what it took */
    /* What was RAM and is firmware's now is never given back as RAM. */
    frames_release_all(OWNER_GUEST(0));
    assert_int_equal(frames_bytes(OWNER_NOBODY), KIB(1536));
    assert_int_equal(frames_take(MIB(1) + 1, MIB(1), two, OWNER_FIRMWARE), STATUS_INVALID);
    assert_int_equal(frames_take(BIT(52), MIB(1), two, OWNER_FIRMWARE), STATUS_INVALID);
    assert_int_equal(frames_take(BIT(52) - MIB(1), MIB(1), two, OWNER_FIRMWARE), STATUS_OK);
    assert_int_equal(frames_owner(BIT(52) - 1), OWNER_FIRMWARE);
}

static void test_taking_needs_room(void **state)
{
    add(MIB(1), GIB(1), BOOT_MEMORY_USABLE);
    init();
    for (uint64_t n = 0; check_table() + 2 <= FRAME_MAX_RANGES; n++)
        assert_int_equal(
            frames_transfer(MIB(2) + 2 * n * PAGE_SIZE, PAGE_SIZE, OWNER_NOBODY, OWNER_HYPERVISOR),
            STATUS_OK);
    assert_int_equal(frames_take(MIB(1), MIB(64), BIT(OWNER_NOBODY), OWNER_FIRMWARE), STATUS_FULL);
    check_table();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_taking_leaves_others_alone, clear),
        cmocka_unit_test_setup(test_taking_needs_room, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
