/* SPDX-License-Identifier: MIT */
/* Builds firmware tables byte by byte, good and broken ones alike. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/host.h"

struct table_builder {
    uint8_t bytes[65536];
    uint32_t length;
};

static inline void put(struct table_builder *table, uint64_t value, unsigned size)
{
    assert_true(table->length + size <= sizeof table->bytes);
    for (unsigned i = 0; i < size; i++)
        table->bytes[table->length++] = (uint8_t)(i < 8 ? value >> (8 * i) : 0);
}

static inline void put_at(struct table_builder *table, uint32_t offset, uint64_t value,
                          unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        table->bytes[offset + i] = (uint8_t)(value >> (8 * i));
}

static inline void put_text(struct table_builder *table, const char *text)
{
    while (*text != '\0')
        put(table, (uint8_t)*text++, 1);
}

/* The 36 bytes every table begins with. */
static inline void table_begin(struct table_builder *table, const char *signature)
{
    table->length = 0;
    put_text(table, signature);
    put(table, 0, 4); /* length, table_end() */
    put(table, 1, 1);
    put(table, 0, 1); /* checksum */
    put_text(table, "TESTERBUILDER0");
    put(table, 1, 4);
    put_text(table, "BLKH");
    put(table, 1, 4);
}

static inline void fix_checksum(uint8_t *bytes, uint32_t length, uint32_t at)
{
    bytes[at] = 0;
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static inline void table_end(struct table_builder *table)
{
    put_at(table, 4, table->length, 4);
    fix_checksum(table->bytes, table->length, 9);
}

/* A copy of exactly `length` bytes, so that the sanitizer sees a read past the end. free() it. */
static inline uint8_t *exact_copy(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    return copy;
}
