/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/guest_console.c hypervisor/monitor/console.c
// SOURCES: hypervisor/vdev/output.c
// SOURCES: hypervisor/vdev/virtual_serial.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/text.c -log.c
/* What guests send, on a terminal of 80 columns behind a serial port of 115200 baud. */
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/guest_console.h"
#include "tests/unit/support/host.h"

#define COLUMNS           80
#define MARK              "alpha| "
#define REAL              "[9.999999] real.line number="
#define MICROSECONDS_BYTE 87

/* --- the terminal: carries out what a VT100 does with CR, LF, BS and its right margin --- */

static struct {
    char row[COLUMNS + 1];
    unsigned column;
    bool last_column; /* written to: the next character wraps */
    unsigned rows, marked, real, outputs;
} terminal;

static char outputs[1 << 16];

/* Whoever looks at a row sees whose it is. */
static void judge_row(void)
{
    size_t length = COLUMNS;
    while (length > 0 && terminal.row[length - 1] == ' ')
        length--;
    terminal.row[length] = '\0';
    bool marked = strncmp(terminal.row, MARK, strlen(MARK) - (length < strlen(MARK))) == 0;
    bool real = strncmp(terminal.row, REAL, strlen(REAL)) == 0;
    bool output = strncmp(terminal.row, "[8.000000] guest.output name=", 29) == 0;
    if (length != 0 && !marked && !real && !output)
        fail_msg("a row of nobody's: '%s'", terminal.row);
    terminal.rows++;
    terminal.marked += marked && length != 0;
    terminal.real += real;
    terminal.outputs += output;
    memset(terminal.row, ' ', COLUMNS);
}

static void terminal_put(char c)
{
    if (c == '\r') {
        terminal.column = 0;
        terminal.last_column = false;
    } else if (c == '\n') {
        judge_row();
        terminal.last_column = false;
    } else if (c == '\b') {
        terminal.column -= terminal.column > 0;
        terminal.last_column = false;
    } else {
        assert_true(c >= ' ' && c <= '~');
        if (terminal.last_column) {
            judge_row();
            terminal.column = 0;
        }
        terminal.row[terminal.column] = c;
        terminal.last_column = terminal.column == COLUMNS - 1;
        terminal.column += terminal.column < COLUMNS - 1;
    }
}

static bool long_lines; /* guest.output lines are wider than the terminal: not shown there */

static void serial_write(const char *text, size_t size)
{
    host_clock_advance(size * MICROSECONDS_BYTE);
    for (size_t i = 0; i < size; i++)
        terminal_put(text[i]);
}

static const struct console_device serial = {.write = serial_write, .wants_return = true};

void log_drain(void)
{
}

void log_event(const char *event, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    size_t used = format_text(line, sizeof line, "[8.000000] %s ", event);
    va_start(arguments, format);
    used += format_text_list(line + used, sizeof line - used - 1, format, arguments);
    va_end(arguments);
    line[used] = '\n';
    line[used + 1] = '\0';
    if (long_lines)
        host_clock_advance((used + 1) * MICROSECONDS_BYTE);
    else
        console_write(line, used + 1);
    if (strlen(outputs) + used + 2 < sizeof outputs)
        strcat(outputs, line);
}

/* --- two guests --- */

static struct guest guests[2] = {{.name = "alpha", .index = 0}, {.name = "beta", .index = 1}};

struct guest *guest_at(unsigned index)
{
    return index < ARRAY_SIZE(guests) ? &guests[index] : NULL;
}

static int setup(void **state)
{
    guest_console_attach(NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(guests); i++) {
        if (guests[i].serial == NULL)
            guests[i].serial = pages_allocate(1);
        (void)virtual_serial_reset(guests[i].serial);
        guests[i].state = GUEST_STOPPED;
    }
    long_lines = true;
    (void)guest_console_service(); /* what the last test left */
    guests[0].state = guests[1].state = GUEST_RUNNING;
    memset(&terminal, 0, sizeof terminal);
    memset(terminal.row, ' ', COLUMNS);
    outputs[0] = '\0';
    long_lines = false;
    return 0;
}

static void send(unsigned guest, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        virtual_serial_write(guests[guest].serial, 0, (uint8_t)bytes[i]);
}

static void service(void)
{
    for (unsigned i = 0; i < 10000; i++)
        if (guest_console_service())
            return;
    fail_msg("never done");
}

static void say(const char *text)
{
    send(0, text, strlen(text));
    service();
}

static void test_text_is_marked(void **state)
{
    guest_console_attach(&guests[0]);
    say("one\ntwo\r\n\nthree\rTHR");
    assert_memory_equal(terminal.row, "alpha| THRee", 12);
    say("\b\bx\n");
    assert_int_equal(terminal.marked, 4);
    say("a\tb\n$ ");
    console_write("", 0);
    guest_console_attach(NULL);
    say("behind\n");
    assert_non_null(strstr(outputs, "guest.output name=alpha text=\"behind\"\n"));
}

static void test_a_line_of_the_log_begins_a_row(void **state)
{
    char real[64];
    guest_console_attach(&guests[0]);
    for (unsigned i = 0; i < 100; i++) {
        say("[1.0] forged.line half");
        console_write(real, format_text(real, sizeof real, REAL "%u\n", i));
        say("\rtoo=much\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b[1.0] forged.line\n");
    }
    assert_int_equal(terminal.real, 100);
    assert_int_equal(terminal.marked, 200);
    guest_console_attach(NULL);
}

static void test_the_narrowest_terminal_wraps_nothing(void **state)
{
    guest_console_attach(&guests[0]);
    for (unsigned width = 0; width < 200; width++) {
        for (unsigned i = 0; i < width; i++)
            say(i % 7 == 6 ? "\t" : " ");
        say("[1.0] forged.line x=1");
        for (unsigned i = 0; i < width; i++)
            say("\b");
        say("[1.0] forged.line x=1\n");
    }
    assert_true(terminal.rows > 200);
    guest_console_attach(NULL);
}

/* Bytes that terminals act on, and pieces of forged lines, in any order, with real lines between.
 */
static void test_any_bytes(void **state)
{
    static const char *const pieces[] = {
        "\r",    "\n",      "\b",         "\t",
        "\x1b",  "\x1b[2J", "\x1b[H",     "\x1b[1;1H",
        "\x1b[", "\x1bM",   "\x9b",       "\x90",
        "\x07",  "\x0b",    "\x0c",       "\x7f",
        "\xff",  "\x1b]0;", "[9.9] ",     "run.verdict result=ok",
        "alpha", "| ",      "          ", "\b\b\b\b\b\b\b\b",
        "\r\r",
    };
    char real[64];
    unsigned reals = 0;
    srand(1);
    guest_console_attach(&guests[0]);
    for (unsigned i = 0; i < 100000; i++) {
        const char *piece = pieces[(unsigned)rand() % ARRAY_SIZE(pieces)];
        char byte = (char)rand();
        if (rand() % 4 == 0)
            send(0, &byte, 1);
        else
            send(0, piece, strlen(piece));
        if (rand() % 8 != 0)
            continue;
        service();
        if (rand() % 4 == 0)
            console_write(real, format_text(real, sizeof real, REAL "%u\n", reals++));
    }
    service();
    console_write("", 0);
    assert_int_equal(terminal.real, reals);
    assert_true(terminal.marked > 1000);
    guest_console_attach(NULL);
}

/* Short lines and carriage returns cost most; neighbours' calls wait for one line more than 10 ms.
 */
static void test_a_turn_is_short(void **state)
{
    static const char *const floods[] = {"\r", "\n", "a\n", "\t", "\xff", "x"};
    for (unsigned attached = 0; attached < 2; attached++) {
        for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
            setup(NULL);
            guest_console_attach(attached ? &guests[0] : NULL);
            long_lines = true;
            for (unsigned n = 0; n < 2048; n++)
                for (unsigned guest = 0; guest < 2; guest++)
                    send(guest, floods[i], strlen(floods[i]));
            unsigned turns = 0;
            for (bool done = false; !done; turns++) {
                uint64_t start = clock_microseconds();
                done = guest_console_service();
                assert_true(clock_microseconds() - start <
                            MILLISECONDS(10) + LOG_LINE_SIZE * 2 * MICROSECONDS_BYTE);
                assert_true(turns < 10000);
            }
        }
    }
    guest_console_attach(NULL);
    setup(NULL);
}

static void test_the_last_line_of_one_that_ended(void **state)
{
    send(1, "half a line", 11);
    assert_true(guest_console_service());
    assert_string_equal(outputs, "");
    guests[1].state = GUEST_STOPPING;
    assert_true(guest_console_service());
    assert_string_equal(outputs, "[8.000000] guest.output name=beta text=\"half a line\"\n");
}

/* One that floods does not keep the other from being heard. */
static void test_everybody_has_a_turn(void **state)
{
    guest_console_attach(NULL);
    send(1, "heard\n", 6);
    for (unsigned turn = 0; turn < 4; turn++) {
        for (unsigned i = 0; i < 1024; i++)
            send(0, "y\n", 2);
        (void)guest_console_service();
    }
    assert_non_null(strstr(outputs, "name=beta text=\"heard\""));
}

/* Nor does one whose bytes neither show nor fill a line: it has 256 of them in a turn. */
static void test_bytes_without_effect_end_a_turn(void **state)
{
    for (unsigned first = 0; first < 2; first++) {
        setup(NULL);
        for (unsigned i = 0; i < 300; i++)
            send(first, "\r", 1);
        send(first, "flood\n", 6);
        send(!first, "heard\n", 6);
        assert_true(guest_console_service());
        const char *heard = strstr(outputs, "text=\"heard\""),
                   *flood = strstr(outputs, "text=\"flood\"");
        assert_true(heard != NULL && flood != NULL && heard < flood);
    }
}

int main(void)
{
    console_register(&serial);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_text_is_marked, setup),
        cmocka_unit_test_setup(test_a_line_of_the_log_begins_a_row, setup),
        cmocka_unit_test_setup(test_the_narrowest_terminal_wraps_nothing, setup),
        cmocka_unit_test_setup(test_any_bytes, setup),
        cmocka_unit_test_setup(test_a_turn_is_short, setup),
        cmocka_unit_test_setup(test_the_last_line_of_one_that_ended, setup),
        cmocka_unit_test_setup(test_everybody_has_a_turn, setup),
        cmocka_unit_test_setup(test_bytes_without_effect_end_a_turn, setup),
    };
    return cmocka_run_group_tests_name("guest console", tests, NULL, NULL);
}
