/* SPDX-License-Identifier: MIT */
/* What a guest's program prints, in a check that is its machine. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/log.h"

/* The text; NULL: it was a stub's "lab.todo ...", which is in the log now. */
static const char *printed(const char *format, va_list list)
{
    static char text[512];
    vsnprintf(text, sizeof text, format, list);
    if (strncmp(text, "lab.todo ", 9) != 0)
        return text;
    log_event("lab.todo", "%.*s", (int)strcspn(text + 9, "\n"), text + 9);
    return NULL;
}
