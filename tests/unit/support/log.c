/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/log.h"
#include "tests/unit/support/host.h"

static char text[1 << 20];
static size_t used;

static void keep(const char *event, const char *format, va_list arguments)
{
    char line[LOG_LINE_SIZE];
    vsnprintf(line, sizeof line, format, arguments);
    if (getenv("SHOW_LOG") != NULL)
        fprintf(stderr, "%s %s\n", event, line);
    int added = snprintf(text + used, sizeof text - used, "%s %s\n", event, line);
    if (added > 0 && (size_t)added < sizeof text - used)
        used += (size_t)added;
}

void log_event(const char *event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    keep(event, format, arguments);
    va_end(arguments);
}

void log_panic(const char *event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    keep(event, format, arguments);
    va_end(arguments);
}

void host_log_clear(void)
{
    used = 0;
    text[0] = '\0';
}

const char *host_log_text(void)
{
    return text;
}

unsigned host_log_count(const char *event, const char *part)
{
    unsigned count = 0;
    size_t event_length = strlen(event);
    for (char *line = text; *line != '\0';) {
        char *end = strchr(line, '\n');
        *end = '\0';
        if (strncmp(line, event, event_length) == 0 && (part == NULL || strstr(line, part) != NULL))
            count++;
        *end = '\n';
        line = end + 1;
    }
    return count;
}
