/* SPDX-License-Identifier: MIT */
/*
 * A meter of exits: how many so many rounds of a kind of work take, and how long a round lasts.
 *
 *   [rounds=N] [batch=N]
 *
 * Before and after the rounds of a kind it gives the hypervisor a word: 2 for the first kind and 3,
 * 4 for the second and 5, and so on. The log has each word with the exits so far (guest.event); the
 * second word is an exit itself. Then `meter kind= word= rounds= ticks=`, the time stamp counter's
 * ticks of a batch of rounds, with those of a loop of nothing taken off. Where it follows
 * instructions (Bochs), `nops`, of 50 instructions and a call, says what an instruction is.
 */
#include "guest/runtime/attempt.h"
#include "guest/runtime/runtime.h"

#define BATCHES      15
#define VECTOR_TIMER 0x41
#define INITIAL      500 /* ticks of the timer until it interrupts */

#define MSR_TPR            0x808u
#define MSR_LVT_TIMER      0x832u
#define MSR_INITIAL_COUNT  0x838u
#define MSR_EFER           0xc0000080u
#define MSR_KERNEL_GS_BASE 0xc0000102u

static volatile unsigned ticks;

static void count_tick(void)
{
    ticks = ticks + 1;
}

/* --- the work: one round each --- */

static void nothing(void)
{
}

static void nops(void)
{
    __asm__ volatile(".rept 50\n\tnop\n\t.endr");
}

/* One interrupt of the timer, from its start to having taken it. Its entry of the local vector
 * table is written before: that exits where the core's own APIC takes reserved bits. */
static void tick(void)
{
    unsigned seen = ticks;
    (void)attempt_write_msr(MSR_INITIAL_COUNT, INITIAL);
    while (ticks == seen)
        interrupt_wait();
}

static void tpr(void)
{
    uint64_t value;
    (void)attempt_read_msr(MSR_TPR, &value);
}

static void kernel_gs(void)
{
    (void)attempt_write_msr(MSR_KERNEL_GS_BASE, 0);
}

static void efer(void)
{
    uint64_t value;
    (void)attempt_read_msr(MSR_EFER, &value);
}

static void cpuid(void)
{
    __asm__ volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx");
}

static const struct work {
    const char *kind;
    void (*round)(void);
} works[] = {{"nops", nops},           {"tick", tick}, {"tpr", tpr},
             {"kernel-gs", kernel_gs}, {"efer", efer}, {"cpuid", cpuid}};

#define WORKS (sizeof works / sizeof works[0])

static void repeat(void (*round)(void), uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++)
        round();
}

/* --- the meter --- */

/* The exits of the rounds, and no others, come between the words. */
static void count_exits(const struct work *work, uint64_t word, uint64_t rounds)
{
    work->round(); /* what a kind does the first time only */
    event(word);
    repeat(work->round, rounds);
    event(word + 1);
}

/* Ticks of `rounds` rounds without the loop. Now and then another core does something in the middle
 * of a batch: the median of BATCHES has none of it. */
static int64_t measure(const struct work *work, uint64_t rounds)
{
    int64_t sorted[BATCHES];
    for (unsigned done = 0; done < BATCHES; done++) {
        uint64_t start = time_stamp();
        repeat(nothing, rounds);
        uint64_t middle = time_stamp();
        repeat(work->round, rounds);
        int64_t value = (int64_t)(time_stamp() - middle) - (int64_t)(middle - start);
        unsigned at = done;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[BATCHES / 2];
}

int guest_main(void)
{
    uint64_t rounds = argument_number("rounds", 1000), batch = argument_number("batch", 100);
    int64_t lasted[WORKS];
    if (rounds == 0 || batch == 0) {
        print("usage: [rounds=N] [batch=N], from 1 on\n");
        return 2;
    }
    interrupt_handle(VECTOR_TIMER, count_tick);
    timer_once(VECTOR_TIMER, 1000); /* sets its divider */
    interrupt_wait();
    (void)attempt_write_msr(MSR_LVT_TIMER, VECTOR_TIMER);
    for (unsigned i = 0; i < WORKS; i++)
        count_exits(&works[i], 2 + 2 * i, rounds);
    for (unsigned i = 0; i < WORKS; i++)
        lasted[i] = measure(&works[i], batch);
    for (unsigned i = 0; i < WORKS; i++)
        print("meter kind=%s word=%u rounds=%llu ticks=%lld\n", works[i].kind, 2 + 2 * i,
              (unsigned long long)rounds, (long long)lasted[i]);
    return 0;
}
