/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/assignment.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/pci/life.c hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c hypervisor/setup/frames.c
/* Where a function's BARs go in its guest's memory, and what cannot be laid out there. */
#include "tests/unit/support/device_fixture.h"

static void test_small_bars_are_hidden(void **state)
{
    function.bar[1] = (struct pci_bar){.base = 0xfe0ff000, .size = 0x800};
    function.bar[5] = (struct pci_bar){.base = 0xfe0fe400, .size = 0x400};
    assert_int_equal(assign(0), STATUS_OK);
    assert_int_equal(host_log_count("device.bar_hidden", "bar=1"), 1);
    assert_int_equal(host_log_count("device.bar_hidden", "bar=5"), 1);
    assert_int_equal(device.bars[1].size, 0);
    assert_int_equal(frames_owner(0xfe0ff000), OWNER_MMIO);
    assignment_unclaim(&device);
    expect_nothing_left();
}

static void test_devices_that_cannot_be_laid_out(void **state)
{
    layout_status = STATUS_INVALID;
    expect_refusal(STATUS_INVALID, "MSI-X");
    layout_status = STATUS_OK;
    layout.vectors = GUEST_MSIX_MAX + 1;
    expect_refusal(STATUS_UNSUPPORTED, "256");
    layout.vectors = 10;
    function.bar[3].base = 0;
    expect_refusal(STATUS_UNSUPPORTED, "without an address");
    expect_nothing_left();
    function.bar[3].base = BAR3;
    /* The window ends at 0xfe000000, also for what would wrap. */
    next_bar[0] = 0xfdff8000;
    expect_refusal(STATUS_NO_MEMORY, "do not fit");
    expect_nothing_left();
    next_bar[0] = GUEST_BAR_BASE;
    function.bar[0].size = BIT(63);
    expect_refusal(STATUS_NO_MEMORY, "do not fit");
    expect_nothing_left();
}

/* A 64-bit BAR for which there is no room below 4 GiB lies above the guest's memory, a 32-bit one
 * nowhere, and above the last address of the guest's nothing does. */
static void test_bars_above_4g(void **state)
{
    struct pci_bar *large = &function.bar[4];
    *large = (struct pci_bar){.base = GIB(512), .size = GIB(16), .is_64bit = true};
    assert_int_equal(assign(0), STATUS_OK);
    assert_int_equal(device.bars[3].guest_base, GUEST_BAR_BASE + 0x20000);
    assert_int_equal(device.bars[4].guest_base, GIB(16)); /* the first multiple of its size */
    assert_int_equal(next_bar[0], GUEST_BAR_BASE + 0x28000);
    assert_int_equal(next_bar[1], GIB(32));
    assert_true(reaches(GIB(16), GIB(512)) && reaches(GIB(32) - PAGE_SIZE, GIB(528) - PAGE_SIZE));
    assert_true(blocked(GIB(32)) && frames_owned_by(GIB(512), GIB(16), OWNER_GUEST(0)));
    assignment_withdraw(&device);
    assert_true(blocked(GIB(16)));
    assert_int_equal(guests[0].bar_windows[0].pulled_end, GUEST_BAR_BASE + 0x28000);
    assert_int_equal(guests[0].bar_windows[1].pulled_end, GIB(32));
    assignment_unclaim(&device);
    expect_nothing_left();

    memset(&device, 0, sizeof device);
    guests[0].bar_windows[1].end = GIB(32) - 1;
    next_bar[0] = GUEST_BAR_BASE;
    next_bar[1] = HIGH_BARS;
    expect_refusal(STATUS_NO_MEMORY, "do not fit");
    expect_nothing_left();
    guests[0].bar_windows[1].end = BIT(40);
    large->is_64bit = false;
    next_bar[0] = GUEST_BAR_BASE;
    expect_refusal(STATUS_NO_MEMORY, "do not fit");
    expect_nothing_left();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(test_small_bars_are_hidden),
        TEST(test_devices_that_cannot_be_laid_out),
        TEST(test_bars_above_4g),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
