/* SPDX-License-Identifier: MIT */
#pragma once

#include "guest/runtime/runtime.h"

/* Another vCPU counts in the 16-bit word at that address: waits until it has come to `wanted`, or
 * so many microseconds. Whether it is `wanted` then. */
bool count_reaches(uintptr_t counter, unsigned wanted, uint64_t limit);
