/* SPDX-License-Identifier: MIT */
// SOURCES: guest/programs/meter.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/base/status.c
/* L9, steps 6 to 8: the meter, on a core whose registers cost a known number of ticks. */
#include <stdio.h>
#include <string.h>

#include "guest/runtime/attempt.h"
#include "tests/labs/checks/check.h"
#include "tests/labs/checks/guest_print.h"
#include "tests/unit/support/host.h"

#define LVT_TIMER     0x832u
#define INITIAL_COUNT 0x838u
#define LOOP          50u     /* ticks between two looks at the time stamp counter */
#define DISTURBANCE   200000u /* what another core does in the middle of a batch */

enum kind { NOPS, TICK, TPR, KERNEL_GS, EFER, CPUID, KINDS };
static const char *const names[] = {"nops", "tick", "tpr", "kernel-gs", "efer", "cpuid"};
static const unsigned costs[] = {0, 5 + 400, 7, 9, 130, 0}; /* of a round */

static uint64_t clock_ticks;
static unsigned looks, rounds, batch;
static void (*handler)(void);
static bool armed;
static unsigned waits;

/* --- what was done since the last word --- */

static struct {
    unsigned of[KINDS], prints, entries; /* rounds, by what each does once */
} since;
static unsigned words;
static char said[4096];

static bool is_seen(unsigned kind)
{
    return costs[kind] != 0; /* the others touch nothing that is the check's */
}

static void expect_none_armed(void)
{
    expect(!armed,
           "a round of tick has ended before its interrupt came: exits that belong to it are "
           "counted elsewhere, or never (interrupts also come from elsewhere, so a wake is "
           "not enough)");
}

/* Words come in pairs, and between those of a pair there are the rounds of one kind. */
void event(uint64_t value)
{
    unsigned kind = words / 2;
    bool second = words % 2 != 0;
    expect_none_armed();
    expect(kind < KINDS, "a word more than two for each kind: %#llx", (unsigned long long)value);
    expect(value == 2 + words,
           "the word %s the rounds of %s is %llu instead of %u: two words a kind, none twice",
           second ? "behind" : "before", names[kind], (unsigned long long)value, 2 + words);
    if (!second) {
        expect(!is_seen(kind) || since.of[kind] != 0,
               "%s: there is no round before the first word, so what the kind does the first time "
               "only is counted with the rest",
               names[kind]);
    } else {
        expect(since.prints == 0,
               "%s: print() between the two words: each is a guest call, an exit that the meter "
               "makes itself",
               names[kind]);
        expect(!is_seen(kind) || since.of[kind] == rounds,
               "%s: %u rounds between the two words instead of %u", names[kind], since.of[kind],
               rounds);
        expect(since.entries == 0,
               "%s: the timer's entry (832h) is written %u times between the two words: where the "
               "core's APIC takes reserved bits, as in emulators, each of these writes exits; a "
               "running entry need not be written again, the initial count (838h) starts the timer",
               names[kind], since.entries);
    }
    memset(&since, 0, sizeof since);
    words++;
    clock_ticks += 700;
}

bool attempt_read_msr(uint32_t msr, uint64_t *value)
{
    unsigned kind = msr == 0x808u ? TPR : msr == 0xc0000080u ? EFER : KINDS;
    expect(kind != KINDS, "MSR %#x is read, which no kind of work is about", msr);
    *value = 0;
    since.of[kind]++;
    clock_ticks += costs[kind];
    return true;
}

bool attempt_write_msr(uint32_t msr, uint64_t value)
{
    switch (msr) {
    case LVT_TIMER:
        expect((value & 0xff) == 0x41, "the timer's entry gets vector %#x", (unsigned)value & 0xff);
        since.entries++;
        break;
    case INITIAL_COUNT:
        expect_none_armed();
        expect(value != 0, "an initial count of 0 stops the timer");
        armed = true;
        since.of[TICK]++;
        clock_ticks += 5;
        break;
    case 0xc0000102u:
        since.of[KERNEL_GS]++;
        clock_ticks += costs[KERNEL_GS];
        break;
    default:
        is_wrong("MSR %#x is written, which no kind of work is about", msr);
    }
    return true;
}

/* --- the runtime --- */

/* Every third wake is somebody else's. */
void interrupt_wait(void)
{
    waits++;
    if (!armed)
        is_wrong("tick waits for an interrupt, and the timer was not started: the initial count "
                 "(838h) does that");
    if (waits % 3 == 0)
        return;
    armed = false;
    clock_ticks += 400;
    handler();
}

void interrupts_on(void)
{
    is_wrong("interrupts are opened by interrupts_on(): a tick that comes between the look at the "
             "count and a halt is lost then, or nobody halts; interrupt_wait() opens them while it "
             "sleeps");
}

void interrupts_off(void)
{
}

void interrupt_handle(uint8_t vector, void (*its)(void))
{
    handler = its;
}

void timer_once(uint8_t vector, uint64_t time)
{
    armed = true;
    clock_ticks += 10;
}

uint64_t time_stamp(void)
{
    looks++;
    clock_ticks += LOOP + (looks % 16 == 0 || looks % 23 == 0 ? DISTURBANCE : 0);
    return clock_ticks;
}

uint64_t argument_number(const char *key, uint64_t otherwise)
{
    return strcmp(key, "rounds") == 0 ? rounds : strcmp(key, "batch") == 0 ? batch : otherwise;
}

void print(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const char *line = printed(format, list);
    va_end(list);
    since.prints++;
    if (line != NULL)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s", line);
}

/* --- what it measures --- */

static long long ticks_of(unsigned kind)
{
    char begin[40];
    long long ticks = 0;
    snprintf(begin, sizeof begin, "meter kind=%s ", names[kind]);
    const char *line = strstr(said, begin);
    const char *value = line != NULL ? strstr(line, "ticks=") : NULL;
    expect(value != NULL && sscanf(value, "ticks=%lld", &ticks) == 1, "no line for %s: %s",
           names[kind], said);
    return ticks;
}

static void expect_ticks(unsigned kind)
{
    long long got = ticks_of(kind), wanted = (long long)costs[kind] * batch;
    if (kind == TICK || got == wanted) /* the others' wakes cost nothing here, but somewhere */
        return;
    expect(got != 0, "%s: 0 ticks for %u rounds, each of which takes %u: nothing was measured",
           names[kind], batch, costs[kind]);
    expect(got != costs[kind], "%s: %lld ticks are those of one round; %u were asked for",
           names[kind], got, batch);
    expect(got != wanted + LOOP,
           "%s: %lld ticks instead of %lld: the loop around the rounds is in it, which the same "
           "loop around nothing takes off",
           names[kind], got, wanted);
    expect(got != -wanted, "%s: %lld ticks: what is taken off is the work, and not the loop",
           names[kind], got);
    is_wrong(
        "%s: %lld ticks instead of %lld for %u rounds: another core has done something in some "
        "of the batches, now in the loop of nothing, now in the rounds; the median has none of "
        "that, the mean, the least and the most have",
        names[kind], got, wanted, batch);
}

static void run(void)
{
    clock_ticks = looks = words = waits = 0;
    armed = false;
    said[0] = '\0';
    memset(&since, 0, sizeof since);
    asking("guest_main() with rounds=%u batch=%u", rounds, batch);
    int status = guest_main();
    expect(
        words == 2 * KINDS,
        "%u words in all instead of two for each of %u kinds: without the second nobody can tell "
        "how many exits there were",
        words, KINDS);
    expect(status == 0, "the meter ends with status %d", status);
    for (unsigned kind = 0; kind < KINDS; kind++)
        expect_ticks(kind);
}

void lab_check(void)
{
    rounds = seeded("rounds", 30, 300, 200);
    batch = seeded("batch", 20, 90, 40);
    run();
    rounds = 1;
    run();
}
