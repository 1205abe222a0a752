/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/usage.c hypervisor/setup/usage.c hypervisor/base/text.c
/* A command's arguments, as its usage writes them. */
#include "hypervisor/setup/usage.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support/host.h"

static bool fits(const char *usage, const char *typed)
{
    char text[64], *words[8];
    unsigned count = 0;
    snprintf(text, sizeof text, "%s", typed);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    struct usage read;
    assert_int_equal(usage_read(usage, &read), STATUS_OK);
    return usage_fits(&read, words, count);
}

static void test_how_many(void **state)
{
    assert_true(fits("", ""));
    assert_false(fits("", "more"));
    assert_false(fits("GUEST", ""));
    assert_true(fits("GUEST", "alpha"));
    assert_false(fits("GUEST", "alpha beta"));
    assert_true(fits("[N|WORD]", ""));
    assert_true(fits("[N|WORD]", "dma.fault"));
    assert_false(fits("[N|WORD]", "dma fault"));
    assert_true(fits("[COMMAND...]", ""));
    assert_true(fits("[COMMAND...]", "walk cpu alpha 0"));
    assert_false(fits("DEVICE FROM TO", "01:10.0 alpha"));
    assert_true(fits("DEVICE FROM TO", "01:10.0 alpha beta"));
    assert_false(fits("DEVICE FROM TO", "01:10.0 alpha beta gamma"));
}

static void test_words_as_they_stand(void **state)
{
    static const char usage[] = "RID ADDRESS | cpu GUEST GPA | irq INDEX";
    assert_true(fits(usage, "01:10.0 0"));
    assert_true(fits(usage, "cpu alpha 0"));
    assert_true(fits(usage, "irq 1"));
    assert_false(fits(usage, "irq"));
    assert_false(fits(usage, "cpu"));
    assert_false(fits(usage, "01:10.0 alpha 0"));
    assert_false(fits(usage, "cpu alpha 0 0"));
    assert_true(fits("[-v]", ""));
    assert_true(fits("[-v]", "-v"));
    assert_false(fits("[-v]", "-w"));
    assert_false(fits("[-v]", "-vv"));
    assert_false(fits("[-v]", "-"));
    assert_false(fits("[-v]", "-v -v"));
}

/* What may come next, one form after the other. */
static void expect_next(const char *usage, char *const words[], unsigned count,
                        const char *expected)
{
    char found[128] = "";
    struct usage read;
    assert_int_equal(usage_read(usage, &read), STATUS_OK);
    for (unsigned i = 0; i < read.forms; i++) {
        const struct usage_word *next = usage_next(read.form[i], words, count);
        if (next != NULL)
            snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s%s;", next->text,
                     next->optional ? "?" : "", next->rest ? "..." : "");
    }
    assert_string_equal(found, expected);
}

static void test_what_comes_next(void **state)
{
    static const char usage[] = "RID ADDRESS | cpu GUEST GPA | irq INDEX";
    char *words[] = {"cpu", "alpha", "0"}, *other[] = {"01:10.0"};
    expect_next(usage, words, 0, "RID;cpu;irq;");
    expect_next(usage, words, 1, "ADDRESS;GUEST;");
    expect_next(usage, words, 2, ";GPA;");
    expect_next(usage, words, 3, ";");
    expect_next(usage, other, 1, "ADDRESS;");
    expect_next("", words, 0, ";");
    expect_next("", words, 1, "");
    expect_next("[-v]", words, 0, "-v?;");
    expect_next("[COMMAND...]", words, 0, "COMMAND?...;");
    expect_next("[COMMAND...]", words, 3, "COMMAND?...;");
}

static void test_what_has_no_room(void **state)
{
    struct usage usage;
    assert_int_equal(usage_read("a b c d e", &usage), STATUS_OK);
    assert_int_equal(usage_read("a b c d e f", &usage), STATUS_FULL);
    assert_int_equal(usage.forms, 0);
    assert_int_equal(usage_read("a | b | c", &usage), STATUS_OK);
    assert_int_equal(usage_read("a | b | c | d", &usage), STATUS_FULL);
    assert_int_equal(usage_read("ELEVENCHARS [ELEVENCHARS...]", &usage), STATUS_OK);
    assert_int_equal(usage_read("TWELVE-CHARS", &usage), STATUS_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_many),
        cmocka_unit_test(test_words_as_they_stand),
        cmocka_unit_test(test_what_comes_next),
        cmocka_unit_test(test_what_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
