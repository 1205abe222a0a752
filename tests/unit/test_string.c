/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/base/status.c
/*
 * string.c under other names, so that libc's functions stay what they are and serve as the measure.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/host.h"

#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
#define strlen  own_strlen
#define strcmp  own_strcmp
#define strncmp own_strncmp
#include "hypervisor/base/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp

#define AREA 160

static void fill(uint8_t *bytes)
{
    for (size_t i = 0; i < AREA; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
}

static void test_copies(void **state)
{
    uint8_t expected[AREA], actual[AREA], source[AREA];
    fill(source);
    for (size_t size = 0; size <= 40; size++)
        for (size_t to = 0; to < 9; to++)
            for (size_t from = 0; from < 9; from++) {
                memset(expected, 0xaa, AREA);
                memset(actual, 0xaa, AREA);
                memcpy(expected + to, source + from, size);
                assert_ptr_equal(own_memcpy(actual + to, source + from, size), actual + to);
                assert_memory_equal(actual, expected, AREA);
            }
}

static void test_overlapping_moves(void **state)
{
    uint8_t expected[AREA], actual[AREA];
    for (size_t size = 0; size <= 70; size++)
        for (size_t to = 0; to < 40; to += 3)
            for (size_t from = 0; from < 40; from++) {
                fill(expected);
                fill(actual);
                memmove(expected + to, expected + from, size);
                assert_ptr_equal(own_memmove(actual + to, actual + from, size), actual + to);
                assert_memory_equal(actual, expected, AREA);
            }
}

static void test_fill(void **state)
{
    uint8_t expected[AREA], actual[AREA];
    static const int values[] = {0, 1, 0x7f, 0x80, 0xff, 0x1ff, -1};
    for (size_t v = 0; v < ARRAY_SIZE(values); v++)
        for (size_t size = 0; size <= 40; size++)
            for (size_t to = 0; to < 9; to++) {
                fill(expected);
                fill(actual);
                memset(expected + to, values[v], size);
                assert_ptr_equal(own_memset(actual + to, values[v], size), actual + to);
                assert_memory_equal(actual, expected, AREA);
            }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_comparisons(void **state)
{
    static const char *const texts[] = {"",      "a",        "b",        "ab",
                                        "abc",   "abd",      "\xff",     "\x7f",
                                        "a\xff", "abcdefgh", "abcdefgi", "abcdefghi"};
    for (size_t a = 0; a < ARRAY_SIZE(texts); a++) {
        assert_int_equal(own_strlen(texts[a]), strlen(texts[a]));
        for (size_t b = 0; b < ARRAY_SIZE(texts); b++) {
            assert_int_equal(sign(own_strcmp(texts[a], texts[b])),
                             sign(strcmp(texts[a], texts[b])));
            for (size_t size = 0; size < 11; size++)
                assert_int_equal(sign(own_strncmp(texts[a], texts[b], size)),
                                 sign(strncmp(texts[a], texts[b], size)));
            size_t common = MIN(strlen(texts[a]), strlen(texts[b])) + 1;
            assert_int_equal(sign(own_memcmp(texts[a], texts[b], common)),
                             sign(memcmp(texts[a], texts[b], common)));
        }
    }
    assert_int_equal(own_memcmp("a", "b", 0), 0);
}

static void test_status_names(void **state)
{
    assert_string_equal(status_name(STATUS_OK), "ok");
    assert_string_equal(status_name(STATUS_DEVICE), "device-error");
    assert_string_equal(status_name((enum status)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),       cmocka_unit_test(test_overlapping_moves),
        cmocka_unit_test(test_fill),         cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
