/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/editor.c hypervisor/base/text.c
/* The line that somebody types: every key, broken sequences, and what Tab makes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/monitor/editor.h"
#include "tests/unit/support/host.h"

#define UP     "\x1b[A"
#define DOWN   "\x1b[B"
#define RIGHT  "\x1b[C"
#define LEFT   "\x1b[D"
#define DELETE "\x1b[3~"

static const char *const words[] = {"guests", "groups", "help", "01:00.0", "01:10.0", NULL};
static char asked_before[EDITOR_SIZE], shown[256];

static void candidates(struct editor *editor, const char *before)
{
    snprintf(asked_before, sizeof asked_before, "%s", before);
    for (unsigned i = 0; words[i] != NULL; i++)
        editor_offer(editor, words[i]);
}

static void show(const char *word)
{
    size_t used = strlen(shown);
    snprintf(shown + used, sizeof shown - used, "%s ", word != NULL ? word : "END");
}

static struct editor editor;

static int fresh(void **state)
{
    memset(&editor, 0, sizeof editor);
    editor.candidates = candidates;
    editor.show = show;
    shown[0] = asked_before[0] = '\0';
    return 0;
}

static void check_sound(void)
{
    assert_true(editor.used < EDITOR_SIZE && editor.cursor <= editor.used);
    assert_int_equal(strlen(editor.line), editor.used);
    for (size_t i = 0; i < editor.used; i++)
        assert_true(editor.line[i] >= ' ' && editor.line[i] <= '~');
}

/* What the last key was for. */
static enum editor_event type(const char *keys)
{
    enum editor_event event = EDITOR_NONE;
    for (; *keys != '\0'; keys++) {
        event = editor_key(&editor, *keys);
        check_sound();
    }
    return event;
}

static void enter(const char *keys)
{
    type(keys);
    assert_int_equal(type("\r"), EDITOR_ENTER);
    editor_clear(&editor);
    check_sound();
}

/* The line with a bar where the cursor is. */
#define expect(text) expect_line(text, __LINE__)
static void expect_line(const char *text, int line)
{
    char with_cursor[EDITOR_SIZE + 1];
    snprintf(with_cursor, sizeof with_cursor, "%.*s|%s", (int)editor.cursor, editor.line,
             editor.line + editor.cursor);
    if (strcmp(with_cursor, text) != 0)
        fail_msg("line %d: '%s', not '%s'", line, with_cursor, text);
}

static void test_moving(void **state)
{
    type("abc");
    expect("abc|");
    type(LEFT LEFT "X");
    expect("aX|bc");
    type("\x01Y");
    expect("Y|aXbc");
    type("\x05Z");
    expect("YaXbcZ|");
    type("\x02\x02\x06-");
    expect("YaXbc-|Z");
    /* Home and End as xterm, VT220 and rxvt send them, and in application mode. */
    static const char *const home[] = {"\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"};
    static const char *const end[] = {"\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"};
    for (unsigned i = 0; i < ARRAY_SIZE(home); i++) {
        type(home[i]);
        expect("|YaXbc-Z");
        type(LEFT);
        expect("|YaXbc-Z");
        type(end[i]);
        expect("YaXbc-Z|");
        type(RIGHT "\x06");
        expect("YaXbc-Z|");
    }
    type("\x1b[1;5D\x1b[1;2D\x1bOD"); /* with Ctrl, with Shift, in application mode */
    expect("YaXb|c-Z");
}

static void test_cutting(void **state)
{
    type("stop alpha  beta" LEFT LEFT LEFT LEFT);
    expect("stop alpha  |beta");
    type("\x17");
    expect("stop |beta");
    type("\x17");
    expect("|beta");
    type("\x17\b\x7f");
    expect("|beta");
    type(DELETE "\x04");
    expect("|ta");
    type("\x05" DELETE "\x04");
    expect("ta|");
    type("\x7f");
    expect("t|");
    type("\b\b");
    expect("|");
    type("one two three\x02\x02\x0b");
    expect("one two thr|");
    type("\x0b");
    expect("one two thr|");
    type(LEFT "\x15");
    expect("|");
    type("one" LEFT "\x03");
    expect("|");
    type("  \x17");
    expect("|");
}

static void test_history(void **state)
{
    type(UP DOWN "\x10\x0e");
    expect("|");
    enter("first");
    enter("second");
    enter("second"); /* the same again is one */
    enter("");
    type("typed" LEFT UP);
    expect("second|");
    type(UP);
    expect("first|");
    type(UP);
    expect("first|");
    type("!" DOWN);
    expect("second|");
    type(DOWN);
    expect("typed|");
    type(DOWN);
    expect("typed|");
    type(UP UP "!\r"); /* what is changed is a line of its own */
    expect("first!|");
    editor_clear(&editor);
    type("\x10");
    expect("first!|");
    type("\x10\x10");
    expect("first|");
    type("\x03\x10");
    expect("first!|");
}

static void test_history_keeps_sixteen(void **state)
{
    char text[16];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "line %u", i);
        enter(text);
    }
    for (unsigned i = 0; i < EDITOR_HISTORY; i++) {
        type(UP);
        snprintf(text, sizeof text, "line %u|", 39 - i);
        expect(text);
    }
    type(UP UP UP);
    expect("line 24|");
    for (unsigned i = 0; i < EDITOR_HISTORY; i++)
        type(DOWN);
    expect("|");
}

static void test_long_lines(void **state)
{
    char text[EDITOR_SIZE + 1];
    for (unsigned i = 0; i < 1000; i++)
        type("y");
    assert_int_equal(editor.used, EDITOR_SIZE - 1);
    type("\x01z");
    assert_int_equal(editor.line[0], 'y');
    type("\x04z");
    assert_int_equal(editor.line[0], 'z');
    snprintf(text, sizeof text, "%s", editor.line);
    enter("");
    type(UP);
    assert_string_equal(editor.line, text);
}

/* Whatever comes after an Escape: the sequence takes its own bytes and no other. */
static void test_broken_sequences(void **state)
{
    type("\x1bg\x1b\x1bu\x1b[\x1b[Ce\x1b[99;99;99mst\x1b[5~\x1b[200~s\x1bOP\x1b[[");
    expect("guests|");
    assert_int_equal(type("\x1b[12\r"), EDITOR_ENTER); /* broken off by a control character */
    assert_int_equal(type("\x1b\r"), EDITOR_ENTER);
    editor_clear(&editor);
    type("\x1b[1234567890123456789012345678901234567890~a\x1b[;;;;;;D"
         "b");
    expect("b|a");
    type("\x1b[3\x7f");
    expect("|a");
    type("\x1b[?1;2c\x1b[>0;1;2c\x1b[!p\x1b[ q");
    expect("|a");
    for (unsigned i = 0; i < 5; i++) /* a sequence that comes in pieces is one all the same */
        type("\x1b"), type("["), type("3"), type("~");
    expect("|");
}

static void test_report(void **state)
{
    assert_int_equal(type("\x1b[43;132R"), EDITOR_REPORT);
    assert_int_equal(editor.number, 43);
    assert_int_equal(type("\x1b[4294967300;1R"), EDITOR_REPORT);
    assert_int_equal(editor.number, 999);
    assert_int_equal(type("\x1b[R"), EDITOR_REPORT);
    assert_int_equal(editor.number, 0);
    assert_int_equal(type("R"), EDITOR_NONE);
    assert_int_equal(type("\x0c"), EDITOR_CLEAR);
    expect("R|");
}

static void test_every_byte(void **state)
{
    for (unsigned first = 0; first < 256; first++) {
        fresh(state);
        (void)editor_key(&editor, (char)first);
        check_sound();
        bool printable = first >= ' ' && first <= '~';
        assert_int_equal(editor.used, printable);
        assert_true(!printable || editor.line[0] == (char)first);
        for (unsigned second = 0; second < 256; second++)
            for (unsigned third = 0; third < 256; third += second == '[' ? 1 : 51) {
                (void)editor_key(&editor, (char)first);
                (void)editor_key(&editor, (char)second);
                (void)editor_key(&editor, (char)third);
                check_sound();
            }
    }
    fresh(state); /* the sequence before may wait for its end */
    for (unsigned i = 0x80; i < 256; i++)
        assert_int_equal(editor_key(&editor, (char)i), EDITOR_NONE);
    expect("|");
}

static void test_any_bytes(void **state)
{
    static const char likely[] = "\x1b\x1b\x1b[[[O13~ABCDFHR;\t\r\x0b\x15\x17\x7f\x01\x05 g0";
    srand(13);
    for (unsigned i = 0; i < 2000000; i++) {
        unsigned pick = (unsigned)rand();
        char key = (pick & 3) != 0 ? likely[(pick >> 8) % (sizeof likely - 1)] : (char)(pick >> 8);
        if (editor_key(&editor, key) == EDITOR_ENTER)
            editor_clear(&editor);
        if (i % 16 == 0)
            check_sound();
        shown[0] = '\0';
    }
}

static void test_completion(void **state)
{
    type("he\t");
    expect("help |");
    assert_string_equal(asked_before, "");
    type("\t"); /* all words may come next, and nothing can be added */
    assert_string_equal(asked_before, "help ");
    assert_string_equal(shown, "guests groups help 01:00.0 01:10.0 END ");
    type("01\t");
    expect("help 01:|");
    shown[0] = '\0';
    type("\t");
    assert_string_equal(shown, "01:00.0 01:10.0 END ");
    type("1\t");
    expect("help 01:10.0 |");
    fresh(state);
    type("x\t");
    expect("x|");
    assert_string_equal(shown, "");
    type("\x15g\t");
    expect("g|");
    assert_string_equal(shown, "guests groups END ");
    type("ulp" LEFT LEFT LEFT
         "u\t"); /* in the middle of a word: what is left of the cursor counts */
    expect("guests |ulp");
}

/* What does not fit is not put in by halves. */
static void test_completion_of_a_full_line(void **state)
{
    for (unsigned i = 0; i < EDITOR_SIZE - 4; i++)
        type("y");
    type(" g\t\tr\t");
    assert_int_equal(editor.used, EDITOR_SIZE - 1);
    assert_int_equal(editor.line[editor.used - 1], 'r');
    type("\x7f\x7f\x7f\x7f\x7f\x7f he\tX");
    assert_string_equal(editor.line + editor.used - 6, " help "); /* full */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_moving, fresh),
        cmocka_unit_test_setup(test_cutting, fresh),
        cmocka_unit_test_setup(test_history, fresh),
        cmocka_unit_test_setup(test_history_keeps_sixteen, fresh),
        cmocka_unit_test_setup(test_long_lines, fresh),
        cmocka_unit_test_setup(test_broken_sequences, fresh),
        cmocka_unit_test_setup(test_report, fresh),
        cmocka_unit_test_setup(test_every_byte, fresh),
        cmocka_unit_test_setup(test_any_bytes, fresh),
        cmocka_unit_test_setup(test_completion, fresh),
        cmocka_unit_test_setup(test_completion_of_a_full_line, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
