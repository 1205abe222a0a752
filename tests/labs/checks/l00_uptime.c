/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/commands.c hypervisor/base/format.c hypervisor/base/string.c
// SOURCES: hypervisor/base/status.c hypervisor/base/text.c
/* L0, step 5: microseconds as days, hours, minutes and seconds. */
#include "tests/labs/checks/commands_bench.h"

unsigned cpu_count(void)
{
    return 0;
}

struct cpu *cpu_at(unsigned index)
{
    return NULL;
}

struct guest *guest_at(unsigned index)
{
    return NULL;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    return false;
}

static void after(uint64_t microseconds, const char *why)
{
    uint64_t seconds = microseconds / 1000000;
    char wanted[120];
    snprintf(wanted, sizeof wanted, "%u days %02u:%02u:%02u, [%u.%06u] in the log",
             (unsigned)(seconds / 86400), (unsigned)(seconds / 3600 % 24),
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), (unsigned)seconds,
             (unsigned)(microseconds % 1000000));
    host_clock_set(microseconds);
    type("uptime");
    expect(strchr(answer, '\n') != NULL, "uptime %s; a line ends with \\n",
           answer[0] == '\0' ? "answers nothing" : "answers without an end of line");
    answer[strcspn(answer, "\n")] = '\0';
    expect(strcmp(answer, wanted) == 0, "uptime after %llu microseconds: \"%s\", wanted \"%s\"; %s",
           (unsigned long long)microseconds, answer, wanted, why);
}

void lab_check(void)
{
    after(
        5123456,
        "clock_microseconds() is in microseconds, and hours, minutes and seconds have two digits");
    after(7000042, "the fraction has six digits, with zeros in front");
    after(61000000, "seconds are those of the minute that has begun: modulo 60");
    after(UINT64_C(3660000000), "minutes are those of the hour that has begun: modulo 60");
    after(UINT64_C(7260000000),
          "a time is in 64 bits; those of 32 are used up by 72 minutes of microseconds");
    after(UINT64_C(90000000000),
          "hours are those of the day that has begun: modulo 24, and days are counted");
    after(seeded("days", 2, 900, 400) * UINT64_C(86400000000) + 3, "a time is in 64 bits");
}
