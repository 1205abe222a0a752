/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/assignment.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/pci/life.c hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c hypervisor/setup/frames.c
/* Giving functions to guests: what they get, who may have what, and what is left behind when a step
 * fails. */
#include "tests/unit/support/device_fixture.h"

static void test_assign(void **state)
{
    assert_int_equal(assign(0), STATUS_OK);
    expect_trace("map table, whole reset, decode, config");
    assert_int_equal(function.owner, OWNER_GUEST(0));
    assert_int_equal(host_log_count("device.assigned", "guest=alpha rid=01:00.0"), 1);

    /* BARs one after the other, aligned to their size; the MSI-X table's page is left out. */
    assert_int_equal(device.bars[0].guest_base, GUEST_BAR_BASE);
    assert_int_equal(device.bars[2].size, 0);
    const uint64_t second = GUEST_BAR_BASE + 0x20000;
    assert_int_equal(device.bars[3].guest_base, second);
    assert_int_equal(next_bar[0], second + 0x8000);
    assert_true(device.bars[3].is_64bit && device.bars[3].prefetchable);
    assert_true(reaches(GUEST_BAR_BASE, BAR0) && reaches(GUEST_BAR_BASE + 0x1f000, BAR0 + 0x1f000));
    assert_true(reaches(second, BAR3) && reaches(second + 0x1000, BAR3 + 0x1000));
    assert_true(blocked(second + 0x2000));
    assert_true(reaches(second + 0x3000, BAR3 + 0x3000));
    assert_true(reaches(second + 0x7000, BAR3 + 0x7000));
    assert_true(blocked(second + 0x8000));

    assert_true(frames_owned_by(BAR0, 0x20000, OWNER_GUEST(0)));
    assert_true(frames_owned_by(BAR3, 0x2000, OWNER_GUEST(0)));
    assert_true(frames_owned_by(BAR3 + 0x2000, 0x1000, OWNER_HYPERVISOR));
    assert_true(frames_owned_by(BAR3 + 0x3000, 0x5000, OWNER_GUEST(0)));
    assert_int_equal(frames_owner(BAR3 + 0x8000), OWNER_NONE);

    assignment_unclaim(&device);
    assert_int_equal(frames_owner(BAR0), OWNER_MMIO);
    assert_true(frames_owned_by(BAR3, 0x8000, OWNER_MMIO));
    expect_nothing_left();
    /* And once more, to another guest. */
    memset(&device, 0, sizeof device);
    assert_int_equal(assign(1), STATUS_OK);
    assert_true(frames_owned_by(BAR3 + 0x3000, 0x5000, OWNER_GUEST(1)));
    assignment_unclaim(&device);
    expect_nothing_left();
}

static void test_a_vf_is_reset_unless_it_is_clean(void **state)
{
    static const enum pci_life lives[] = {PCI_CLEAN, PCI_UNKNOWN};
    for (unsigned i = 0; i < 2; i++) {
        if (i != 0)
            fresh(state);
        function.is_vf = true;
        function.life = lives[i];
        assert_int_equal(assign(0), STATUS_OK);
        expect_trace(i == 0 ? "map table, decode, config"
                            : "map table, whole reset, decode, config");
        assert_int_equal(function.life, PCI_CLEAN);
        assert_ptr_equal(device.pf, &pf);
        assignment_unclaim(&device);
        expect_nothing_left();
        done(state);
    }
    fresh(state);
}

/* A reset that failed is not tried again for the next guest; without a way to reset nothing was. */
static void test_what_cannot_be_reset_is_nobodys(void **state)
{
    failing = "whole reset";
    failure = STATUS_UNSUPPORTED;
    assert_int_equal(assign(0), STATUS_UNSUPPORTED);
    assert_int_equal(function.owner, OWNER_NOBODY);
    failure = STATUS_DEVICE;
    next_bar[0] = GUEST_BAR_BASE;
    assert_int_equal(assign(0), STATUS_DEVICE);
    assert_int_equal(function.owner, OWNER_HYPERVISOR);
    assert_int_equal(function.life, PCI_UNUSABLE);
    failing = NULL;
    trace[0] = '\0';
    for (unsigned guest = 0; guest < 2; guest++)
        assert_int_equal(assign(guest), STATUS_DENIED);
    assert_int_equal(host_log_count("device.refused", "only a reboot makes it usable"), 2);
    expect_trace("");
    function.owner = OWNER_NOBODY;
    expect_nothing_left();
}

static void test_without_msix(void **state)
{
    layout_status = STATUS_NOT_FOUND;
    assert_int_equal(assign(0), STATUS_OK);
    assert_false(device.has_msix);
    assert_true(frames_owned_by(BAR3, 0x8000, OWNER_GUEST(0)));
    assignment_unclaim(&device);
    expect_nothing_left();
}

static void test_msix_table_at_either_end(void **state)
{
    static const uint32_t offsets[] = {0, 0x7000};
    for (unsigned i = 0; i < 2; i++) {
        layout.table_offset = offsets[i];
        memset(&device, 0, sizeof device);
        next_bar[0] = GUEST_BAR_BASE;
        assert_int_equal(assign(0), STATUS_OK);
        const uint64_t base = device.bars[3].guest_base;
        for (uint64_t page = 0; page < 0x8000; page += PAGE_SIZE)
            assert_int_equal(blocked(base + page), page == offsets[i]);
        assignment_unclaim(&device);
        expect_nothing_left();
    }
}

/* A table that crosses a page boundary takes both pages. */
static void test_msix_table_over_two_pages(void **state)
{
    layout.table_offset = 0x2ff0;
    layout.pba_offset = 0x5000;
    assert_int_equal(assign(0), STATUS_OK);
    const uint64_t base = device.bars[3].guest_base;
    assert_true(!blocked(base + 0x1000) && blocked(base + 0x2000) && blocked(base + 0x3000) &&
                !blocked(base + 0x4000));
    assignment_unclaim(&device);
    expect_nothing_left();
}

/* Addresses of the hypervisor are not given out twice, so a guest's restarts must not take new
 * ones. */
static void test_msix_table_is_mapped_once(void **state)
{
    for (unsigned turn = 0; turn < 3; turn++) {
        next_bar[0] = GUEST_BAR_BASE;
        memset(&device, 0, sizeof device);
        assert_int_equal(assign(turn % 2), STATUS_OK);
        assert_true(device.msix_table != 0);
        assignment_unclaim(&device);
        expect_nothing_left();
    }
    assert_int_equal(mapped, 1);
    layout.table_offset += 0x40; /* a device that says something else now */
    next_bar[0] = GUEST_BAR_BASE;
    memset(&device, 0, sizeof device);
    assert_int_equal(assign(0), STATUS_OK);
    assert_int_equal(mapped, 2);
    assignment_unclaim(&device);
    expect_nothing_left();
    layout.vectors += 5; /* one whose table has grown: not a mapping that is too short */
    next_bar[0] = GUEST_BAR_BASE;
    memset(&device, 0, sizeof device);
    assert_int_equal(assign(0), STATUS_OK);
    assert_int_equal(mapped, 3);
    assignment_unclaim(&device);
    expect_nothing_left();
}

/* --- who may have what --- */

static void test_ownership(void **state)
{
    function.owner = OWNER_GUEST(1);
    expect_refusal(STATUS_BUSY, "owner=beta");
    function.owner = OWNER_GUEST(0);
    expect_refusal(STATUS_BUSY, "owner=alpha");
    function.owner = OWNER_HYPERVISOR;
    expect_refusal(STATUS_BUSY, "take a VF");
    function.owner = OWNER_NOBODY;
    function.is_bridge = true;
    expect_refusal(STATUS_DENIED, "bridge");
    expect_trace("");
}

/* Registers that are somebody else's, too, or were moved there since. */
static void test_registers_in_the_wrong_place(void **state)
{
    function.life = PCI_MISPLACED;
    expect_refusal(STATUS_DENIED, "pci.refused");
    function.life = PCI_UNKNOWN;
    moved = true;
    expect_refusal(STATUS_DENIED, "has moved since boot");
    function.is_vf = true;
    expect_refusal(STATUS_DENIED, "has moved since boot");
    expect_trace("");
    /* And not again once it was given: a start looks again. */
    moved = false;
    assert_int_equal(assign(0), STATUS_OK);
    trace[0] = '\0';
    moved = true;
    assert_int_equal(assignment_connect(&device), STATUS_DENIED);
    expect_trace("");
    moved = false;
    assignment_unclaim(&device);
    expect_nothing_left();
}

static void test_flash_must_be_accepted(void **state)
{
    configs[0].accept_flash[0] = 2;
    expect_refusal(STATUS_DENIED, "add accept_flash = uplink to");
    configs[0].flash_count = 0;
    expect_refusal(STATUS_DENIED, "option ROM");
    expect_trace("");
    /* A VF has none. */
    function.is_vf = true;
    assert_int_equal(assign(0), STATUS_OK);
    assignment_unclaim(&device);
    expect_nothing_left();
}

/* And even then its own BAR is nobody's. */
static void test_known_flash_stays_hidden(void **state)
{
    function.bar[1] = (struct pci_bar){.base = BAR0 + 0x20000, .size = 0x20000};
    for (size_t i = 0; i < 2; i++) {
        bool flash = i == 0;
        function.flash_bar = flash;
        memset(&device, 0, sizeof device);
        next_bar[0] = GUEST_BAR_BASE;
        host_log_clear();
        assert_int_equal(assign(0), STATUS_OK);
        assert_int_equal(device.bars[1].size != 0, !flash);
        assert_int_equal(host_log_count("device.bar_hidden", "bar=1 "), flash ? 1 : 0);
        assert_int_equal(frames_owner(BAR0 + 0x20000), flash ? OWNER_MMIO : OWNER_GUEST(0));
        assert_int_equal(device.bars[0].size, 0x20000);
        assignment_unclaim(&device);
        expect_nothing_left();
    }
    function.bar[1] = (struct pci_bar){.size = 0};
}

/* With 64-bit BARs it lies where the NVM has it: neither in BAR 0 nor where the MSI-X table is. */
static void test_flash_behind_64_bit_bars(void **state)
{
    struct pci_function nic = {.vendor = 0x8086, .flash_bar = true, .bar = {{.is_64bit = true}}};
    layout_status = STATUS_OK;
    layout = (struct msix_layout){.vectors = 10, .table_bar = 4, .pba_bar = 4};
    assert_false(assignment_bar_is_flash(&nic, 0) || assignment_bar_is_flash(&nic, 4));
    assert_true(assignment_bar_is_flash(&nic, 2));
}

static void test_without_confinement(void **state)
{
    covered = false;
    expect_refusal(STATUS_UNSUPPORTED, "no working IOMMU");
    covered = true;
    enabled = false;
    expect_refusal(STATUS_UNSUPPORTED, "no working IOMMU");
    enabled = true;
    remaps = false;
    expect_refusal(STATUS_DENIED, "unsafe_interrupts");
    expect_trace("");
    guests[0].unsafe_interrupts = true;
    assert_int_equal(assign(0), STATUS_OK);
    assignment_unclaim(&device);
}

static void firmware_keeps(uint64_t base, uint64_t size)
{
    regions[region_count++] = (struct iommu_region){.base = base, .size = size};
    firmwares = true;
}

/* Firmware's memory for the function: only a guest that names it gets the function, after a reset
 * and without that memory; given back unused, it is firmware's again. */
static void test_firmwares_functions(void **state)
{
    firmware_keeps(0x7b000000, 0x800000);
    firmware_keeps(0x7f000000, 0x1000);
    expect_refusal(STATUS_DENIED, "base=0x7b000000 size=0x800000 ");
    assert_int_equal(host_log_count("device.refused", "accept_reserved = 01:00.0 "), 1);
    assert_int_equal(host_log_count("device.refused", "0x7f000000"), 0);
    configs[0].accepted_count = 2;
    configs[0].accept_reserved[0] = RID(0, 1, 0, 1);
    configs[0].accept_reserved[1] = RID(1, 1, 0, 0);
    expect_refusal(STATUS_DENIED, "RMRR");
    expect_trace("");
    assert_true(firmwares);
    expect_nothing_left();

    configs[0].accept_reserved[1] = RID(0, 1, 0, 0);
    host_log_clear();
    assert_int_equal(assign(0), STATUS_OK);
    expect_trace("map table, whole reset, firmware off, decode, config");
    assert_int_equal(host_log_count("device.reserved", "guest=alpha device=01:00.0 base=0x7"), 2);
    assert_false(firmwares);
    assignment_unclaim(&device);
    assert_true(firmwares);
    expect_nothing_left();
}

static void test_firmwares_functions_that_stay(void **state)
{
    configs[0].accepted_count = 1;
    configs[0].accept_reserved[0] = function.rid;
    static const char *const steps[] = {"map table", "whole reset", "firmware off"};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        region_count = 0;
        firmware_keeps(0x7b000000, 0x800000);
        failing = steps[i];
        failure = i == 1 ? STATUS_UNSUPPORTED : STATUS_DEVICE;
        next_bar[0] = GUEST_BAR_BASE;
        expect_refusal(i == 0 ? STATUS_NO_MEMORY : failure, NULL);
        assert_true(firmwares);
        expect_nothing_left();
    }
}

/* Who reaches another guest's device, or one that the hypervisor drives, is not given away. */
static void test_neighbours_without_acs(void **state)
{
    union { /* with room for its members */
        struct acs_group group;
        const void *room[8];
    } both = {.group = {.culprit = &neighbour, .count = 2}};
    both.group.members[0] = &function;
    both.group.members[1] = &neighbour;
    function.group = &both.group;
    isolated = false;
    neighbour.owner = OWNER_GUEST(1);
    expect_refusal(STATUS_DENIED, "culprit=01:00.1 other=01:00.1 owner=beta");
    assert_int_equal(host_log_count("device.group", "count=2 members=\"01:00.0 01:00.1\""), 1);
    neighbour.owner = OWNER_HYPERVISOR;
    expect_refusal(STATUS_DENIED, "owner=hypervisor");
    neighbour.owner = OWNER_NOBODY;
    neighbour_firmwares = true;
    expect_refusal(STATUS_DENIED, "owner=firmware");
    neighbour_firmwares = false;
    assert_int_equal(host_log_count("device.refused", "to one guest"), 0);
    expect_trace("");
    static const struct {
        owner_t owner;
        bool isolated, bridge;
        uint32_t class_code;
    } fine[] = {
        {OWNER_GUEST(1), true, false, 0},
        {OWNER_GUEST(0), false, false, 0},
        {OWNER_NOBODY, false, false, 0},
        {OWNER_HYPERVISOR, false, true, 0x060400},
        {OWNER_HYPERVISOR, false, false, 0x060100},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
        memset(&device, 0, sizeof device);
        isolated = fine[i].isolated;
        neighbour.owner = fine[i].owner;
        neighbour.is_bridge = fine[i].bridge;
        neighbour.class_code = fine[i].class_code;
        next_bar[0] = GUEST_BAR_BASE;
        assert_int_equal(assign(0), STATUS_OK);
        assignment_unclaim(&device);
        expect_nothing_left();
    }
}

/* --- a step fails: nothing is left behind --- */

static void test_foreign_memory_under_a_bar(void **state)
{
    /* The last page of either BAR is somebody's: RAM, the IOMMU, another guest. */
    static const owner_t owners[] = {OWNER_HYPERVISOR, OWNER_GUEST(1), OWNER_FIRMWARE};
    for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
        for (unsigned bar = 0; bar < 2; bar++) {
            const uint64_t page = bar == 0 ? BAR0 + 0x1f000 : BAR3 + 0x7000;
            const owner_t was = frames_owner(page);
            assert_int_equal(frames_transfer(page, PAGE_SIZE, was, owners[i]), STATUS_OK);
            next_bar[0] = GUEST_BAR_BASE;
            expect_refusal(STATUS_DENIED, "another owner");
            assert_int_equal(frames_owner(page), owners[i]);
            assert_int_equal(frames_transfer(page, PAGE_SIZE, owners[i], was), STATUS_OK);
            expect_nothing_left();
        }
    function.bar[0].base = MIB(32);
    expect_refusal(STATUS_DENIED, "another owner");
    assert_int_equal(frames_owner(MIB(32)), OWNER_NOBODY);
    expect_nothing_left();
}

static void test_steps_of_assigning_that_fail(void **state)
{
    static const struct {
        const char *name;
        enum status status;
    } steps[] = {{"map table", STATUS_NO_MEMORY}, {"whole reset", STATUS_UNSUPPORTED}};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        failing = steps[i].name;
        failure = steps[i].status;
        next_bar[0] = GUEST_BAR_BASE;
        expect_refusal(steps[i].status, NULL);
        expect_nothing_left();
    }
}

static void test_running_out_of_pages_anywhere(void **state)
{
    unsigned refused = 0;
    for (size_t spare = 0;; spare++) {
        memset(&device, 0, sizeof device);
        next_bar[0] = GUEST_BAR_BASE;
        host_pages_limit(pages_before + spare);
        enum status status = assign(0);
        host_pages_limit(SIZE_MAX);
        if (status == STATUS_OK)
            break;
        assert_int_equal(status, STATUS_NO_MEMORY);
        expect_nothing_left();
        refused++;
    }
    assert_in_range(refused, 3, 8); /* vectors and three levels of tables */
    assignment_unclaim(&device);
    expect_nothing_left();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(test_assign),
        TEST(test_a_vf_is_reset_unless_it_is_clean),
        TEST(test_what_cannot_be_reset_is_nobodys),
        TEST(test_without_msix),
        TEST(test_msix_table_at_either_end),
        TEST(test_msix_table_over_two_pages),
        TEST(test_msix_table_is_mapped_once),
        TEST(test_ownership),
        TEST(test_registers_in_the_wrong_place),
        TEST(test_flash_must_be_accepted),
        TEST(test_known_flash_stays_hidden),
        TEST(test_flash_behind_64_bit_bars),
        TEST(test_without_confinement),
        TEST(test_firmwares_functions),
        TEST(test_firmwares_functions_that_stay),
        TEST(test_neighbours_without_acs),
        TEST(test_foreign_memory_under_a_bar),
        TEST(test_steps_of_assigning_that_fail),
        TEST(test_running_out_of_pages_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
