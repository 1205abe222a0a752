/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "tests/unit/support/host.h"

#pragma GCC diagnostic ignored "-Wformat"

#pragma GCC diagnostic ignored "-Wformat-security"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wformat-truncation"
#endif

static unsigned compared;

#define COMPARE(...)                                                                               \
    do {                                                                                           \
        char expected[256], actual[256];                                                           \
        int length = snprintf(expected, sizeof expected, __VA_ARGS__);                             \
        size_t ours = format_text(actual, sizeof actual, __VA_ARGS__);                             \
        assert_string_equal(actual, expected);                                                     \
        assert_int_equal(ours, length);                                                            \
        compared++;                                                                                \
    } while (0)

static const char *const flags[] = {"", "-", "0", "#", "-0", "0#", "-#", "0-#"};
static const char *const widths[] = {"", "1", "2", "5", "8", "18", "30"};

static void test_integers(void **state)
{
    static const struct {
        const char *length;
        unsigned bytes;
    } lengths[] = {{"", 4}, {"l", 8}, {"ll", 8}, {"z", 8}};
    static const uint64_t values[] = {0,
                                      1,
                                      9,
                                      10,
                                      127,
                                      128,
                                      255,
                                      256,
                                      32767,
                                      32768,
                                      65535,
                                      INT_MAX,
                                      (uint64_t)INT_MAX + 1,
                                      UINT_MAX,
                                      (uint64_t)UINT_MAX + 1,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX,
                                      UINT64_C(0xffff800000000000),
                                      UINT64_C(1234567890123456789),
                                      (uint64_t)-42};
    for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
        for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
            for (size_t l = 0; l < ARRAY_SIZE(lengths); l++)
                for (const char *kind = "dux"; *kind != '\0'; kind++)
                    for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                        /* '#' is undefined in C for the decimal conversions. */
                        if (strchr(flags[f], '#') != NULL && *kind != 'x')
                            continue;
                        char format[48];
                        snprintf(format, sizeof format, "<%%%s%s%s%c>", flags[f], widths[w],
                                 lengths[l].length, *kind);
                        if (lengths[l].bytes == 8)
                            COMPARE(format, values[v]);
                        else
                            COMPARE(format, (unsigned)values[v]);
                    }
    assert_true(compared > 9000);
}

static void test_text_and_characters(void **state)
{
    static const char *const texts[] = {"", "a", "hello", "a longer text than most fields"};
    for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
        for (size_t left = 0; left < 2; left++)
            for (size_t t = 0; t < ARRAY_SIZE(texts); t++) {
                char format[32];
                snprintf(format, sizeof format, "[%%%s%ss]", left ? "-" : "", widths[w]);
                COMPARE(format, texts[t]);
                snprintf(format, sizeof format, "[%%%s%sc]", left ? "-" : "", widths[w]);
                COMPARE(format, 'x');
            }
    COMPARE("%d%% of %s, %5u and %#lx", 12, "it", 77u, 0xfee00000ul);
    char actual[16];
    const char *volatile none = NULL; /* hidden from the compiler, which knows better */
    format_text(actual, sizeof actual, "%s", none);
    assert_string_equal(actual, "(null)");
}

static void test_cut_output(void **state)
{
    for (size_t size = 0; size <= 20; size++) {
        char expected[24], actual[24];
        memset(expected, '#', sizeof expected);
        memset(actual, '#', sizeof actual);
        int length = snprintf(expected, size, "0x%08x %s", 0xbeefu, "text");
        assert_int_equal(format_text(actual, size, "0x%08x %s", 0xbeefu, "text"), length);
        /* glibc may touch nothing past the terminator, and neither may we. */
        assert_memory_equal(actual, expected, sizeof actual);
    }
    assert_int_equal(format_text(NULL, 0, "%d", 12345), 5);
}

static void test_unknown_conversion_is_shown(void **state)
{
    char actual[64];
    assert_int_equal(format_text(actual, sizeof actual, "a %d %q b %d", 1, 2), 11);
    assert_string_equal(actual, "a 1 %q b %d");
    format_text(actual, sizeof actual, "100%");
    assert_string_equal(actual, "100%");
}

static void test_size_text(void **state)
{
    assert_string_equal(size_text(0).text, "0");
    assert_string_equal(size_text(1234).text, "1234");
    assert_string_equal(size_text(KIB(4)).text, "4K");
    assert_string_equal(size_text(MIB(32)).text, "32M");
    assert_string_equal(size_text(GIB(2)).text, "2G");
    assert_string_equal(size_text(GIB(2) + KIB(4)).text, "2097156K");
    assert_string_equal(size_text(GIB(2) + MIB(1)).text, "2049M");
    assert_string_equal(size_text(UINT64_MAX).text, "18446744073709551615");
}

static void test_rid_text(void **state)
{
    assert_string_equal(rid_text(0).text, "00:00.0");
    assert_string_equal(rid_text(0x0181).text, "01:10.1");
    assert_string_equal(rid_text(0xffff).text, "ff:1f.7");
    assert_string_equal(rid_text(0x00010100).text, "0001:01:00.0");
    assert_string_equal(rid_text(0xffffffff).text, "ffff:ff:1f.7");
}

static void test_quote_text(void **state)
{
    char out[32];
    quote_text(out, sizeof out, "plain", 5);
    assert_string_equal(out, "plain");
    quote_text(out, sizeof out, "a\"b\\c\n\x7f\x80\0z", 10);
    assert_string_equal(out, "a\\\"b\\\\c\\x0a\\x7f\\x80\\x00z");
    /* An escape that does not fit is left out whole. */
    for (size_t size = 1; size <= 9; size++) {
        memset(out, '#', sizeof out);
        quote_text(out, size, "ab\ncd", 5);
        assert_true(strlen(out) < size);
        assert_int_equal(out[size], '#');
        assert_string_equal(out, size <= 2   ? (size == 1 ? "" : "a")
                                 : size <= 6 ? "ab"
                                 : size == 7 ? "ab\\x0a"
                                 : size == 8 ? "ab\\x0ac"
                                             : "ab\\x0acd");
    }
    memset(out, '#', sizeof out);
    quote_text(out, 0, "abc", 3);
    assert_int_equal(out[0], '#');
}

static void test_text_helpers(void **state)
{
    char out[4];
    assert_true(text_copy(out, sizeof out, "abc"));
    assert_string_equal(out, "abc");
    assert_false(text_copy(out, sizeof out, "abcd"));
    assert_string_equal(out, "abc");
    assert_false(text_copy(out, 0, "abc"));
    assert_true(text_equal("a", "a"));
    assert_false(text_equal("a", "ab"));
    assert_true(text_begins("uplink.vf0", "uplink"));
    assert_true(text_begins("x", ""));
    assert_false(text_begins("up", "uplink"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),   cmocka_unit_test(test_text_and_characters),
        cmocka_unit_test(test_cut_output), cmocka_unit_test(test_unknown_conversion_is_shown),
        cmocka_unit_test(test_size_text),  cmocka_unit_test(test_rid_text),
        cmocka_unit_test(test_quote_text), cmocka_unit_test(test_text_helpers),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
