/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/assignment.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/pci/life.c hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c
// SOURCES: hypervisor/setup/frames.c
/* A PF driver that takes VFs out of service hears of it once they are reset and detached. */
#include "tests/unit/support/device_fixture.h"

static void vf_release(struct pf_device *of, uint16_t vf)
{
    assert_ptr_equal(of, &pf);
    assert_int_equal(vf, function.vf_index);
    step("vf release");
}

static void a_vf_is_released_after_its_reset(void **state)
{
    driver.vf_release = vf_release;
    function.is_vf = true;
    function.vf_index = 5;
    function.life = PCI_CLEAN;
    assert_int_equal(assign(0), STATUS_OK);
    assert_int_equal(assignment_connect(&device), STATUS_OK);
    trace[0] = '\0';
    assignment_quiesce(&device);
    while (!assignment_quiet(&device))
        host_clock_advance(1000);
    assert_int_equal(assignment_disconnect(&device), STATUS_OK);
    expect_trace("master off, msix off, reset start, reset finish, detach, vf release");
    assignment_unclaim(&device);
    expect_nothing_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_vf_is_released_after_its_reset, fresh, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
