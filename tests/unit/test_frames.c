/* SPDX-License-Identifier: MIT */
// Page frames and their owners.
// SOURCES: hypervisor/memory/frames.c
// SOURCES: hypervisor/setup/frames.c hypervisor/memory/owners.c hypervisor/base/format.c
#include <stdio.h>
#include <stdlib.h>
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

/* Sorted, aligned, not overlapping, neighbours merged. */
static void check_table(void)
{
    const struct frame_range *previous = NULL;
    for (size_t i = 0; frames_range(i) != NULL; i++) {
        const struct frame_range *range = frames_range(i);
        assert_true(range->size != 0);
        assert_true(range->owner != OWNER_NONE);
        assert_true(IS_ALIGNED(range->base | range->size, PAGE_SIZE));
        if (previous != NULL) {
            assert_true(previous->base + previous->size <= range->base);
            if (previous->base + previous->size == range->base)
                assert_int_not_equal(previous->owner, range->owner);
        }
        previous = range;
    }
}

static size_t table_size(void)
{
    size_t count = 0;
    while (frames_range(count) != NULL)
        count++;
    return count;
}

static void test_map_is_sorted_and_merged(void **state)
{
    add(MIB(16), MIB(16), BOOT_MEMORY_USABLE);
    add(0, KIB(640), BOOT_MEMORY_USABLE);
    add(MIB(1), MIB(15), BOOT_MEMORY_USABLE);
    add(MIB(40), 0, BOOT_MEMORY_RESERVED);
    add(KIB(640), KIB(384), BOOT_MEMORY_RESERVED);
    add(MIB(32), MIB(2), BOOT_MEMORY_IMAGE);
    add(MIB(34), MIB(1), BOOT_MEMORY_LOADER);
    add(MIB(35), MIB(1), BOOT_MEMORY_ACPI);
    add(MIB(36), MIB(1), BOOT_MEMORY_NVS);
    add(0xfed90000, PAGE_SIZE, BOOT_MEMORY_MMIO);
    init();
    check_table();
    assert_int_equal(table_size(), 7);
    assert_int_equal(frames_owner(0), OWNER_NOBODY);
    assert_int_equal(frames_owner(KIB(640) - 1), OWNER_NOBODY);
    assert_int_equal(frames_owner(KIB(640)), OWNER_FIRMWARE);
    assert_int_equal(frames_owner(MIB(1)), OWNER_NOBODY);
    assert_int_equal(frames_owner(MIB(32)), OWNER_HYPERVISOR);
    assert_int_equal(frames_owner(MIB(34)), OWNER_LOADER);
    assert_int_equal(frames_owner(MIB(35)), OWNER_FIRMWARE);
    assert_int_equal(frames_owner(MIB(37)), OWNER_NONE);
    assert_int_equal(frames_owner(0xfed90fff), OWNER_MMIO);
    assert_int_equal(frames_owner(UINT64_MAX), OWNER_NONE);
    assert_int_equal(frames_bytes(OWNER_FIRMWARE), MIB(2) + KIB(384));
    assert_int_equal(frames_bytes(OWNER_NOBODY), MIB(31) + KIB(640));
    assert_int_equal(host_log_count("memory.overlap", NULL), 0);
}

static void test_overlaps_go_to_the_more_protected(void **state)
{
    /* Each pair in both orders: the order of the entries must not matter. */
    static const struct {
        enum boot_memory_type left, right;
        owner_t owner;
    } cases[] = {
        {BOOT_MEMORY_USABLE, BOOT_MEMORY_LOADER, OWNER_LOADER},
        {BOOT_MEMORY_USABLE, BOOT_MEMORY_IMAGE, OWNER_HYPERVISOR},
        {BOOT_MEMORY_LOADER, BOOT_MEMORY_IMAGE, OWNER_HYPERVISOR},
        {BOOT_MEMORY_IMAGE, BOOT_MEMORY_MMIO, OWNER_MMIO},
        {BOOT_MEMORY_MMIO, BOOT_MEMORY_RESERVED, OWNER_FIRMWARE},
        {BOOT_MEMORY_USABLE, BOOT_MEMORY_ACPI, OWNER_FIRMWARE},
        {BOOT_MEMORY_USABLE, (enum boot_memory_type)77, OWNER_FIRMWARE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int swap = 0; swap < 2; swap++) {
            clear(NULL);
            add(MIB(64), MIB(1), BOOT_MEMORY_USABLE);
            add(swap ? MIB(3) : MIB(2), MIB(2), swap ? cases[i].right : cases[i].left);
            add(swap ? MIB(2) : MIB(3), MIB(2), swap ? cases[i].left : cases[i].right);
            init();
            check_table();
            assert_int_equal(frames_owner(MIB(3)), cases[i].owner);
            assert_int_equal(frames_owner(MIB(4) - 1), cases[i].owner);
            assert_int_equal(frames_owner(MIB(4)), cases[i].owner);
            assert_int_not_equal(frames_owner(MIB(2)), cases[i].owner);
            assert_int_equal(host_log_count("memory.overlap", NULL), 1);
        }
    }
}

static void test_duplicates_are_quiet(void **state)
{
    for (int i = 0; i < 3; i++)
        add(MIB(1), MIB(1), BOOT_MEMORY_USABLE);
    init();
    assert_int_equal(table_size(), 1);
    assert_int_equal(host_log_count("memory.overlap", NULL), 0);
}

static void test_misaligned_entries(void **state)
{
    add(MIB(1) + 1, MIB(1), BOOT_MEMORY_USABLE);  /* shrinks at both ends */
    add(MIB(8) + 100, 10, BOOT_MEMORY_RESERVED);  /* grows to the page it is in */
    add(MIB(9) + 100, 10, BOOT_MEMORY_USABLE);    /* not a whole page: ignored */
    add(MIB(10) + 4095, 2, BOOT_MEMORY_RESERVED); /* touches two pages */
    init();
    check_table();
    assert_int_equal(frames_bytes(OWNER_NOBODY), MIB(1) - PAGE_SIZE);
    assert_int_equal(frames_owner(MIB(1)), OWNER_NONE);
    assert_int_equal(frames_owner(MIB(2)), OWNER_NONE);
    assert_int_equal(frames_bytes(OWNER_FIRMWARE), 3 * PAGE_SIZE);
    assert_int_equal(frames_owner(MIB(9)), OWNER_NONE);
}

static void test_wrap_around(void **state)
{
    add(MIB(1), MIB(1), BOOT_MEMORY_USABLE);
    add(UINT64_MAX - 4095, MIB(1), BOOT_MEMORY_USABLE);
    add(BIT(52) - MIB(1), UINT64_MAX, BOOT_MEMORY_RESERVED);
    add(BIT(52), PAGE_SIZE, BOOT_MEMORY_USABLE);
    init();
    check_table();
    assert_int_equal(table_size(), 2);
    assert_int_equal(frames_range(1)->base + frames_range(1)->size, BIT(52));
    assert_int_equal(frames_bytes(OWNER_NONE), BIT(52) - MIB(2));
    assert_false(frames_owned_by(MIB(1), UINT64_MAX, OWNER_NOBODY));
    assert_false(frames_owned_by(UINT64_MAX - 4095, PAGE_SIZE * 2, OWNER_NONE));
    assert_int_equal(frames_transfer(UINT64_MAX - 4095, PAGE_SIZE * 2, OWNER_NONE, OWNER_MMIO),
                     STATUS_INVALID);
}

static void test_maps_that_cannot_be_used(void **state)
{
    assert_int_equal(frames_init(&boot), STATUS_NO_MEMORY);
    add(0, GIB(1), BOOT_MEMORY_RESERVED);
    assert_int_equal(frames_init(&boot), STATUS_NO_MEMORY);
    boot.range_count = BOOT_MAX_RANGES + 1;
    assert_int_equal(frames_init(&boot), STATUS_INVALID);
    assert_int_equal(host_log_count("memory.refused", "message="), 3);
}

static void test_full_map_and_full_table(void **state)
{
    while (boot.range_count < BOOT_MAX_RANGES)
        add(MIB(1) + MIB(2) * boot.range_count, MIB(1), BOOT_MEMORY_USABLE);
    init();
    check_table();
    assert_int_equal(table_size(), BOOT_MAX_RANGES);
    /* Each page of a piece for another owner makes one more entry, until the table is full. */
    enum status status = STATUS_OK;
    uint64_t base;
    unsigned claims = 0;
    while (status == STATUS_OK && claims < 2 * FRAME_MAX_RANGES) {
        unsigned piece = claims % BOOT_MAX_RANGES, page = claims / BOOT_MAX_RANGES;
        status = frames_transfer(MIB(1) + MIB(2) * piece + page * PAGE_SIZE, PAGE_SIZE,
                                 OWNER_NOBODY, OWNER_GUEST(page));
        claims += status == STATUS_OK;
    }
    assert_int_equal(status, STATUS_FULL);
    assert_true(claims >= FRAME_MAX_RANGES - BOOT_MAX_RANGES - 2);
    check_table();
    uint64_t taken = 0;
    for (unsigned page = 0; page <= claims / BOOT_MAX_RANGES; page++)
        taken += frames_bytes(OWNER_GUEST(page));
    assert_int_equal(taken, claims * PAGE_SIZE);
    assert_int_equal(frames_claim(OWNER_GUEST(99), PAGE_SIZE, PAGE_SIZE, 0, &base), STATUS_FULL);
    assert_int_equal(frames_bytes(OWNER_GUEST(99)), 0);
}

static void test_claims(void **state)
{
    add(0, KIB(640), BOOT_MEMORY_USABLE);
    add(MIB(1), MIB(7), BOOT_MEMORY_USABLE);
    add(GIB(4), MIB(8), BOOT_MEMORY_USABLE);
    init();
    uint64_t base = 0;
    assert_int_equal(frames_claim(OWNER_HYPERVISOR, PAGE_2M, PAGE_2M, 0, &base), STATUS_OK);
    assert_int_equal(base, GIB(4) + MIB(6));
    assert_int_equal(frames_claim(OWNER_HYPERVISOR, PAGE_SIZE, PAGE_SIZE, GIB(4), &base),
                     STATUS_OK);
    assert_int_equal(base, MIB(8) - PAGE_SIZE);
    /* aligned down past what the limit and the last claim leave */
    assert_int_equal(frames_claim(OWNER_GUEST(0), PAGE_2M, PAGE_2M, GIB(4), &base), STATUS_OK);
    assert_int_equal(base, MIB(4));
    assert_int_equal(frames_claim(OWNER_GUEST(0), PAGE_SIZE, PAGE_SIZE, MIB(3), &base), STATUS_OK);
    assert_int_equal(base, MIB(3) - PAGE_SIZE);
    assert_int_equal(frames_claim(OWNER_GUEST(1), MIB(16), PAGE_SIZE, 0, &base), STATUS_NO_MEMORY);
    assert_int_equal(frames_claim(OWNER_GUEST(1), PAGE_SIZE, PAGE_1G, MIB(8), &base),
                     STATUS_NO_MEMORY);
    assert_int_equal(frames_claim(OWNER_GUEST(1), PAGE_SIZE, PAGE_SIZE, KIB(640), &base),
                     STATUS_NO_MEMORY); /* never below 1 MiB */
    assert_int_equal(base, MIB(3) - PAGE_SIZE);
    check_table();
    /* everything above 1 MiB can be had, to the last page */
    while (frames_claim(OWNER_GUEST(2), PAGE_SIZE, PAGE_SIZE, 0, &base) == STATUS_OK)
        assert_true(base >= MIB(1));
    assert_int_equal(frames_bytes(OWNER_NOBODY), KIB(640));
    assert_int_equal(base, MIB(1));
    check_table();
}

static void test_claim_arguments(void **state)
{
    add(MIB(1), MIB(7), BOOT_MEMORY_USABLE);
    init();
    uint64_t base;
    assert_int_equal(frames_claim(OWNER_GUEST(0), 0, PAGE_SIZE, 0, &base), STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_GUEST(0), 100, PAGE_SIZE, 0, &base), STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_GUEST(0), PAGE_SIZE, 0, 0, &base), STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_GUEST(0), PAGE_SIZE, 1, 0, &base), STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_GUEST(0), PAGE_SIZE, 3 * PAGE_SIZE, 0, &base),
                     STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_NOBODY, PAGE_SIZE, PAGE_SIZE, 0, &base), STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_GUEST(0), UINT64_MAX - 4095, PAGE_SIZE, 0, &base),
                     STATUS_INVALID);
    assert_int_equal(frames_claim(OWNER_GUEST(0), BIT(52), PAGE_SIZE, 0, &base), STATUS_NO_MEMORY);
}

static void test_low_page(void **state)
{
    add(0, 2 * PAGE_SIZE, BOOT_MEMORY_USABLE);
    add(KIB(768), PAGE_SIZE, BOOT_MEMORY_USABLE); /* no SIPI can start there */
    add(MIB(1), MIB(7), BOOT_MEMORY_USABLE);
    init();
    uint64_t base = 0;
    assert_int_equal(frames_claim_low_page(&base), STATUS_OK);
    assert_int_equal(base, PAGE_SIZE);
    assert_int_equal(frames_owner(base), OWNER_HYPERVISOR);
    assert_int_equal(frames_claim_low_page(&base), STATUS_NO_MEMORY); /* not page 0 */
}

static void test_transfer_is_all_or_nothing(void **state)
{
    add(MIB(1), MIB(1), BOOT_MEMORY_USABLE);
    add(MIB(2), MIB(1), BOOT_MEMORY_MMIO);
    init();
    assert_int_equal(
        frames_transfer(MIB(2) - PAGE_SIZE, 2 * PAGE_SIZE, OWNER_NOBODY, OWNER_GUEST(0)),
        STATUS_DENIED);
    assert_int_equal(frames_transfer(MIB(2), PAGE_SIZE, OWNER_NOBODY, OWNER_GUEST(0)),
                     STATUS_DENIED);
    assert_int_equal(frames_transfer(MIB(3) - PAGE_SIZE, 2 * PAGE_SIZE, OWNER_MMIO, OWNER_GUEST(0)),
                     STATUS_DENIED); /* runs into OWNER_NONE */
    assert_int_equal(frames_transfer(MIB(3) - PAGE_SIZE, 2 * PAGE_SIZE, OWNER_NONE, OWNER_GUEST(0)),
                     STATUS_DENIED);
    assert_int_equal(frames_bytes(OWNER_GUEST(0)), 0);
    assert_int_equal(frames_transfer(MIB(2) + 8, PAGE_SIZE, OWNER_MMIO, OWNER_GUEST(0)),
                     STATUS_INVALID);
    assert_int_equal(frames_transfer(MIB(2), 0, OWNER_MMIO, OWNER_GUEST(0)), STATUS_INVALID);

    assert_int_equal(frames_transfer(MIB(2) + PAGE_SIZE, PAGE_SIZE, OWNER_MMIO, OWNER_GUEST(0)),
                     STATUS_OK);
    assert_int_equal(table_size(), 4);
    assert_int_equal(frames_transfer(GIB(3), MIB(4), OWNER_NONE, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(frames_owner(GIB(3)), OWNER_GUEST(0));
    /* device memory can never become free RAM */
    assert_int_equal(frames_transfer(GIB(3), MIB(4), OWNER_GUEST(0), OWNER_NOBODY), STATUS_DENIED);
    assert_int_equal(frames_transfer(GIB(3), MIB(4), OWNER_GUEST(0), OWNER_NONE), STATUS_OK);
    assert_int_equal(frames_owner(GIB(3)), OWNER_NONE);
    assert_int_equal(frames_transfer(MIB(2) + PAGE_SIZE, PAGE_SIZE, OWNER_GUEST(0), OWNER_MMIO),
                     STATUS_OK);
    assert_int_equal(table_size(), 2);
    check_table();
}

static void test_release_returns_ram_only(void **state)
{
    add(MIB(1), MIB(7), BOOT_MEMORY_USABLE);
    add(MIB(8), MIB(8), BOOT_MEMORY_LOADER);
    add(MIB(16), MIB(1), BOOT_MEMORY_MMIO);
    init();
    uint64_t base;
    for (int i = 0; i < 3; i++)
        assert_int_equal(frames_claim(OWNER_GUEST(3), MIB(1), PAGE_SIZE, 0, &base), STATUS_OK);
    assert_int_equal(frames_transfer(MIB(16), MIB(1), OWNER_MMIO, OWNER_GUEST(3)), STATUS_OK);
    frames_release_all(OWNER_LOADER);
    assert_int_equal(frames_bytes(OWNER_LOADER), 0);
    frames_release_all(OWNER_GUEST(3));
    check_table();
    assert_int_equal(table_size(), 2); /* neighbours have merged */
    assert_int_equal(frames_bytes(OWNER_NOBODY), MIB(15));
    assert_int_equal(frames_owner(MIB(16)), OWNER_GUEST(3));
    frames_release_all(OWNER_NOBODY);
    frames_release_all(OWNER_NONE);
    assert_int_equal(frames_bytes(OWNER_NOBODY), MIB(15));
    assert_int_equal(frames_claim(OWNER_GUEST(4), MIB(15), PAGE_SIZE, 0, &base), STATUS_OK);
}

/* A guest's device memory right behind its RAM is one merged range: only the RAM comes back. */
static void test_release_cuts_merged_device_memory(void **state)
{
    add(MIB(1), MIB(1), BOOT_MEMORY_USABLE);
    add(MIB(2), MIB(1), BOOT_MEMORY_MMIO);
    init();
    assert_int_equal(frames_transfer(MIB(1), MIB(1), OWNER_NOBODY, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(frames_transfer(MIB(2), MIB(1), OWNER_MMIO, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(table_size(), 1);
    frames_release_all(OWNER_GUEST(0));
    assert_int_equal(frames_owner(MIB(2) - 1), OWNER_NOBODY);
    assert_int_equal(frames_owner(MIB(2)), OWNER_GUEST(0));
    check_table();
}

static void test_owner_names(void **state)
{
    assert_string_equal(owner_kind(OWNER_NOBODY), "free");
    assert_string_equal(owner_kind(OWNER_HYPERVISOR), "hypervisor");
    assert_string_equal(owner_kind(OWNER_FIRMWARE), "firmware");
    assert_string_equal(owner_kind(OWNER_MMIO), "mmio");
    assert_string_equal(owner_kind(OWNER_LOADER), "loader");
    assert_string_equal(owner_kind(OWNER_NONE), "none");
    assert_string_equal(owner_kind(9), "unknown");
    assert_string_equal(owner_kind(OWNER_GUEST(3)), "guest");
}

/* --- randomised, against one owner per page --- */
#define PAGES      4096u
#define FIRST_PAGE 256u /* 1 MiB */

static owner_t model[PAGES];
static bool model_ram[PAGES];
static uint32_t random_state = 77777;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static void compare(void)
{
    check_table();
    uint64_t pages[20] = {0};
    for (unsigned page = 0; page < PAGES; page++) {
        assert_int_equal(frames_owner((uint64_t)page * PAGE_SIZE), model[page]);
        if (model[page] < ARRAY_SIZE(pages))
            pages[model[page]]++;
    }
    for (unsigned owner = 0; owner < ARRAY_SIZE(pages); owner++)
        if (owner != OWNER_NONE)
            assert_int_equal(frames_bytes((owner_t)owner), pages[owner] * PAGE_SIZE);
}

static uint64_t model_claim(uint64_t pages, uint64_t alignment, uint64_t limit)
{
    for (uint64_t at = MIN(limit, (uint64_t)PAGES); at-- > FIRST_PAGE;) {
        bool fits = at % alignment == 0 && at + pages <= MIN(limit, (uint64_t)PAGES);
        for (uint64_t i = at; fits && i < at + pages; i++)
            fits = model[i] == OWNER_NOBODY;
        if (fits)
            return at;
    }
    return 0;
}

static void random_operation(void)
{
    owner_t guest = OWNER_GUEST(next_random() % 4);
    uint64_t pages = 1 + next_random() % 64;
    uint64_t first = next_random() % (PAGES - pages);
    switch (next_random() % 8) {
    case 0:
        frames_release_all(guest);
        for (unsigned i = 0; i < PAGES; i++)
            if (model[i] == guest && model_ram[i])
                model[i] = OWNER_NOBODY;
        break;
    case 1:
    case 2:
    case 3: {
        uint64_t alignment = 1u << next_random() % 8;
        uint64_t limit = next_random() % 2 == 0 ? 0 : next_random() % PAGES;
        uint64_t expected = model_claim(pages, alignment, limit == 0 ? PAGES : limit);
        uint64_t base = 0;
        enum status status =
            frames_claim(guest, pages * PAGE_SIZE, alignment * PAGE_SIZE, limit * PAGE_SIZE, &base);
        assert_int_equal(status, expected == 0 ? STATUS_NO_MEMORY : STATUS_OK);
        assert_int_equal(base, expected * PAGE_SIZE);
        for (uint64_t i = 0; expected != 0 && i < pages; i++)
            model[expected + i] = guest;
        break;
    }
    default: {
        static const owner_t to[] = {OWNER_NOBODY, OWNER_MMIO, OWNER_NONE, OWNER_GUEST(1)};
        owner_t target = to[next_random() % ARRAY_SIZE(to)];
        owner_t from = model[first];
        bool owned = true, ram = true;
        for (uint64_t i = first; i < first + pages; i++) {
            owned &= model[i] == from;
            ram &= model_ram[i];
        }
        bool allowed = owned && (target != OWNER_NOBODY || ram);
        assert_int_equal(frames_owned_by(first * PAGE_SIZE, pages * PAGE_SIZE, from), owned);
        assert_int_equal(frames_transfer(first * PAGE_SIZE, pages * PAGE_SIZE, from, target),
                         allowed ? STATUS_OK : STATUS_DENIED);
        for (uint64_t i = first; allowed && i < first + pages; i++)
            model[i] = target;
        break;
    }
    }
}

static void test_random_against_model(void **state)
{
    static const struct {
        enum boot_memory_type type;
        owner_t owner;
    } rising[] = {
        {BOOT_MEMORY_USABLE, OWNER_NOBODY},
        {BOOT_MEMORY_LOADER, OWNER_LOADER},
        {BOOT_MEMORY_MMIO, OWNER_MMIO},
        {BOOT_MEMORY_RESERVED, OWNER_FIRMWARE},
    };
    for (unsigned round = 0; round < 20; round++) {
        clear(NULL);
        uint32_t priority[PAGES] = {0};
        add(MIB(1), MIB(8), BOOT_MEMORY_USABLE);
        for (unsigned i = 0; i < 60; i++) {
            uint64_t pages = next_random() % 100;
            add(next_random() % (PAGES - pages) * PAGE_SIZE, pages * PAGE_SIZE,
                rising[next_random() % ARRAY_SIZE(rising)].type);
        }
        for (uint32_t i = 0; i < boot.range_count; i++)
            for (unsigned r = 0; r < ARRAY_SIZE(rising); r++)
                if (rising[r].type == boot.ranges[i].type)
                    for (uint64_t page = boot.ranges[i].base / PAGE_SIZE;
                         page < (boot.ranges[i].base + boot.ranges[i].size) / PAGE_SIZE; page++)
                        priority[page] = MAX(priority[page], r + 1);
        for (unsigned i = 0; i < PAGES; i++) {
            model[i] = priority[i] == 0 ? OWNER_NONE : rising[priority[i] - 1].owner;
            model_ram[i] = model[i] == OWNER_NOBODY || model[i] == OWNER_LOADER;
        }
        init();
        compare();
        for (unsigned i = 0; i < 400; i++) {
            random_operation();
            if (i % 16 == 0)
                compare();
        }
        compare();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_map_is_sorted_and_merged, clear),
        cmocka_unit_test_setup(test_overlaps_go_to_the_more_protected, clear),
        cmocka_unit_test_setup(test_duplicates_are_quiet, clear),
        cmocka_unit_test_setup(test_misaligned_entries, clear),
        cmocka_unit_test_setup(test_wrap_around, clear),
        cmocka_unit_test_setup(test_maps_that_cannot_be_used, clear),
        cmocka_unit_test_setup(test_full_map_and_full_table, clear),
        cmocka_unit_test_setup(test_claims, clear),
        cmocka_unit_test_setup(test_claim_arguments, clear),
        cmocka_unit_test_setup(test_low_page, clear),
        cmocka_unit_test_setup(test_transfer_is_all_or_nothing, clear),
        cmocka_unit_test_setup(test_release_returns_ram_only, clear),
        cmocka_unit_test_setup(test_release_cuts_merged_device_memory, clear),
        cmocka_unit_test_setup(test_owner_names, clear),
        cmocka_unit_test_setup(test_random_against_model, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
