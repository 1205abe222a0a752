/* SPDX-License-Identifier: MIT */
/*
 * Time since the loader handed over, and bounded waits. Every wait in Bulkhead goes
 * through deadline_*() so that none is endless; emulators and real buses are slow, so no limit is
 * shorter than 100 ms. Host tests link a clock of their own.
 */
#pragma once

#include "hypervisor/base/core.h"

uint64_t clock_microseconds(void);
/* Called in every turn of a wait; a PAUSE on the machine. */
void clock_relax(void);
/* Waits for at least this long. */
void clock_delay(uint64_t microseconds);

struct deadline {
    uint64_t at_microseconds;
};

static inline struct deadline deadline_in(uint64_t microseconds)
{
    return (struct deadline){clock_microseconds() + microseconds};
}

/* Waits until then. */
void clock_wait(struct deadline deadline);

static inline bool deadline_passed(struct deadline deadline)
{
    return clock_microseconds() >= deadline.at_microseconds;
}

/* Evaluates `condition` until it holds or the time is over; the condition's last value. It is
 * looked at once more after the limit, so a core that was held up elsewhere is not misjudged. */
#define WAIT_UNTIL(condition, microseconds)                                                        \
    ({                                                                                             \
        struct deadline wait_deadline_ = deadline_in(microseconds);                                \
        bool wait_met_ = (condition);                                                              \
        while (!wait_met_ && !deadline_passed(wait_deadline_)) {                                   \
            clock_relax();                                                                         \
            wait_met_ = (condition);                                                               \
        }                                                                                          \
        wait_met_ || (condition);                                                                  \
    })

#define MILLISECONDS(n) ((uint64_t)(n) * 1000)
