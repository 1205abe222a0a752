/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/guest_memory.c hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/setup/affinity.c hypervisor/setup/nodes.c hypervisor/memory/format_ept.c
// SOURCES: hypervisor/setup/topology.c
// SOURCES: hypervisor/memory/frames.c hypervisor/setup/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c
/* Of which pieces a guest's RAM is made, where it sees them, and what is refused. */
#include <string.h>

#include "hypervisor/assign/assignment.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/guest_memory.h"
#include "hypervisor/setup/iommu.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/guest_tables.h"
#include "tests/unit/support/host.h"

static struct boot_info boot;
static struct config_guest config;
static struct guest guest;
static uint32_t width;
static uint64_t device_end;

uint64_t iommu_address_end(void)
{
    return device_end;
}

static struct cpuid_result query(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid_result){.eax = leaf == 0x80000008u ? 0x3000 | width
                                        : width != 0        ? 0x80000008u
                                                            : 0x80000004u};
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

static int fresh(void **state)
{
    memset(&boot, 0, sizeof boot);
    config = (struct config_guest){.cpus = 1, .place = {7, 1}};
    guest = (struct guest){.name = "alpha", .owner = OWNER_GUEST(0), .config = &config};
    width = 46;
    device_end = BIT(39);
    max_leaf = max_execute = 3;
    host_pages_limit(SIZE_MAX);
    host_log_clear();
    return 0;
}

static int done(void **state)
{
    guest_memory_release(&guest);
    host_pages_limit(SIZE_MAX);
    return pages_in_use() == 0 && frames_bytes(OWNER_GUEST(0)) == 0 ? 0 : -1;
}

static void ram(uint64_t base, uint64_t size)
{
    boot.ranges[boot.range_count++] = (struct boot_memory_range){base, size, BOOT_MEMORY_USABLE, 0};
}

static struct cpu cpu;

struct cpu *cpu_at(unsigned index)
{
    return index == 0 ? &cpu : NULL;
}

unsigned cpu_count(void)
{
    return 1;
}

/* All memory is one node's. */
static enum status create_for(struct guest *its)
{
    static const struct srat none;
    const struct affinity affinity = {.guest = its, .node = NODE_NONE};
    nodes_init(&none, &boot);
    return guest_memory_create(its, &affinity, query);
}

static enum status create(uint64_t size)
{
    config.memory = size;
    return create_for(&guest);
}

/* All of it is there once, in the host's memory and in the guest's, and nothing else. */
static void sound(void)
{
    uint64_t offset = 0, mapped = 0;
    struct page_walk walk;
    for (unsigned i = 0; i < guest.piece_count; i++) {
        const struct memory_piece *piece = &guest.pieces[i];
        assert_int_equal(piece->at, guest_address_of(offset));
        assert_true(piece->size != 0 &&
                    IS_ALIGNED(piece->at | piece->physical | piece->size, PAGE_2M));
        assert_true(frames_owned_by(piece->physical, piece->size, guest.owner));
        for (unsigned other = 0; other < i; other++)
            assert_true(piece->physical >=
                            guest.pieces[other].physical + guest.pieces[other].size ||
                        piece->physical + piece->size <= guest.pieces[other].physical);
        page_table_walk(&guest.memory, piece->at, &walk);
        assert_true(walk.present && walk.physical == piece->physical);
        page_table_walk(&guest.memory, piece->at + piece->size - 1, &walk);
        assert_true(walk.present && walk.physical == piece->physical + piece->size - 1);
        offset += piece->size;
    }
    assert_int_equal(offset, config.memory);
    assert_int_equal(guest.memory_size, config.memory);
    assert_int_equal(frames_bytes(guest.owner), config.memory);
    for (uint64_t at = 0; page_table_next(&guest.memory, &at, &walk); at += walk.page_size) {
        assert_true(walk.page_size > PAGE_SIZE);
        assert_true(guest_memory_is(&guest, at, walk.physical, walk.page_size));
        mapped += walk.page_size;
    }
    assert_int_equal(mapped, config.memory);
}

static uint64_t page_at(uint64_t address)
{
    struct page_walk walk;
    page_table_walk(&guest.memory, address, &walk);
    return walk.page_size;
}

static void a_small_guest_is_one_piece(void **state)
{
    ram(MIB(1), MIB(511));
    ram(GIB(4), MIB(512));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(MIB(32)), STATUS_OK);
    sound();
    assert_int_equal(guest.piece_count, 1);
    assert_int_equal(guest.pieces[0].physical, GIB(4) + MIB(480));
    assert_int_equal(guest.bar_windows[0].base, GUEST_BAR_BASE);
    assert_int_equal(guest.bar_windows[0].end, GUEST_BAR_END);
    assert_int_equal(guest.bar_windows[1].base, GIB(4));
    assert_int_equal(guest.bar_windows[1].end, BIT(46));
    guest_memory_log(&guest);
    assert_int_equal(host_log_count("guest.memory", NULL), 0);
    assert_int_equal(host_log_count("guest.tables", "memory_largest=2M"), 1);
}

/* 2 GiB below the hole and the rest from 4 GiB on, in pages of 1 GiB. */
static void a_large_guest_has_large_pages(void **state)
{
    ram(MIB(1), GIB(2) - MIB(1));
    ram(GIB(4), GIB(68));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(GIB(64) + MIB(2)), STATUS_OK);
    sound();
    for (uint64_t at = 0; at < GIB(66); at += GIB(1))
        if (at < GUEST_LOW_END || at >= GUEST_HIGH_BASE)
            assert_int_equal(page_at(at), PAGE_1G);
    assert_int_equal(page_at(GIB(66)), PAGE_2M);
    assert_true(guest.piece_count <= 3);
    assert_int_equal(guest.memory.table_pages, 3); /* the root, one of 512 GiB and one of 1 GiB */
    assert_int_equal(guest.bar_windows[1].base, GIB(67));
    guest_memory_log(&guest);
    assert_int_equal(host_log_count("guest.memory", "name=alpha at=0x0 base="), 1);
    assert_int_equal(host_log_count("guest.memory", "name=alpha at=0x100000000 base="), 1);
    assert_int_equal(host_log_count("guest.tables", "memory_largest=1G"), 1);
}

/* Whole GiBs first, wherever they are; the pages of what is left are at the guest's end. */
static void pieces_are_put_together(void **state)
{
    ram(GIB(1) - MIB(100), GIB(1) + MIB(200));
    ram(GIB(4) + MIB(500), MIB(1000)); /* not one page of 1 GiB */
    ram(GIB(9), GIB(2));
    ram(GIB(20) + MIB(2), MIB(24));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(GIB(4) + MIB(2)), STATUS_OK);
    sound();
    assert_int_equal(guest.pieces[0].physical, GIB(9));
    assert_int_equal(guest.pieces[0].size, GIB(2));
    assert_int_equal(page_at(0), PAGE_1G);
    assert_int_equal(page_at(GIB(1)), PAGE_1G);
    assert_int_equal(page_at(GIB(4)), PAGE_1G);
    assert_int_equal(guest.pieces[1].physical, GIB(1));
    assert_int_equal(guest.pieces[2].size, MIB(1000)); /* the largest of the others */
    assert_int_equal(page_at(GIB(5)), PAGE_2M);
    assert_true(guest.piece_count > 3);
}

static void without_large_pages(void **state)
{
    max_leaf = max_execute = 2;
    ram(GIB(4), GIB(16));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(GIB(6)), STATUS_OK);
    sound();
    assert_int_equal(page_at(0), PAGE_2M);
    assert_true(guest.memory.table_pages * PAGE_SIZE <= 6 * KIB(4) + KIB(16));
}

/* Where code may not run from large pages, no page that is mapped at boot is executable. */
static void code_gets_its_pages_later(void **state)
{
    struct page_walk walk;
    max_execute = 1;
    ram(GIB(4), GIB(8));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(GIB(3)), STATUS_OK);
    sound();
    for (uint64_t at = 0; page_table_next(&guest.memory, &at, &walk); at += walk.page_size)
        assert_int_equal(walk.rights, PAGE_READ | PAGE_WRITE);
}

/* --- what is refused: by name, and nothing is kept --- */

static void expect_refused(uint64_t size, enum status status, const char *message)
{
    uint64_t before = frames_bytes(OWNER_NOBODY);
    host_log_clear();
    assert_int_equal(create(size), status);
    assert_int_equal(host_log_count("guest.refused", message), 1);
    assert_int_equal(host_log_count("guest.refused", "guest=alpha line=7"), 1);
    guest_memory_release(&guest);
    assert_int_equal(guest.memory_size + guest.piece_count, 0);
    assert_int_equal(frames_bytes(OWNER_NOBODY), before);
}

static void what_does_not_fit(void **state)
{
    ram(MIB(2), MIB(94));
    ram(GIB(4), GIB(3));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    expect_refused(GIB(24), STATUS_NO_MEMORY,
                   "memory = 24G does not fit: 3166 MiB free, largest piece 3072 MiB, in at most "
                   "16 pieces");
    expect_refused(GIB(3) + MIB(96), STATUS_NO_MEMORY, "does not fit");
    assert_int_equal(create(GIB(3) + MIB(94)), STATUS_OK);
    sound();
}

/* One piece more than there may be, each of which is free. */
static void too_many_pieces(void **state)
{
    for (unsigned i = 0; i <= GUEST_MAX_PIECES; i++)
        ram(GIB(4) + i * MIB(16), MIB(4));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    expect_refused((GUEST_MAX_PIECES + 1) * MIB(4), STATUS_NO_MEMORY,
                   "68 MiB free, largest piece 4 MiB, in at most 16 pieces");
    assert_int_equal(create(GUEST_MAX_PIECES * MIB(4)), STATUS_OK);
    sound();
    assert_int_equal(guest.piece_count, GUEST_MAX_PIECES);
}

static void what_reaches_too_far(void **state)
{
    ram(GIB(4), GIB(1000));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    width = 36;
    expect_refused(GIB(62) + MIB(2), STATUS_UNSUPPORTED, "the CPU's physical addresses at 0xfff");
    assert_int_equal(create(GIB(62)), STATUS_OK);
    sound();
    /* no room is left for BARs above it, and that is a window of no length */
    assert_int_equal(guest.bar_windows[1].base, guest.bar_windows[1].end);
    guest_memory_release(&guest);
    width = 0; /* does not tell: 36 bits */
    expect_refused(GIB(62) + MIB(2), STATUS_UNSUPPORTED, "the CPU's physical addresses at 0xfff");
    width = 52; /* the tables translate less */
    expect_refused(GUEST_MAX_MEMORY + PAGE_2M, STATUS_UNSUPPORTED, "more memory than");
    assert_int_equal(create(GUEST_MAX_MEMORY), STATUS_OK);
    sound();
    assert_int_equal(guest.bar_windows[1].end, BIT(48));
    guest_memory_release(&guest);
    device_end = BIT(37);
    assert_int_equal(create(GIB(300)), STATUS_OK); /* it has no devices */
    guest_memory_release(&guest);
    config.device_count = 1;
    expect_refused(GIB(300), STATUS_UNSUPPORTED, "through the IOMMU at 0x1fffffffff");
    assert_int_equal(create(GIB(126)), STATUS_OK);
}

static void without_pages_for_tables(void **state)
{
    unsigned refused = 0;
    ram(GIB(4), GIB(16));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    for (size_t pages = 0;; pages++) {
        host_pages_limit(pages);
        enum status status = create(GIB(6));
        if (status == STATUS_OK)
            break;
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_int_equal(host_log_count("guest.refused", "no memory left for its tables"),
                         ++refused);
        guest_memory_release(&guest);
        assert_int_equal(pages_in_use(), 0);
        assert_int_equal(frames_bytes(OWNER_NOBODY), GIB(16));
    }
    assert_true(refused >= 2);
    sound();
}

/* A second guest gets what the first one has not. */
static void no_piece_is_given_twice(void **state)
{
    static struct guest second;
    second = (struct guest){.name = "beta", .owner = OWNER_GUEST(1), .config = &config};
    ram(GIB(1), GIB(1));
    ram(GIB(4), GIB(5));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(GIB(3)), STATUS_OK);
    assert_int_equal(create_for(&second), STATUS_OK);
    sound();
    for (unsigned i = 0; i < second.piece_count; i++)
        assert_true(
            frames_owned_by(second.pieces[i].physical, second.pieces[i].size, OWNER_GUEST(1)));
    assert_int_equal(frames_bytes(OWNER_NOBODY), 0);
    guest_memory_release(&second);
}

/* --- BARs above the RAM --- */

static void the_window_is_what_is_used(void **state)
{
    static struct assignment large, small;
    large.bars[4] = (struct guest_bar){.size = GIB(16), .guest_base = GIB(16)};
    small.bars[0] = (struct guest_bar){.size = MIB(1), .guest_base = GUEST_BAR_BASE};
    ram(GIB(4), GIB(1));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(create(MIB(64)), STATUS_OK);
    guest.assignments[0] = &small;
    guest.assignments[1] = &large;
    guest.assignment_count = 2;
    guest_memory_close_window(&guest);
    assert_int_equal(guest.bar_windows[1].base, GIB(16));
    assert_int_equal(guest.bar_windows[1].end, GIB(32));
    guest.assignment_count = 1;
    guest_memory_close_window(&guest);
    assert_int_equal(guest.bar_windows[1].end, guest.bar_windows[1].base);
    assert_int_equal(guest.bar_windows[0].end, GUEST_BAR_END);
}

/* --- which addresses are RAM --- */

static void addresses_of_ram(void **state)
{
    static const struct {
        uint64_t memory, address, size;
        bool there;
    } cases[] = {
        {GIB(3), 0, GIB(2), true},           {GIB(3), 0, GIB(2) + 1, false},
        {GIB(3), GIB(2) - 1, 1, true},       {GIB(3), GIB(2) - 1, 2, false},
        {GIB(3), GIB(2), 0, true},           {GIB(3), GIB(2), 1, false},
        {GIB(3), GIB(2) + 1, 0, false},      {GIB(3), GIB(4) - 1, 1, false},
        {GIB(3), GIB(4) - 1, 2, false},      {GIB(3), GIB(4), GIB(1), true},
        {GIB(3), GIB(4), GIB(1) + 1, false}, {GIB(3), GIB(5) - 1, 1, true},
        {GIB(3), GIB(5), 1, false},          {GIB(3), GIB(5) + 1, 0, false},
        {GIB(3), UINT64_MAX, 2, false},      {GIB(3), GIB(4), UINT64_MAX, false},
        {MIB(2), MIB(2) - 3, 3, true},       {MIB(2), MIB(2) - 3, 4, false},
        {MIB(2), MIB(2) + 1, 0, false},      {MIB(2), GIB(4), 1, false},
        {MIB(2), UINT64_MAX, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        guest.memory_size = cases[i].memory;
        assert_int_equal(guest_memory_has(&guest, cases[i].address, cases[i].size), cases[i].there);
    }
    guest.memory_size = 0;

    guest.piece_count = 2;
    guest.pieces[0] = (struct memory_piece){0, GIB(8), MIB(2)};
    guest.pieces[1] = (struct memory_piece){MIB(2), GIB(1), MIB(2)};
    assert_true(guest_memory_is(&guest, 0, GIB(8), MIB(2)));
    assert_true(guest_memory_is(&guest, MIB(3), GIB(1) + MIB(1), MIB(1)));
    assert_false(guest_memory_is(&guest, MIB(3), GIB(1) + MIB(1), MIB(1) + 1));
    assert_false(guest_memory_is(&guest, 0, GIB(8), MIB(2) + PAGE_SIZE));
    assert_false(guest_memory_is(&guest, 0, GIB(1), PAGE_SIZE));
    assert_false(guest_memory_is(&guest, MIB(4), GIB(1) + MIB(2), PAGE_SIZE));
    guest.piece_count = 0;
}

static void the_largest_piece(void **state)
{
    uint64_t base = 0;
    ram(MIB(1), MIB(7));
    ram(MIB(16) + PAGE_SIZE, MIB(8));
    ram(GIB(4), MIB(6));
    assert_int_equal(frames_init(&boot), STATUS_OK);
    assert_int_equal(frames_largest(0, UINT64_MAX, PAGE_2M, GIB(1), &base), MIB(6));
    assert_int_equal(base, GIB(4)); /* of equals the highest */
    assert_int_equal(frames_largest(0, GIB(4), PAGE_2M, GIB(1), &base), MIB(6));
    assert_int_equal(base, MIB(18));
    assert_int_equal(frames_largest(0, MIB(10), PAGE_2M, GIB(1), &base), MIB(6));
    assert_int_equal(base, MIB(2));
    assert_int_equal(frames_largest(MIB(4), MIB(10), PAGE_2M, GIB(1), &base), MIB(4));
    assert_int_equal(base, MIB(4));
    assert_int_equal(frames_largest(0, UINT64_MAX, PAGE_2M, MIB(2), &base), MIB(2));
    assert_int_equal(base, GIB(4) + MIB(4));
    assert_int_equal(frames_largest(0, UINT64_MAX, PAGE_1G, GIB(1), &base), MIB(6));
    assert_int_equal(base, GIB(4));
    assert_int_equal(frames_largest(MIB(30), GIB(3), PAGE_2M, GIB(1), &base), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(a_small_guest_is_one_piece),
        TEST(a_large_guest_has_large_pages),
        TEST(pieces_are_put_together),
        TEST(without_large_pages),
        TEST(code_gets_its_pages_later),
        TEST(what_does_not_fit),
        TEST(too_many_pieces),
        TEST(what_reaches_too_far),
        TEST(without_pages_for_tables),
        TEST(no_piece_is_given_twice),
        TEST(the_window_is_what_is_used),
        TEST(addresses_of_ram),
        TEST(the_largest_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
