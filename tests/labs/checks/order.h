/* SPDX-License-Identifier: MIT */
/* Lists like "master off, msix off": where what was done leaves what is expected. */
#pragma once

#include <stdbool.h>
#include <string.h>

static bool same_item(const char *one, const char *other)
{
    return strcspn(one, ",") == strcspn(other, ",") && memcmp(one, other, strcspn(one, ",")) == 0;
}

static const char *next_item(const char *item)
{
    item += strcspn(item, ",");
    return *item != '\0' ? item + 2 : item;
}

/* The first item of `wanted` that is not in its place in `got`; "" when `got` only goes on. */
static const char *first_difference(const char *wanted, const char *got)
{
    while (*wanted != '\0' && *got != '\0' && same_item(wanted, got)) {
        wanted = next_item(wanted);
        got = next_item(got);
    }
    return wanted;
}

/* What is said between that item and its rule. */
static const char *what_became_of(const char *item, const char *got)
{
    if (*item == '\0')
        return "";
    for (; *got != '\0'; got = next_item(got))
        if (same_item(item, got))
            return " is not in its place: ";
    return " is missing: ";
}
