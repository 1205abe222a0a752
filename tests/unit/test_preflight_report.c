/* SPDX-License-Identifier: MIT */
// SOURCES: boot/preflight/report.c boot/preflight/log.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c -log.c
/* The report itself: its lines, its last one, and what comes of too little room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/preflight/report.h"
#include "hypervisor/base/log.h"
#include "tests/unit/support/host.h"

static char room[4096];

static size_t two_lines(unsigned varying)
{
    report_begin(room, sizeof room);
    log_event("cpu.name", "vendor=\"%s\" family=0x%x", "GenuineIntel", 6u);
    report_varies(true);
    log_event("cpu.smi", "count=%u", varying);
    report_varies(false);
    return report_end();
}

static void test_lines_and_the_last_one(void **state)
{
    size_t size = two_lines(7);
    const char *body = "cpu.name vendor=\"GenuineIntel\" family=0x6\ncpu.smi count=7\n";
    char last[200];
    snprintf(last, sizeof last,
             "preflight.end lines=2 lost=0 bytes=%zu digest=0x%lx stable=0x%lx\n", strlen(body),
             digest(DIGEST_START, body, strlen(body)), report_stable_digest());
    assert_int_equal(size, strlen(body) + strlen(last));
    assert_memory_equal(room, body, strlen(body));
    assert_memory_equal(room + strlen(body), last, strlen(last));
    /* FNV-1a of "a", as published. */
    assert_int_equal(digest(DIGEST_START, "a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    log_event("cpu.name", "vendor=x");
    assert_int_equal(report_end(), 0);
}

/* What differs at each boot does not make another report of it, all else does. */
static void test_what_varies(void **state)
{
    two_lines(7);
    uint64_t first = report_stable_digest();
    two_lines(8);
    assert_int_equal(report_stable_digest(), first);
    report_begin(room, sizeof room);
    log_event("cpu.name", "vendor=\"%s\" family=0x%x", "GenuineIntel", 7u);
    (void)report_end();
    assert_int_not_equal(report_stable_digest(), first);
}

static void test_an_earlier_report(void **state)
{
    size_t size = two_lines(7);
    uint64_t value, stable = report_stable_digest();
    assert_true(report_last_line(room, size, "stable", &value));
    assert_int_equal(value, stable);
    assert_true(report_last_line(room, size, "digest", &value));
    assert_false(report_last_line(room, size, "lines", &value)); /* no hexadecimal number */
    assert_false(report_last_line(room, size, "absent", &value));
    /* Cut anywhere it has no last line. */
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, room, cut);
        assert_false(report_last_line(copy, cut, "stable", &value));
        assert_false(report_last_line(copy, cut, "digest", &value));
        free(copy);
    }
    /* Only its end is there. */
    for (size_t from = 0; from + 120 < size; from++)
        assert_true(report_last_line(room + from, size - from, "stable", &value));
    static const char lies[][80] = {"preflight.end stable=0xg\n",
                                    "preflight.end stable=0x\n",
                                    "preflight.end stable=0x11223344556677889\n",
                                    "preflight.end xstable=0x1\n",
                                    "other.end stable=0x1\n",
                                    "preflight.end\n"};
    for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
        assert_false(report_last_line(lies[i], strlen(lies[i]), "stable", &value));
}

/* Too little room: whole lines only, and the last one says how many are missing. */
static void test_too_little_room(void **state)
{
    for (size_t size = 0; size < 800; size++) {
        char *small = malloc(size + 1);
        report_begin(small, size);
        for (unsigned i = 0; i < 10; i++)
            log_event("pci.function", "rid=%02x:00.0 id=8086:10c9 number=%u", i, i);
        size_t length = report_end();
        assert_true(length <= size);
        small[length] = '\0';
        if (size <= 200) {
            assert_int_equal(length, 0);
        } else {
            char *last = strstr(small, "preflight.end ");
            unsigned lines, lost;
            assert_non_null(last);
            assert_true(last == small || last[-1] == '\n');
            assert_int_equal(sscanf(last, "preflight.end lines=%u lost=%u", &lines, &lost), 2);
            assert_int_equal(lines + lost, 10);
        }
        free(small);
    }
}

static void test_a_line_that_is_too_long(void **state)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    report_begin(room, sizeof room);
    log_event("cpu.name", "brand=%s", text);
    size_t size = report_end();
    const char *end = memchr(room, '\n', size);
    assert_true(end != NULL && end - room == LOG_LINE_SIZE - 1);
    assert_memory_equal(end - 3, "...", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_the_last_one),  cmocka_unit_test(test_what_varies),
        cmocka_unit_test(test_an_earlier_report),       cmocka_unit_test(test_too_little_room),
        cmocka_unit_test(test_a_line_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
