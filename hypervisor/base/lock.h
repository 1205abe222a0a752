/* SPDX-License-Identifier: MIT */
/*
 * Mutual exclusion between cores for the few tables that all of them may change: frames, pages, the
 * shared part of the address space. Sections are short and never wait for anything; they must not
 * be entered from an NMI or exception handler.
 */
#pragma once

#include "hypervisor/base/core.h"

struct lock {
    bool taken;
};

static inline void lock_take(struct lock *lock)
{
    while (__atomic_test_and_set(&lock->taken, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
}

static inline void lock_give(struct lock *lock)
{
    __atomic_clear(&lock->taken, __ATOMIC_RELEASE);
}
