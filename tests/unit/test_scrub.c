/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/guest/scrub.c hypervisor/guest/cores.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/string.c hypervisor/base/text.c
/* A guest's memory is overwritten by its own cores, and by the control core where these fail. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor/guest/cores.h"
#include "hypervisor/guest/scrub.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/x86/control_call.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

#define CORES 3
#define SIZE  (MIB(4) + 3 * PAGE_SIZE) /* no multiple of the number of cores */
#define SPAN  (GIB(4) + MIB(4))        /* of a guest's physical addresses */

static uint8_t *memory; /* as the window shows it, the hole included */
static struct cpu cpus[CORES];
static struct vcpu vcpus[CORES];
static struct guest guest;
static unsigned kicks, windows;
static bool window_fails, translating, snooping;
static size_t flushed;

void *window_open(const struct memory_piece *pieces, unsigned count)
{
    assert_ptr_equal(pieces, guest.pieces);
    assert_int_equal(count, guest.piece_count);
    if (window_fails)
        return NULL;
    windows++;
    return memory;
}

void window_close(void)
{
}

bool iommu_enabled(void)
{
    return translating;
}

bool iommu_snoops(void)
{
    return snooping;
}

void cache_flush_range(const volatile void *address, size_t size)
{
    assert_in_range((uintptr_t)address, (uintptr_t)memory, (uintptr_t)memory + SPAN - size);
    flushed += size;
}

void cpu_kick(struct cpu *cpu)
{
    kicks++;
}

void control_calls_service(void)
{
}

static int fresh(void **state)
{
    memset(memory, 0xee, SIZE);
    guest = (struct guest){
        .memory_size = SIZE, .piece_count = 1, .pieces = {{0, MIB(64), SIZE}}, .cpu_count = CORES};
    for (unsigned i = 0; i < CORES; i++) {
        cpus[i] = (struct cpu){.index = i + 1, .state = CPU_IDLE};
        vcpus[i] = (struct vcpu){.cpu = &cpus[i], .guest = &guest, .index = i};
        guest.vcpus[i] = &vcpus[i];
    }
    kicks = windows = 0;
    flushed = 0;
    window_fails = translating = snooping = false;
    host_log_clear();
    return 0;
}

/* As guest_core() has it. */
static void core_works(unsigned index, bool maps)
{
    assert_ptr_equal(cpus[index].vcpu, &vcpus[index]);
    assert_true(guest.scrubbing);
    if (maps)
        scrub_share(&vcpus[index], memory);
    cpus[index].vcpu = NULL;
    guest.vcpus_running--;
}

static size_t bytes_left(void)
{
    size_t left = 0;
    for (size_t i = 0; i < SIZE; i++)
        left += memory[i] != 0;
    return left;
}

static void each_core_has_a_share(void **state)
{
    scrub_begin(&guest);
    assert_int_equal(kicks, CORES);
    size_t before = SIZE;
    for (unsigned i = 0; i < CORES; i++) {
        assert_false(scrub_over(&guest));
        assert_false(guest.memory_clean);
        core_works(CORES - 1 - i, true);
        assert_in_range(before - bytes_left(), SIZE / CORES - CORES * PAGE_SIZE,
                        SIZE / CORES + PAGE_SIZE);
        before = bytes_left();
    }
    assert_int_equal(before, 0);
    assert_true(scrub_over(&guest));
    assert_true(guest.memory_clean);
    assert_false(guest.scrubbing);
    assert_int_equal(windows, 0); /* the control core has touched nothing */
}

/* After the next run it is overwritten again, whatever was counted before. */
static void each_time_anew(void **state)
{
    for (unsigned round = 0; round < 2; round++) {
        memset(memory, 0xee, SIZE);
        guest.memory_clean = false;
        scrub_begin(&guest);
        assert_false(scrub_over(&guest));
        for (unsigned i = 0; i < CORES; i++)
            core_works(i, true);
        assert_true(scrub_over(&guest));
        assert_true(guest.memory_clean);
        assert_int_equal(bytes_left(), 0);
    }
}

static void what_cores_leave_the_control_core_does(void **state)
{
    static const struct {
        enum cpu_state state; /* of the second core */
        bool maps;
        bool dies;
    } cases[] = {{CPU_RETIRED, true, false}, {CPU_IDLE, false, false}, {CPU_IDLE, true, true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        cpus[1].state = cases[i].state;
        scrub_begin(&guest);
        assert_int_equal(kicks, cases[i].state == CPU_IDLE ? CORES : CORES - 1);
        core_works(0, true);
        assert_false(scrub_over(&guest));
        core_works(2, true);
        if (cases[i].dies)
            cpus[1].state = CPU_FAILED;
        else if (cases[i].state == CPU_IDLE)
            core_works(1, cases[i].maps);
        assert_true(bytes_left() > 0);
        assert_true(scrub_over(&guest));
        assert_true(guest.memory_clean);
        assert_int_equal(bytes_left(), 0);
        assert_int_equal(windows, 1);
    }
}

static void a_failure_is_not_a_clean_memory(void **state)
{
    window_fails = true;
    scrub_begin(&guest);
    for (unsigned i = 0; i < CORES; i++)
        core_works(i, false);
    assert_true(scrub_over(&guest));
    assert_false(guest.memory_clean);
    assert_false(guest.scrubbing);
    assert_int_equal(scrub_now(&guest), STATUS_NO_MEMORY);
    assert_false(guest.memory_clean);
}

/* A device whose unit cannot make it snoop would read from memory what caches have overwritten. */
static void overwriting_reaches_memory(void **state)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        fresh(state);
        translating = (kind & 1) != 0;
        snooping = (kind & 2) != 0;
        assert_int_equal(scrub_now(&guest), STATUS_OK);
        assert_int_equal(bytes_left(), 0);
        assert_int_equal(flushed, kind == 1 ? SIZE : 0);
        flushed = 0;
        scrub_begin(&guest);
        for (unsigned i = 0; i < CORES; i++)
            core_works(i, true);
        assert_int_equal(flushed, kind == 1 ? SIZE : 0);
    }
}

static void the_hole_is_left_out(void **state)
{
    static const uint64_t filled[] = {0, GUEST_LOW_END - PAGE_SIZE, GUEST_HIGH_BASE,
                                      GUEST_HIGH_BASE + MIB(2) - PAGE_SIZE};
    guest.memory_size = GUEST_LOW_END + MIB(2);
    for (size_t i = 0; i < ARRAY_SIZE(filled); i++)
        memset(memory + filled[i], 0xee, PAGE_SIZE);
    memset(memory + GUEST_LOW_END, 0xee, PAGE_SIZE);
    memset(memory + GUEST_HIGH_BASE + MIB(2), 0xee, PAGE_SIZE);
    scrub_begin(&guest);
    for (unsigned i = 0; i < CORES; i++)
        core_works(i, true);
    assert_int_equal(guest.scrubbed, guest.memory_size);
    assert_true(scrub_over(&guest));
    assert_true(guest.memory_clean);
    for (size_t i = 0; i < ARRAY_SIZE(filled); i++)
        assert_int_equal(memory[filled[i]] | memory[filled[i] + PAGE_SIZE - 1], 0);
    assert_int_equal(memory[GUEST_LOW_END], 0xee);
    assert_int_equal(memory[GUEST_HIGH_BASE + MIB(2)], 0xee);
}

/* Boot does not wait for a large guest that it refuses; nobody takes its memory for clean. */
static void a_refused_guests_cores_give_up(void **state)
{
    scrub_begin(&guest);
    core_works(0, true);
    guest.state = GUEST_REFUSED;
    size_t left = bytes_left();
    core_works(1, true);
    core_works(2, true);
    assert_int_equal(bytes_left(), left);
    assert_true(guest_cores_back(&guest));
    assert_int_equal(scrub_now(&guest), STATUS_DENIED);
    assert_false(guest.memory_clean);
}

int main(void)
{
    /* Of the RAM below the hole only its ends are looked at: the rest is the same memory. */
    const int between = fileno(tmpfile());
    memory = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    if (memory == MAP_FAILED || between < 0 || ftruncate(between, (off_t)MIB(64)) != 0)
        return 1;
    for (uint64_t at = MIB(64); at < GUEST_LOW_END - MIB(64); at += MIB(64))
        if (mmap(memory + at, MIB(64), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, between,
                 0) == MAP_FAILED)
            return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_core_has_a_share, fresh),
        cmocka_unit_test_setup(each_time_anew, fresh),
        cmocka_unit_test_setup(what_cores_leave_the_control_core_does, fresh),
        cmocka_unit_test_setup(a_failure_is_not_a_clean_memory, fresh),
        cmocka_unit_test_setup(overwriting_reaches_memory, fresh),
        cmocka_unit_test_setup(the_hole_is_left_out, fresh),
        cmocka_unit_test_setup(a_refused_guests_cores_give_up, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
