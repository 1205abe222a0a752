#include "hypervisor/monitor/monitor.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"

#define LINE_SIZE  128
#define TURN_BYTES 64 /* a paste does not hold up the control loop */
#define KEY_ERASE  0x7f
#define KEY_BACK   '\b'
#define KEY_KILL   0x15 /* Ctrl-U */
#define KEY_CANCEL 0x03 /* Ctrl-C */

static char line[LINE_SIZE];
static size_t used;
static bool started;

static void prompt(void)
{
    console_printf("bulkhead> ");
}

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

static void run_line(void)
{
    char *words[COMMAND_WORDS + 1];
    unsigned count = split(line, words, ARRAY_SIZE(words));
    if (count == 0)
        return;
    for (const struct command *command = monitor_commands; command->name != NULL; command++) {
        if (!text_equal(command->name, words[0]))
            continue;
        if (count - 1 < command->required || count > COMMAND_WORDS)
            console_printf("usage: %s %s\n", command->name, command->arguments);
        else
            command->run(count, words);
        return;
    }
    console_printf("%s: no such command; `help` lists them\n", words[0]);
}

static void erase(size_t count)
{
    for (; count != 0 && used != 0; count--) {
        used--;
        console_write("\b \b", 3);
    }
}

static void take(char key)
{
    if (key == '\r' || key == '\n') {
        console_write("\n", 1);
        line[used] = '\0';
        used = 0;
        run_line();
        prompt();
    } else if (key == KEY_ERASE || key == KEY_BACK) {
        erase(1);
    } else if (key == KEY_KILL || key == KEY_CANCEL) {
        erase(used);
    } else if (key >= ' ' && key <= '~' && used + 1 < sizeof line) {
        line[used++] = key;
        console_write(&key, 1);
    }
}

void monitor_service(void)
{
    for (unsigned i = 0; started && i < TURN_BYTES; i++) {
        int key = console_read();
        if (key < 0)
            return;
        take((char)key);
    }
}

void monitor_start(void)
{
    started = true;
    log_event("monitor.ready", "message=\"type help\"");
    prompt();
}
