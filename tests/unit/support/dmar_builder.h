/* SPDX-License-Identifier: MIT */
/* A DMAR table written structure by structure; for tests of the parser. Static on purpose. */
#pragma once

#include "hypervisor/acpi/dmar.h"
#include "tests/unit/support/tables.h"

static struct table_builder table;
static uint8_t *copy;

static int start(void **state)
{
    host_log_clear();
    table_begin(&table, "DMAR");
    put(&table, 38, 1);  /* 39 bits */
    put(&table, 0x1, 1); /* interrupt remapping */
    put(&table, 0, 10);
    return 0;
}

static int end(void **state)
{
    free(copy);
    copy = NULL;
    return 0;
}

static uint32_t structure_begin(unsigned type)
{
    put(&table, type, 2);
    put(&table, 0, 2);
    return table.length - 4;
}

static void structure_end(uint32_t begin)
{
    put_at(&table, begin + 2, table.length - begin, 2);
}

static void scope(unsigned type, unsigned id, unsigned bus, const char *path)
{
    size_t bytes = strlen(path) / 2;
    put(&table, type, 1);
    put(&table, 6 + bytes, 1);
    put(&table, 0, 2);
    put(&table, id, 1);
    put(&table, bus, 1);
    for (size_t i = 0; i < bytes; i++) {
        char digits[3] = {path[2 * i], path[2 * i + 1], '\0'};
        put(&table, strtoul(digits, NULL, 16), 1);
    }
}

static uint32_t drhd(unsigned flags, unsigned segment, uint64_t base)
{
    uint32_t begin = structure_begin(DMAR_DRHD);
    put(&table, flags, 1);
    put(&table, 0, 1);
    put(&table, segment, 2);
    put(&table, base, 8);
    structure_end(begin);
    return begin;
}

/* Of one endpoint, 00:02.0. */
static inline void rmrr(unsigned segment, uint64_t base, uint64_t limit)
{
    uint32_t begin = structure_begin(DMAR_RMRR);
    put(&table, 0, 2);
    put(&table, segment, 2);
    put(&table, base, 8);
    put(&table, limit, 8);
    scope(SCOPE_ENDPOINT, 0, 0, "0200");
    structure_end(begin);
}

static inline void rhsa(uint64_t base, uint32_t proximity)
{
    uint32_t begin = structure_begin(DMAR_RHSA);
    put(&table, 0, 4);
    put(&table, base, 8);
    put(&table, proximity, 4);
    structure_end(begin);
}

static inline void andd(unsigned device, const char *name) /* without a terminator */
{
    uint32_t begin = structure_begin(DMAR_ANDD);
    put(&table, 0, 3);
    put(&table, device, 1);
    put_text(&table, name);
    structure_end(begin);
}
