/* SPDX-License-Identifier: MIT */
/* Reading what has scrolled away. */
#include "hypervisor/base/log_ring.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"

#define USUAL_LINES 20
#define MOST_LINES  100 /* without pages: other cores' calls wait meanwhile */

static bool contains(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);
    for (size_t at = 0; at + length <= size; at++)
        if (memcmp(text + at, word, length) == 0)
            return true;
    return false;
}

/* Prints the lines with `word` in them but for the first `skip`; how many there are. */
static uint64_t print_lines(const char *word, uint64_t skip)
{
    char text[LOG_LINE_SIZE + 1];
    uint64_t found = 0, number;
    size_t size, from = log_history_begin(&log_history);
    while ((size = log_history_next(&log_history, &from, text, &number)) != 0) {
        text[size] = '\0';
        if (contains(text, size, word) && found++ >= skip)
            console_printf("%s", text);
    }
    return found;
}

void command_log(char *const words[])
{
    const char *word = "";
    uint64_t wanted = USUAL_LINES;
    if (words[1] != NULL && !read_number(words[1], &wanted)) {
        word = words[1];
        wanted = UINT64_MAX;
    }
    if (console_page.rows == 0)
        wanted = MIN(wanted, MOST_LINES);
    uint64_t found = print_lines(word, UINT64_MAX);
    (void)print_lines(word, found - MIN(found, wanted));
    if (found > wanted)
        console_printf("%lu earlier ones: more log %s\n", found - wanted,
                       *word != '\0' ? word : "100000");
}
