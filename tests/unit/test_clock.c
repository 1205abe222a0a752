/* SPDX-License-Identifier: MIT */
// SOURCES: -clock.c
/* The clock, on a TSC of this test's own, measured with the PM timer that belongs to it. */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/setup/time.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

#define PM_TIMER_HZ_MODEL UINT64_C(3579545)
#define READ_TICKS        1000 /* of the TSC for each look at it */

static uint64_t model_tsc, model_khz;

static uint64_t model_tsc_read(void)
{
    return model_tsc += READ_TICKS;
}

#define tsc_read model_tsc_read
#include "hypervisor/setup/clock.c"
#include "hypervisor/x86/clock.c"

static const struct fadt fadt = {.pm_timer_port = 0x608};

uint32_t port_read32(uint16_t port)
{
    assert_int_equal(port, 0x608);
    return (uint32_t)(model_tsc * PM_TIMER_HZ_MODEL / (model_khz * 1000)) & 0xffffff;
}

static int fresh(void **state)
{
    clock_rate = (struct clock_rate){
        .khz = CLOCK_ASSUMED_KHZ,
        .scale = (UINT64_C(1000) << CLOCK_SCALE_SHIFT) / CLOCK_ASSUMED_KHZ,
    };
    model_tsc = UINT64_C(1) << 40;
    host_log_clear();
    return 0;
}

static void it_counts_from_the_hand_over(void **state)
{
    clock_start(model_tsc - 5000 * 1000); /* 1 ms at 5 GHz */
    assert_in_range(clock_microseconds(), 1000, 1001);
}

static void a_start_that_lies_ahead_stops_no_clock(void **state)
{
    clock_start(UINT64_MAX);
    uint64_t before = clock_microseconds();
    model_tsc += 1000 * 1000;
    assert_true(clock_microseconds() > before);
}

static void the_pm_timer_tells_the_rate(void **state)
{
    static const uint64_t rates[] = {1000 * 1000, 2595775, 4900 * 1000, 6000 * 1000};
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        fresh(state);
        clock_start(model_tsc);
        model_khz = rates[i];
        uint64_t before = clock_microseconds();
        assert_int_equal(clock_init(&fadt), STATUS_OK);
        assert_in_range(clock_tsc_khz(), rates[i] - rates[i] / 100, rates[i] + rates[i] / 100);
        assert_true(clock_microseconds() > before); /* never back, whatever was assumed */
        assert_int_equal(host_log_count("clock.calibrated", "source=pm-timer"), 1);
    }
}

static void waiting_is_counted(void **state)
{
    clock_start(model_tsc);
    uint64_t before = clock_rate.waited;
    clock_delay(1000);
    assert_in_range(clock_rate.waited - before, 5000 * 1000, 5100 * 1000); /* 1 ms at 5 GHz */
    before = clock_rate.waited;
    clock_wait(deadline_in(0));
    model_tsc += 1000 * 1000;
    assert_true(clock_rate.waited - before < 1000 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_counts_from_the_hand_over, fresh),
        cmocka_unit_test_setup(a_start_that_lies_ahead_stops_no_clock, fresh),
        cmocka_unit_test_setup(the_pm_timer_tells_the_rate, fresh),
        cmocka_unit_test_setup(waiting_is_counted, fresh),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
