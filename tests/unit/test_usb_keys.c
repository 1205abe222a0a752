/* SPDX-License-Identifier: MIT */
// SOURCES: guest/usb/keys.c -log.c -clock.c -pages.c
/* What a USB keyboard's reports type. */
#include <string.h>

#include "guest/usb/keys.h"
#include "tests/unit/support/host.h"

#define CTRL  0x01
#define SHIFT 0x02
#define RIGHT 0x10 /* the same on the right */
#define ALT   0x04

static struct keys keys;
static char typed[256];
static size_t used;
static uint64_t now;

static void take(const char *text, size_t size)
{
    assert_in_range(size, 1, 8);
    assert_true(used + size < sizeof typed);
    memcpy(typed + used, text, size);
    used += size;
    typed[used] = '\0';
}

static int fresh(void **state)
{
    memset(&keys, 0, sizeof keys);
    used = 0;
    typed[0] = '\0';
    now = 1000;
    return 0;
}

static bool report(uint8_t modifiers, uint8_t first, uint8_t second)
{
    uint8_t bytes[KEYS_REPORT] = {modifiers, 0, first, second};
    now += 8000;
    return keys_report(&keys, bytes, sizeof bytes, now, take);
}

static void tap(uint8_t modifiers, uint8_t usage)
{
    (void)report(modifiers, usage, 0);
    (void)report(modifiers, 0, 0);
}

static void expect(const char *text)
{
    assert_string_equal(typed, text);
    used = 0;
    typed[0] = '\0';
}

static void both_layers(void **state)
{
    for (uint8_t usage = 0x04; usage < 0x39; usage++)
        tap(0, usage);
    expect("abcdefghijklmnopqrstuvwxyz1234567890\r\033\177\t -=[]\\\\;'`,./");
    for (uint8_t usage = 0x04; usage < 0x39; usage++)
        tap(usage % 2 == 0 ? SHIFT : SHIFT << 4, usage);
    expect("ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()\r\033\177\t _+{}||:\"~<>?");
    for (uint8_t usage = 0x54; usage < 0x65; usage++)
        tap(0, usage);
    expect("/*-+\r1234567890.\\");
}

static void control_keys(void **state)
{
    tap(CTRL, 0x06);         /* C */
    tap(RIGHT, 0x18);        /* U */
    tap(CTRL, 0x31);         /* backslash: leaves a guest's console */
    tap(CTRL | SHIFT, 0x04); /* A */
    tap(CTRL, 0x1e);         /* 1: no such character */
    tap(CTRL, 0x28);         /* enter */
    tap(CTRL, 0x2a);         /* backspace */
    tap(CTRL | SHIFT, 0x1f); /* @ would be NUL */
    tap(ALT, 0x04);
    expect("\003\025\034\001a");
}

static void sequences_of_a_terminal(void **state)
{
    for (uint8_t usage = 0x49; usage < 0x53; usage++)
        tap(0, usage);
    expect("\033[2~\033[H\033[5~\033[3~\033[F\033[6~\033[C\033[D\033[B\033[A");
    tap(0, 0x3a); /* F1 */
    tap(0, 0x53); /* Num Lock */
    tap(0, 0x65);
    tap(0, 0xff);
    tap(0, 0x02);
    expect("");
}

static void caps_lock(void **state)
{
    assert_true(report(0, 0x39, 0));
    assert_false(report(0, 0, 0));
    assert_int_equal(keys_lights(&keys), 2);
    tap(0, 0x04);
    tap(SHIFT, 0x04);
    tap(0, 0x1e);
    tap(SHIFT, 0x1e);
    expect("Aa1!");
    assert_true(report(0, 0x39, 0));
    assert_int_equal(keys_lights(&keys), 0);
    tap(0, 0x04);
    expect("a");
}

/* Fast typing: a key goes down before the last one is up; each counts once. */
static void keys_that_overlap(void **state)
{
    (void)report(0, 0x04, 0);
    (void)report(0, 0x04, 0x05);
    (void)report(0, 0x05, 0);
    (void)report(0, 0x06, 0x05);
    (void)report(0, 0x06, 0);
    (void)report(SHIFT, 0x06, 0); /* a modifier alone types nothing */
    (void)report(0, 0, 0);
    expect("abc");
}

static void a_held_key_repeats(void **state)
{
    (void)report(0, 0x04, 0);
    for (unsigned i = 0; i < 499; i++, now += 1000)
        keys_tick(&keys, now, take);
    expect("a");
    for (unsigned i = 0; i < 1000; i++, now += 1000)
        keys_tick(&keys, now, take);
    assert_in_range(used, 24, 26); /* 25 a second */
    used = 0;
    (void)report(0, 0x04, 0x05); /* the one that was pressed last repeats */
    for (unsigned i = 0; i < 545; i++, now += 1000)
        keys_tick(&keys, now, take);
    expect("bbb");
    (void)report(0, 0x04, 0);
    now += 1000000;
    keys_tick(&keys, now, take);
    expect("");
}

static void more_keys_than_fit(void **state)
{
    uint8_t rollover[KEYS_REPORT] = {SHIFT, 0, 1, 1, 1, 1, 1, 1};
    (void)report(0, 0x04, 0);
    assert_false(keys_report(&keys, rollover, sizeof rollover, now, take));
    assert_int_equal(keys.modifiers, 0);
    (void)report(0, 0x04, 0);
    expect("a"); /* it was down all the time */
}

static void short_reports(void **state)
{
    uint8_t *bytes = test_malloc(KEYS_REPORT);
    memset(bytes, 0x04, KEYS_REPORT);
    for (size_t size = 0; size < KEYS_REPORT; size++)
        assert_false(keys_report(&keys, bytes, size, now, take));
    expect("");
    test_free(bytes);
}

/* Whatever a keyboard sends, only characters of a keyboard come out. */
static void any_report(void **state)
{
    uint32_t seed = 1;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[KEYS_REPORT];
        for (unsigned k = 0; k < KEYS_REPORT; k++) {
            seed = seed * 1664525 + 1013904223;
            bytes[k] = (uint8_t)(seed >> 24);
        }
        used = 0;
        (void)keys_report(&keys, bytes, sizeof bytes, now, take);
        keys_tick(&keys, now += 100000, take);
        for (size_t k = 0; k < used; k++)
            assert_in_range(typed[k], 1, 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_layers, fresh),
        cmocka_unit_test_setup(control_keys, fresh),
        cmocka_unit_test_setup(sequences_of_a_terminal, fresh),
        cmocka_unit_test_setup(caps_lock, fresh),
        cmocka_unit_test_setup(keys_that_overlap, fresh),
        cmocka_unit_test_setup(a_held_key_repeats, fresh),
        cmocka_unit_test_setup(more_keys_than_fit, fresh),
        cmocka_unit_test_setup(short_reports, fresh),
        cmocka_unit_test_setup(any_report, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
