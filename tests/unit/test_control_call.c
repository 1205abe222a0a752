/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/x86/control_call.c -clock.c
/* Calls from cores that are threads here. Time runs, forty times faster than usual. */
#include <pthread.h>
#include <time.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/x86/control_call.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/interrupts.h"
#include "tests/unit/support/host.h"

#define CORES 5u
#define CALLS 1000u

uint64_t clock_microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000) * 40;
}

void clock_relax(void)
{
    /* Sleeping rather than spinning: there may be fewer processors than threads. */
    const struct timespec moment = {.tv_nsec = 10000};
    nanosleep(&moment, NULL);
}

static struct cpu cpus[CORES];
static _Thread_local unsigned own;
static unsigned wakes;

struct cpu *cpu_current(void)
{
    return &cpus[own];
}

struct cpu *cpu_at(unsigned index)
{
    return index < CORES ? &cpus[index] : NULL;
}

unsigned cpu_count(void)
{
    return CORES;
}

bool apic_send(uint32_t destination, uint32_t command)
{
    assert_int_equal(destination, 100);
    assert_int_equal(command, APIC_COMMAND_FIXED(VECTOR_WAKE));
    __atomic_fetch_add(&wakes, 1, __ATOMIC_RELAXED);
    return false; /* a lost wake-up costs time, no more */
}

static int fresh(void **state)
{
    for (unsigned i = 0; i < CORES; i++)
        cpus[i] = (struct cpu){.index = i, .apic_id = 100 + i};
    own = wakes = 0;
    return 0;
}

/* --- calls --- */

static uint64_t sum, runs; /* without locks: they must only ever be run one at a time */
static unsigned inside;

static void add(void *argument)
{
    assert_int_equal(own, 0);
    assert_int_equal(inside++, 0);
    uint64_t *value = argument;
    sum += *value;
    runs++;
    *value = ~*value;
    inside--;
}

static void *core(void *argument)
{
    own = *(unsigned *)argument;
    for (uint64_t i = 0; i < CALLS; i++) {
        uint64_t value = i * CORES + own;
        /* The result is there when the call returns. */
        if (!control_call(add, &value) || value != ~(i * CORES + own))
            return (void *)1;
    }
    return NULL;
}

static void test_calls_of_several_cores(void **state)
{
    pthread_t threads[CORES];
    unsigned numbers[CORES];
    uint64_t expected = 0;
    sum = runs = 0;
    for (unsigned i = 1; i < CORES; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, core, &numbers[i]), 0);
        for (uint64_t call = 0; call < CALLS; call++)
            expected += call * CORES + i;
    }
    const struct deadline limit = deadline_in(MILLISECONDS(2000000));
    while (runs < (CORES - 1) * CALLS && !deadline_passed(limit)) {
        control_calls_service();
        clock_relax();
    }
    for (unsigned i = 1; i < CORES; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    assert_int_equal(runs, (CORES - 1) * CALLS);
    assert_true(sum == expected);
    assert_int_equal(wakes, (CORES - 1) * CALLS);
}

static void test_the_control_core_calls_itself(void **state)
{
    uint64_t value = 7;
    sum = runs = 0;
    assert_true(control_call(add, &value));
    assert_int_equal(sum, 7);
    assert_int_equal(wakes, 0);
    control_calls_service();
    assert_int_equal(runs, 1);
}

/* Nobody takes it: given up after 20 seconds, and never run afterwards, when its argument is gone.
 */
static void test_a_call_that_is_not_taken(void **state)
{
    uint64_t value = 1;
    sum = runs = 0;
    own = 2;
    const uint64_t start = clock_microseconds();
    assert_false(control_call(add, &value));
    assert_in_range(clock_microseconds() - start, MILLISECONDS(20000), MILLISECONDS(200000));
    own = 0;
    control_calls_service();
    assert_int_equal(runs, 0);
    /* The next call of that core goes through. */
    unsigned number = 2;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, core, &number), 0);
    const struct deadline limit = deadline_in(MILLISECONDS(2000000));
    while (runs < CALLS && !deadline_passed(limit)) {
        control_calls_service();
        clock_relax();
    }
    void *result;
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
}

/* Once taken it is waited for, however long it is at work: its argument is in use. */
static bool finished;

static void work_long(void *argument)
{
    const struct deadline until = deadline_in(MILLISECONDS(25000));
    while (!deadline_passed(until))
        clock_relax();
    __atomic_store_n((bool *)argument, true, __ATOMIC_RELEASE);
}

static void *call_long(void *argument)
{
    own = 1;
    bool ok = control_call(work_long, &finished);
    return ok && __atomic_load_n(&finished, __ATOMIC_ACQUIRE) ? NULL : (void *)1;
}

static void test_a_call_that_takes_long(void **state)
{
    pthread_t thread;
    finished = false;
    assert_int_equal(pthread_create(&thread, NULL, call_long, NULL), 0);
    const struct deadline limit = deadline_in(MILLISECONDS(2000000));
    while (!finished && !deadline_passed(limit)) {
        control_calls_service();
        clock_relax();
    }
    void *result;
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_null(result);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_calls_of_several_cores),
        TEST(test_the_control_core_calls_itself),
        TEST(test_a_call_that_is_not_taken),
        TEST(test_a_call_that_takes_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
