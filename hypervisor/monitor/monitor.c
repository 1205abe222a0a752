/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/monitor.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/complete.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/editor.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/monitor/pager.h"

#define TURN_BYTES  64 /* a paste does not hold up the control loop */
#define PROMPT      "bulkhead> "
#define PROMPT_SIZE (sizeof PROMPT - 1)
#define WIDTH       (CONSOLE_COLUMNS - sizeof PROMPT) /* a row's last column stays free */
#define SCROLL      32ul

static struct editor editor = {.candidates = complete_word, .show = complete_show};
static bool started, prompting;
struct usage command_usages[COMMANDS_MAX];
_Static_assert(PROMPT_SIZE + EDITOR_SIZE <= CONSOLE_PROMPT_SIZE, "a full line fits");

const struct command *command_find(const char *name)
{
    for (const struct command *command = monitor_commands; command->name != NULL; command++)
        if (text_equal(command->name, name))
            return command;
    return NULL;
}

void monitor_run(char *text)
{
    char *words[COMMAND_WORDS + 1] = {NULL};
    unsigned count = split_words(text, words, ARRAY_SIZE(words));
    const struct command *command =
        count == 0 ? NULL : command_find(text_equal(words[0], "?") ? "help" : words[0]);
    if (count == 0)
        return;
    if (command == NULL)
        console_printf("%s: no such command; %s\n", words[0],
                       text_equal(words[0], "quit") || text_equal(words[0], "exit")
                           ? "`poweroff` ends the machine, Ctrl-\\ a guest's console"
                           : "`help` lists them");
    else if (count > COMMAND_WORDS ||
             !usage_fits(&command_usages[command - monitor_commands], words + 1, count - 1))
        console_printf("usage: %s%s%s\n", command->name, *command->arguments != '\0' ? " " : "",
                       command->arguments);
    else if (command->show != NULL)
        command->show();
    else
        command->run(words);
}

/* The prompt and what was typed, from a place on; its size. */
static size_t compose(char text[CONSOLE_PROMPT_SIZE], size_t from, size_t size)
{
    memcpy(text, PROMPT, PROMPT_SIZE);
    memcpy(text + PROMPT_SIZE, editor.line + from, size);
    return PROMPT_SIZE + size;
}

/* True when something was carried out. */
static bool take(char key)
{
    char text[CONSOLE_PROMPT_SIZE];
    console_ask(false);
    if (pager_waits() && pager_key(key))
        return true;
    switch (editor_key(&editor, key)) {
    case EDITOR_ENTER:
        console_prompt_end(text, compose(text, 0, editor.used));
        pager_run(editor.line);
        editor_clear(&editor);
        return true;
    case EDITOR_CLEAR:
        console_style("\033[H\033[2J");
        console_ask(true);
        break;
    case EDITOR_REPORT:
        console_report(editor.number);
        break;
    case EDITOR_NONE:
        break;
    }
    return false;
}

void monitor_service(void)
{
    char text[CONSOLE_PROMPT_SIZE];
    for (unsigned i = 0; started && i < TURN_BYTES; i++) {
        int key = console_read();
        if (key < 0)
            break;
        prompting = true;
        if (command_top_turn(true))
            continue;
        if (guest_console_front() != NULL)
            guest_console_key((char)key);
        else if (take((char)key))
            break; /* an answer may be long, and other cores' calls wait */
    }
    (void)guest_console_service();
    if (!started || !prompting || guest_console_front() != NULL || pager_waits() ||
        command_top_turn(false))
        return;
    /* Of a line that is too long for a row, the part around the cursor. */
    size_t from = ALIGN_UP(MAX(editor.cursor + 1, WIDTH) - WIDTH, SCROLL);
    size_t size = compose(text, from, MIN(editor.used - from, WIDTH));
    console_prompt(text, size, PROMPT_SIZE + editor.cursor - from);
}

void monitor_start(bool someone_is_there)
{
    started = true;
    prompting = someone_is_there;
    log_event("monitor.ready", "message=\"type help\"");
}
