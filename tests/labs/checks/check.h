/* SPDX-License-Identifier: MIT */
/*
 * A lab's check: a program that calls what a student has written and says in one sentence what is
 * wrong with it. The first wrong answer ends it, since later ones follow from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each program has one. Returning from it is passing. */
void lab_check(void);

/* What is being asked now, for a call that does not return: "sriov_vf_rid(VF 3)". */
void asking(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the check with "wrong: ..." unless `condition` holds. */
#define expect(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            is_wrong(__VA_ARGS__);                                                                 \
    } while (0)
_Noreturn void is_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same numbers for the same student and name; `usual` for nobody's seed (0). Both limits are
 * included. */
unsigned seeded(const char *name, unsigned least, unsigned most, unsigned usual);
