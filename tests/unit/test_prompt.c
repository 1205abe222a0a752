/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/monitor.c hypervisor/monitor/console.c hypervisor/monitor/editor.c
// SOURCES: hypervisor/monitor/pager.c hypervisor/monitor/usage.c hypervisor/monitor/complete.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/text.c -log.c
// SOURCES: hypervisor/setup/usage.c hypervisor/setup/words_commands.c
/* The prompt as it stands on a terminal, on a serial line that is none, and on a screen. */
#include "tests/unit/support/prompt_fixture.h"

/* The first of all: nobody has typed yet. */
static void test_the_question(void **state)
{
    expect("bulkhead>", 10);
    assert_int_equal(serial.escapes, 0);
    type("x");
    assert_int_not_equal(serial.escapes, 0);
    expect("bulkhead> x", 11);
    for (unsigned i = 0; i < ROWS; i++) /* nothing is left of it */
        assert_true(i == serial.row || row_of(&serial, i)[0] == '\0');
    assert_int_equal(console_rows(), 0);
    type("\x1b[24;80R"); /* an answer: it is one after all */
    assert_int_equal(console_rows(), 24);
    type("\x1b[50;80R"); /* nobody asked again */
    assert_int_equal(console_rows(), 24);
    type("\x0c");
    assert_int_equal(console_rows(), 0);
    assert_int_equal(screen.escapes, 0);
}

static void test_a_dumb_line_stays_plain(void **state)
{
    type("judge\rlong\r\x1b[A\x1b[D");
    assert_int_equal(serial.escapes, 0);
    assert_int_equal(screen.escapes, 0);
    assert_string_equal(above(&serial, 1), "row 60 of 60");
    expect("bulkhead> long", 13);
    type("\x15more long\r");
    assert_string_equal(above(&serial, 1), "-- 38 more rows: more");
    type("more\rmore\r");
    assert_string_equal(above(&serial, 1), "row 60 of 60");
    type("more\r");
    assert_string_equal(above(&serial, 1), "name a command whose answer is long: more devices");
    assert_int_equal(serial.escapes, 0);
}

/* Only what the key changes is written. */
static void test_typing_costs_little(void **state)
{
    type("guests");
    serial.bytes = 0;
    type("x");
    assert_int_equal(serial.bytes, 1);
    type("\x1b[D");
    assert_int_equal(serial.bytes, 2);
    type("\x1b[D");
    assert_int_equal(serial.bytes, 3);
    type("yz");
    expect("bulkhead> guestyzsx", 17);
    assert_int_equal(serial.bytes, 3 + 4 + 2);
}

static void test_a_log_line_comes_while_somebody_types(void **state)
{
    type("move alpha beta\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D");
    for (unsigned i = 0; i < 3; i++) {
        console_write("[3.000000] dma.fault rid=01:10.0\n", 33);
        turns(1);
        expect("bulkhead> move alpha beta", 20);
        assert_string_equal(above(&serial, 1), "[3.000000] dma.fault rid=01:10.0");
        assert_string_equal(above(&screen, 1), "[3.000000] dma.fault rid=01:10.0");
    }
    type("!\x7f\x01");
    expect("bulkhead> move alpha beta", 10);
    assert_string_equal(above(&serial, 4), "");
}

static char letter(unsigned place)
{
    return (char)('a' + place % 26);
}

/* Programs read what a serial line has recorded: the whole command stands behind the last prompt.
 */
static void test_what_is_recorded(void **state)
{
    static const char *const typed[] = {
        "help\r",          "helpx\x7f\r", "hlp\x1b[D\x1b[De\r", "nonsense\x15help\r", "\x1b[A\r",
        "xhelp\x01\x04\r", "he\t\r"};
    for (unsigned n = 0; n < 2 * ARRAY_SIZE(typed); n++) {
        unsigned i = n / 2;
        bool at_once = n % 2 != 0;
        serial.raw_size = 0;
        ran[0] = '\0';
        if (at_once)
            press("<1>"), turns(2), press("\x15"), type(typed[i]); /* as tests do */
        for (const char *key = typed[i]; *key != '\0' && !at_once; key++)
            type((char[]){*key, '\0'});
        assert_string_equal(ran, "help");
        serial.raw[serial.raw_size] = '\0';
        char *end = strchr(serial.raw, '\n'), *line = serial.raw;
        *end = '\0';
        for (char *next = line; (next = strstr(next, "bulkhead> ")) != NULL; line = next)
            next += strlen("bulkhead> ");
        assert_true(strncmp(line, "help", 4) == 0 && strspn(line + 4, " \r") == strlen(line + 4));
    }
}

/* A line longer than a row: one row shows the part around the cursor, and no row is left behind. */
static void test_long_lines(void **state)
{
    char text[300] = "";
    unsigned row = serial.row;
    for (unsigned i = 0; i < 250; i++) {
        snprintf(text, sizeof text, "%c", letter(i));
        type(text);
        assert_int_equal(serial.row, row);
        assert_true(!serial.wraps && strncmp(above(&serial, 0), "bulkhead> ", 10) == 0);
    }
    for (unsigned i = 0; i < 127; i++) {
        type("\x1b[D");
        assert_int_equal(serial.row, row);
        unsigned left = 126 - i; /* what is left of the cursor, and what is under it */
        assert_int_equal(serial.text[row][serial.column], letter(left));
        assert_true(left == 0 || serial.text[row][serial.column - 1] == letter(left - 1));
    }
    type("\x0b");
    expect("bulkhead>", 10);
    for (unsigned i = 0; i < 250; i++)
        type("y");
    type("\r");
    assert_int_equal(serial.row, row + 5); /* the whole line, and the answer to it */
    assert_string_equal(ran, "");
}

static void test_colours(void **state)
{
    type("judge\r");
    assert_int_equal(console_rows(), ROWS);
    unsigned row = serial.row - 4;
    assert_string_equal(row_of(&serial, row),
                        "[1.0] device.refused rid=1 message=\"a refused one\"");
    assert_int_equal(serial.style[row][11], 0);
    for (unsigned i = 12; i < 21; i++)
        assert_int_equal(serial.style[row][i], RED);
    for (unsigned i = 22; i < COLUMNS; i++)
        assert_int_equal(serial.style[row][i], 0);
    assert_int_equal(serial.style[row + 1][6], RED);
    assert_int_equal(serial.style[row + 2][7], GREEN);
    assert_int_equal(serial.style[row + 3][12], GREEN);
    assert_int_equal(serial.style[row + 4][0], DIM);
    type("x");
    assert_int_equal(serial.style[row + 4][10], 0);
    assert_int_equal(serial.current, 0);
    type("\x15help\r");
    assert_int_equal(serial.style[serial.row - 1][11], 0); /* a word is not a verdict */
    assert_int_equal(screen.escapes, 0);
    assert_string_equal(above(&screen, 0), "bulkhead>");
    console_write_guest("x.refused ", 10);
    assert_int_equal(serial.style[serial.row][2], 0); /* what a guest says stays as it is */
}

static void test_pages(void **state)
{
    type("long\r");
    expect("-- 38 more rows: space, Enter, q", 33);
    assert_string_equal(row_of(&serial, serial.row - 22), "row 1 of 60");
    assert_string_equal(above(&serial, 1), "row 22 of 60");
    console_write("[1.000000] x.y\n", 15); /* the log goes on */
    turns(1);
    expect("-- 38 more rows: space, Enter, q", 33);
    assert_string_equal(above(&serial, 1), "[1.000000] x.y");
    type(" ");
    expect("-- 16 more rows: space, Enter, q", 33);
    assert_string_equal(above(&serial, 1), "row 44 of 60");
    type("\r");
    expect("bulkhead>", 10);
    assert_string_equal(above(&serial, 1), "row 60 of 60");
    assert_int_equal(long_runs, 3); /* once a page */
    type("long\rq");
    expect("bulkhead>", 10);
    assert_string_equal(above(&serial, 1), "row 22 of 60");
    type("more\r"); /* goes on where it was left */
    expect("-- 16 more rows: space, Enter, q", 33);
    type("help\r"); /* any other key is the prompt's */
    assert_string_equal(ran, "help");
    type("more long\r");
    expect("-- 38 more rows: space, Enter, q", 33);
    type("\x1b[A");
    expect("bulkhead> more long", 19);
    type("\x15stop alpha\r");
    assert_string_equal(ran, "stop alpha");
    expect("bulkhead>", 10);
}

static void test_clearing(void **state)
{
    type("long\rqabc\x1b[D");
    type("\x0c");
    expect("bulkhead> abc", 12);
    assert_int_equal(serial.row, 0);
    for (unsigned i = 1; i < ROWS; i++)
        assert_string_equal(row_of(&serial, i), "");
    assert_int_equal(console_rows(), ROWS);
    serial.understands = false; /* somebody else's terminal */
    type("\x0c\x15judge\r");
    serial.escapes = 0;
    type("judge\rlong\r");
    assert_int_equal(serial.escapes, 0);
}

static void test_completion(void **state)
{
    type("st\tbe\t");
    expect("bulkhead> stop beta", 20);
    type("\x15sto\ta\t");
    expect("bulkhead> stop alpha", 20);
    type("\t");
    assert_string_equal(above(&serial, 1), "alpha              alphabet");
    expect("bulkhead> stop alpha", 20);
    type("b\t\r");
    assert_string_equal(ran, "stop alphabet");
    type("walk c\tb\t");
    expect("bulkhead> walk cpu beta", 24);
    type("\x15more walk u\t1");
    expect("bulkhead> more walk uplink.vf0 1", 32);
    type("\x15judge \t");
    expect("bulkhead> judge -v", 19);
    type("\t\t"); /* nothing comes behind that */
    expect("bulkhead> judge -v", 19);
    type("\x15walk 01:1\t");
    expect("bulkhead> walk 01:10.0", 23);
    type("\x15more \t");
    assert_string_equal(above(&serial, 2),
                        "help               long               judge              more");
    assert_string_equal(above(&serial, 1), "walk               stop");
    type("\x15nonsense \t\t \t\x15walk 1 2 3 4 5 6 7 8 9 \t");
    expect("bulkhead> walk 1 2 3 4 5 6 7 8 9", 33);
}

static void test_arguments(void **state)
{
    static const struct {
        const char *typed, *answer;
    } wrong[] = {
        {"stop", "usage: stop GUEST"},
        {"stop alpha beta", "usage: stop GUEST"},
        {"help me", "usage: help"},
        {"walk 01:10.0", "usage: walk RID ADDRESS | cpu GUEST GPA"},
        {"walk 1 2 3", "usage: walk RID ADDRESS | cpu GUEST GPA"},
        {"walk 1 2 3 4 5 6 7 8 9", "usage: walk RID ADDRESS | cpu GUEST GPA"},
        {"nonsense", "nonsense: no such command; `help` lists them"},
        {"quit", "quit: no such command; `poweroff` ends the machine, Ctrl-\\ a guest's console"},
        {"exit", "exit: no such command; `poweroff` ends the machine, Ctrl-\\ a guest's console"},
        {"more stop", "usage: stop GUEST"},
        {"more more long", "name a command whose answer is long: more devices"},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        type(wrong[i].typed);
        type("\r");
        assert_string_equal(above(&serial, 1), wrong[i].answer);
        assert_string_equal(ran, "");
    }
    type("?\r");
    assert_string_equal(ran, "help");
    type("  walk   cpu  alpha 0  \r");
    assert_string_equal(ran, "walk cpu alpha 0");
}

/* While a guest has the keyboard, its keys are its own: nothing is asked or drawn. */
static void test_a_guest_in_front(void **state)
{
    front = &guests[0];
    serial.bytes = 0;
    type("ls\x1b[A\r\t\x0c");
    assert_int_equal(serial.bytes, 0);
    assert_string_equal(typed_at_guest, "ls\x1b[A\r\t\x0c");
    type("\x1c");
    expect("bulkhead>", 10);
}

/* Any bytes, with log lines in between: the last row is the prompt's, every line of the log a whole
 * row. */
static void any_bytes(void)
{
    static const char line[] = "[9.999999] any.line\n";
    srand(7);
    for (unsigned i = 0; i < 60000; i++) {
        char key[2] = {(char)(rand() % 255 + 1), '\0'};
        if (rand() % 4 == 0)
            type(((const char *const[]){"\x1b[A", "\x1b[D", "\x1b[C", "\x1b[B", "\t", "long\r", " ",
                                        "\x1b[3~", "long"})[rand() % 9]);
        if (*key != '\x0c')
            type(key);
        if (i % 8 != 0)
            continue;
        console_write(line, sizeof line - 1);
        turns(1);
        const char *last = above(&serial, 0);
        if (strncmp(last, "bulkhead>", 9) != 0 && strncmp(last, "-- ", 3) != 0)
            fail_msg("the last row is '%s'", last);
        assert_string_equal(above(&serial, 1), "[9.999999] any.line");
        assert_string_equal(above(&screen, 1), "[9.999999] any.line");
    }
    assert_int_equal(screen.escapes, 0);
}

static void test_any_bytes_on_a_dumb_line(void **state)
{
    any_bytes();
    assert_int_equal(serial.escapes, 0);
}

static void test_any_bytes_on_a_terminal(void **state)
{
    any_bytes();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_question, prepare),
        cmocka_unit_test_setup(test_a_dumb_line_stays_plain, on_a_dumb_line),
        cmocka_unit_test_setup(test_typing_costs_little, on_a_dumb_line),
        cmocka_unit_test_setup(test_a_log_line_comes_while_somebody_types, on_a_dumb_line),
        cmocka_unit_test_setup(test_a_log_line_comes_while_somebody_types, on_a_terminal),
        cmocka_unit_test_setup(test_what_is_recorded, on_a_dumb_line),
        cmocka_unit_test_setup(test_long_lines, on_a_dumb_line),
        cmocka_unit_test_setup(test_long_lines, on_a_terminal),
        cmocka_unit_test_setup(test_colours, on_a_terminal),
        cmocka_unit_test_setup(test_pages, on_a_terminal),
        cmocka_unit_test_setup(test_clearing, on_a_terminal),
        cmocka_unit_test_setup(test_completion, on_a_dumb_line),
        cmocka_unit_test_setup(test_arguments, on_a_dumb_line),
        cmocka_unit_test_setup(test_arguments, on_a_terminal),
        cmocka_unit_test_setup(test_a_guest_in_front, on_a_terminal),
        cmocka_unit_test_setup(test_any_bytes_on_a_dumb_line, on_a_dumb_line),
        cmocka_unit_test_setup(test_any_bytes_on_a_terminal, on_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
