/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/monitor.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/monitor/usage.h"

#define LINE_SIZE  128
#define TURN_BYTES 64 /* a paste does not hold up the control loop */
#define KEY_ERASE  0x7f
#define KEY_BACK   '\b'
#define KEY_KILL   0x15 /* Ctrl-U */
#define KEY_CANCEL 0x03 /* Ctrl-C */

#define PROMPT      "bulkhead> "
#define PROMPT_SIZE (sizeof PROMPT - 1)

/* The prompt, then what was typed after it. */
static char screen_line[PROMPT_SIZE + LINE_SIZE] = PROMPT;
static char *const line = screen_line + PROMPT_SIZE;
static size_t used;
static bool started, prompting;
_Static_assert(sizeof screen_line <= CONSOLE_PROMPT_SIZE, "a full line fits into the prompt");

static unsigned split(char *text, char *words[], unsigned limit)
{
    unsigned count = 0;
    while (*text != '\0') {
        while (*text == ' ' || *text == '\t')
            *text++ = '\0';
        if (*text == '\0' || count == limit)
            break;
        words[count++] = text;
        while (*text != '\0' && *text != ' ' && *text != '\t')
            text++;
    }
    return count;
}

void monitor_run(char *text)
{
    char *words[COMMAND_WORDS + 1] = {NULL};
    unsigned count = split(text, words, ARRAY_SIZE(words));
    if (count == 0)
        return;
    for (const struct command *command = monitor_commands; command->name != NULL; command++) {
        if (!text_equal(command->name, words[0]))
            continue;
        if (count > COMMAND_WORDS || !usage_fits(command->arguments, words + 1, count - 1))
            console_printf("usage: %s%s%s\n", command->name, *command->arguments != '\0' ? " " : "",
                           command->arguments);
        else if (command->show != NULL)
            command->show();
        else
            command->run(words);
        return;
    }
    console_printf("%s: no such command; `help` lists them\n", words[0]);
}

/* True when it ended a line. */
static bool take(char key)
{
    static enum sequence sequence; /* of an arrow or function key, which the prompt has no use of */
    bool escaped = sequence == SEQUENCE_ESCAPED; /* what follows an Escape alone is taken */
    if (in_sequence(&sequence, key) && (!escaped || sequence == SEQUENCE_CONTROL))
        return false;
    if (key == '\r' || key == '\n') {
        console_prompt(screen_line, PROMPT_SIZE + used);
        console_prompt_end();
        line[used] = '\0';
        used = 0;
        monitor_run(line);
        return true;
    } else if (key == KEY_ERASE || key == KEY_BACK) {
        used -= used != 0 ? 1 : 0;
    } else if (key == KEY_KILL || key == KEY_CANCEL) {
        used = 0;
    } else if (key >= ' ' && key <= '~' && used + 1 < LINE_SIZE) {
        line[used++] = key;
    }
    return false;
}

void monitor_service(void)
{
    for (unsigned i = 0; started && i < TURN_BYTES; i++) {
        int key = console_read();
        if (key < 0)
            break;
        prompting = true;
        if (guest_console_front() != NULL)
            guest_console_key((char)key);
        else if (take((char)key))
            break; /* an answer may be long, and other cores' calls wait */
    }
    (void)guest_console_service();
    if (started && prompting && guest_console_front() == NULL)
        console_prompt(screen_line, PROMPT_SIZE + used);
}

void monitor_start(bool someone_is_there)
{
    started = true;
    prompting = someone_is_there;
    log_event("monitor.ready", "message=\"type help\"");
}
