/* SPDX-License-Identifier: MIT */
/*
 * Words used everywhere: result codes, attributes, alignment arithmetic.
 * Runs on the bare machine, in the EFI application and in host tests alike.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK               __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NO_RETURN                __attribute__((noreturn))
#define PACKED                   __attribute__((packed))
#define WEAK                     __attribute__((weak)) /* another file may define it instead */

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define BIT(n)                  (UINT64_C(1) << (n))
#define BITS(high, low)         ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))
#define FIELD(value, high, low) (((uint64_t)(value) & BITS(high, low)) >> (low))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define PAGE_SHIFT 12
#define PAGE_SIZE  KIB(4)
#define PAGE_2M    MIB(2)
#define PAGE_1G    GIB(1)

/* Alignments are powers of two. ALIGN_UP wraps to 0 past the top of 64 bits: check sizes first. */
#define ALIGN_DOWN(value, alignment) ((value) & ~((alignment) - 1))
#define ALIGN_UP(value, alignment)   ALIGN_DOWN((value) + (alignment) - 1, alignment)
#define IS_ALIGNED(value, alignment) (((value) & ((alignment) - 1)) == 0)

/* One argument is evaluated twice: no calls in them (lint looks). */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Why an operation did not happen. The detail (subsystem, offset, value) is in the log line. */
enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND,   /* the thing asked for is not there */
    STATUS_INVALID,     /* data from outside contradicts its specification */
    STATUS_UNSUPPORTED, /* legal, but this machine or this program cannot do it */
    STATUS_DENIED,      /* policy forbids it */
    STATUS_BUSY,        /* it has another owner */
    STATUS_FULL,        /* a table with a fixed number of entries has none left */
    STATUS_NO_MEMORY,   /* no page frame left */
    STATUS_TIMEOUT,     /* a bounded wait expired */
    STATUS_DEVICE,      /* the hardware reported an error or did not do what it was told */
};

/* A short lower-case word for the log, e.g. "timeout". Never NULL. */
const char *status_name(enum status status);
