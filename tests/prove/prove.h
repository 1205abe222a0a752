/* SPDX-License-Identifier: MIT */
/*
 * For proofs by bounded model checking (make prove). Functions without a body whose name begins
 * with nondet_ return any value of their type; a proof holds for all of them at once.
 */
#pragma once

#include "hypervisor/base/core.h"

uint8_t nondet_uint8(void);
uint16_t nondet_uint16(void);
uint32_t nondet_uint32(void);
uint64_t nondet_uint64(void);
size_t nondet_size(void);
bool nondet_bool(void);

void __CPROVER_assume(_Bool condition);
void __CPROVER_assert(_Bool condition, const char *text);
void __CPROVER_havoc_object(void *object);

#define ASSUME(condition) __CPROVER_assume(condition)
#define CLAIM(condition)  __CPROVER_assert(condition, #condition)
/* Any content. */
#define ANY(object) __CPROVER_havoc_object(&(object))
