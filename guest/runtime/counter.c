/* SPDX-License-Identifier: MIT */
#include "guest/runtime/counter.h"

bool count_reaches(uintptr_t counter, unsigned wanted, uint64_t limit)
{
    const volatile uint16_t *word = (const volatile uint16_t *)counter;
    uint64_t end = microseconds() + limit;
    while (*word != wanted && microseconds() < end)
        __asm__ volatile("pause");
    return *word == wanted;
}
