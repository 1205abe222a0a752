/* SPDX-License-Identifier: MIT */
/* DMAR tables for the checks of the ACPI lab: built, parsed by dmar_parse(), and given to the
 * student's functions. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/labs/checks/check.h"
#include "tests/unit/support/dmar_builder.h"

static struct dmar dmar;

static inline void fresh_table(void)
{
    end(NULL);
    start(NULL);
}

/* A copy without a byte to spare: what reads past its end is seen. */
static inline void parse_table(void)
{
    table_end(&table);
    copy = exact_copy(table.bytes, table.length);
    expect(dmar_parse(copy, table.length, &dmar) == STATUS_OK,
           "the check's own table is refused: %s", host_log_text());
}
