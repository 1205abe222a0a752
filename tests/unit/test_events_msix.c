// SOURCES: hypervisor/guest/events.c hypervisor/vdev/virtual_msix.c hypervisor/base/format.c
// SOURCES: hypervisor/base/text.c hypervisor/base/string.c hypervisor/base/status.c
/* Who makes a guest's access to a page with an MSI-X table: the control core to the table, the
 * guest's own core to the registers beside it. */
#include "tests/unit/support/msix_fixture.h"

#include "tests/unit/support/events_fixture.h"

static int prepared(void **state)
{
    fresh(state);
    calls = 0;
    control_core_dead = false;
    cores[0].guest = &guest;
    guest.assignments[0] = &device;
    guest.assignment_count = 1;
    return 0;
}

static uint64_t access_at(uint64_t address, bool is_write, uint64_t value)
{
    assert_true(guest_events.mmio(&cores[0], address, 4, is_write, &value));
    return value;
}

/* The control core may be busy for as long as it likes, and so may the register. */
static void registers_beside_the_table_need_nobody_else(void **state)
{
    control_core_dead = true;
    for (unsigned offset = VECTORS * 16; offset < PAGE_SIZE; offset += 4) {
        access_at(BAR_BASE + TABLE + offset, true, offset);
        uint64_t expected = TABLE + offset - PBA < 8 ? 0 : offset; /* pending bits are read-only */
        assert_int_equal(access_at(BAR_BASE + TABLE + offset, false, 0), expected);
    }
    assert_int_equal(calls, 0);
}

static void the_table_is_the_control_cores(void **state)
{
    for (unsigned offset = 0; offset < VECTORS * 16; offset += 4) {
        access_at(BAR_BASE + TABLE + offset, true, 1);
        access_at(BAR_BASE + TABLE + offset, false, 0);
    }
    assert_int_equal(calls, VECTORS * 16 / 4 * 2);
    control_core_dead = true;
    assert_int_equal(access_at(BAR_BASE + TABLE, false, 0), UINT64_MAX);
    assert_int_equal(host_log_count("guest.access_lost", "guest=alpha"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_beside_the_table_need_nobody_else, prepared),
        cmocka_unit_test_setup(the_table_is_the_control_cores, prepared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
