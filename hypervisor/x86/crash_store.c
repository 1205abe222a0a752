/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/crash_store.h"

#include "hypervisor/base/log_ring.h"

struct crash_store crash_store;

void crash_store_write(void)
{
    static bool written;
    if (crash_store.log == NULL || __atomic_exchange_n(&written, true, __ATOMIC_RELAXED))
        return;
    size_t first = log_history.written + log_history.count - crash_store.words;
    for (size_t i = 0; i < crash_store.words; i++)
        crash_store.log[i] = log_history.words[(first + i) % log_history.count];
    steps_run(&crash_store.steps);
}
