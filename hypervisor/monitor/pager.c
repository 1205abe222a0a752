/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/pager.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/editor.h"
#include "hypervisor/monitor/monitor.h"

#define USUAL_ROWS 24
#define LEAST_ROWS 10 /* what acts says less, and must not run twice */

static char command[EDITOR_SIZE];
static unsigned first, left; /* rows before the page, and after */
static bool waits;

/* What was typed stays above the first page, and the prompt below each. */
static void show(void)
{
    char text[sizeof command];
    const unsigned height = console_rows();
    unsigned rows = MAX(height != 0 ? height : USUAL_ROWS, LEAST_ROWS) - 2;
    memcpy(text, command, sizeof text);
    console_page = (struct console_page){.first = first, .rows = rows};
    monitor_run(text);
    first += rows;
    left = console_page.row - MIN(console_page.row, first);
    console_page.rows = 0;
    waits = left != 0 && height != 0;
    if (left == 0)
        command[0] = '\0';
    else if (!waits)
        console_printf("-- %u more rows: more\n", left);
}

void command_more(char *const words[])
{
    size_t used = 0;
    if (console_page.rows != 0 || (words[1] == NULL && command[0] == '\0')) {
        console_printf("name a command whose answer is long: more devices\n");
        return;
    }
    for (size_t i = 1; words[i] != NULL; i++, first = 0)
        used += format_text(command + used, sizeof command - used, "%s ", words[i]);
    show();
}

void pager_run(char *line)
{
    if (console_rows() == 0 || text_begins(line, "more")) {
        monitor_run(line);
        return;
    }
    first = 0;
    (void)text_copy(command, sizeof command, line);
    show();
}

bool pager_waits(void)
{
    char text[64];
    size_t size = format_text(text, sizeof text, "-- %u more rows: space, Enter, q ", left);
    if (waits)
        console_prompt(text, size, size);
    return waits;
}

bool pager_key(char key)
{
    bool next = key == ' ' || key == '\r' || key == '\n';
    waits = false;
    if (next)
        show();
    return next || key == 'q';
}
