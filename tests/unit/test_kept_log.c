/* SPDX-License-Identifier: MIT */
// What is left of a log in memory: whole, in part, with any bit flipped, or not at all.
// SOURCES: boot/kept_log.c hypervisor/base/log_ring.c hypervisor/base/log_boot.c -log.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/kept_log.h"
#include "hypervisor/base/log_boot.h"
#include "tests/unit/support/host.h"

#define FIRST_WORDS (PAGE_SIZE / 8)
#define RING_WORDS  (LOG_KEPT_RING / 8)

struct log_history log_history;
struct core_ring log_rings[CPU_MAX];

unsigned this_core(void)
{
    return 0;
}

static uint64_t memory[LOG_KEPT_SIZE / 8];

/* A line's text follows from its number, so that a false one is seen. */
static size_t line_of(uint64_t number, char text[LOG_LINE_SIZE])
{
    int size =
        snprintf(text, LOG_LINE_SIZE, "[0.%06u] some.event number=%u text=\"%.*s\"\n",
                 (unsigned)number, (unsigned)number, (int)(number * 7 % 90),
                 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abc"
                 "defghijklmnopqrstuvwxyz0123456789");
    return (size_t)size;
}

static void fill(uint64_t lines)
{
    struct log_history first = {.words = memory, .count = FIRST_WORDS};
    struct log_history ring = {.words = memory + FIRST_WORDS, .count = RING_WORDS};
    char text[LOG_LINE_SIZE];
    memset(memory, 0, sizeof memory);
    for (uint64_t i = 0; i < lines; i++) {
        size_t size = line_of(i, text);
        log_history_put(&ring, text, size);
        for (unsigned copy = 0; i == 0 && copy < 2; copy++) {
            first.lines = 0;
            log_history_put(&first, text, size);
        }
    }
}

/* Every line that is believed is one that was written, and they ascend. */
static uint64_t read_all(struct kept_log *log)
{
    char text[LOG_LINE_SIZE], expected[LOG_LINE_SIZE];
    uint64_t gap, last = 0, count = 0;
    for (size_t size; (size = kept_log_next(log, text, &gap)) != 0; count++) {
        unsigned number;
        text[MIN(size, sizeof text - 1)] = '\0';
        const char *found = strstr(text, "number=");
        assert_non_null(found);
        assert_int_equal(sscanf(found, "number=%u", &number), 1);
        assert_true(count == 0 || number > last);
        last = number;
        assert_int_equal(size, line_of(number, expected));
        assert_memory_equal(text, expected, size);
    }
    assert_int_equal(log->lines, count);
    return count;
}

static void test_all_of_it(void **state)
{
    struct kept_log log;
    for (uint64_t lines = 1; lines < 300; lines += 13) {
        fill(lines);
        assert_true(kept_log_open(&log, memory));
        assert_int_equal(read_all(&log), lines);
        assert_int_equal(log.missing, 0);
        assert_false(log.crashed);
    }
}

/* The ring has gone round many times, with its end anywhere in a line: the first and the newest. */
static void test_the_newest_of_many(void **state)
{
    struct kept_log log;
    for (uint64_t lines = 2000; lines < 2040; lines++) {
        fill(lines);
        assert_true(kept_log_open(&log, memory));
        uint64_t count = read_all(&log);
        assert_true(count > 400 && count < lines);
        assert_int_equal(count + log.missing, lines);
        assert_int_equal(log.next, lines);
    }
}

static void test_nothing_is_there(void **state)
{
    struct kept_log log;
    memset(memory, 0, sizeof memory);
    assert_false(kept_log_open(&log, memory));
    memset(memory, 0xff, sizeof memory);
    assert_false(kept_log_open(&log, memory));
    for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
        memory[i] = LOG_RECORD_MARK | (i % 700);
    assert_false(kept_log_open(&log, memory));
    srandom(1);
    for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
        memory[i] = (uint64_t)random() << 33 ^ (uint64_t)random();
    assert_false(kept_log_open(&log, memory));
}

/* One bit costs one line, whichever it is; the others are there. */
static void test_each_bit_flipped(void **state)
{
    struct kept_log log;
    const uint64_t lines = 20;
    fill(lines);
    size_t end = FIRST_WORDS + 20 * 24;
    for (size_t word = 0; word < end; word++) {
        if (memory[word] == 0 && word > 64 && word < FIRST_WORDS)
            continue;
        for (unsigned bit = 0; bit < 64; bit++) {
            memory[word] ^= BIT(bit);
            assert_true(kept_log_open(&log, memory));
            uint64_t count = read_all(&log);
            assert_true(count == lines || count == lines - 1);
            memory[word] ^= BIT(bit);
        }
    }
}

/* All copies of the first line are gone: the others are still there. */
static void test_the_first_page_is_gone(void **state)
{
    struct kept_log log;
    fill(100);
    memset(memory, 0xa5, PAGE_SIZE);
    assert_true(kept_log_open(&log, memory));
    assert_int_equal(read_all(&log), 100);
    fill(100);
    memset(memory + FIRST_WORDS, 0xa5, LOG_KEPT_RING);
    assert_true(kept_log_open(&log, memory));
    assert_int_equal(read_all(&log), 1);
}

/* As firmware leaves memory that it has used: parts overwritten, many bits wrong. */
static void test_damage_of_any_kind(void **state)
{
    struct kept_log log;
    srandom(2);
    for (unsigned turn = 0; turn < 400; turn++) {
        fill(turn % 2 == 0 ? 300 : 2500);
        for (unsigned hole = 0; hole < turn % 7; hole++) {
            size_t from = (size_t)random() % ARRAY_SIZE(memory);
            size_t count = (size_t)random() % 900;
            count = MIN(count, ARRAY_SIZE(memory) - from);
            if (hole % 2 == 0)
                memset(memory + from, turn & 0xff, count * 8);
            else
                memmove(memory + (size_t)random() % (ARRAY_SIZE(memory) - count), memory + from,
                        count * 8);
        }
        for (unsigned flips = 0; flips < turn; flips++)
            memory[(size_t)random() % ARRAY_SIZE(memory)] ^= BIT((unsigned)random() % 64);
        if (kept_log_open(&log, memory))
            assert_true(read_all(&log) > 0);
    }
}

static void test_a_crash_is_seen(void **state)
{
    struct kept_log log;
    struct log_history ring = {.words = memory + FIRST_WORDS, .count = RING_WORDS};
    static const char *const lines[] = {
        "[1.000000] guest.output name=a text=\"] cpu.exception core=0\"\n",
        "[1.000000] cpu.exceptional x=1\n",
        "[1.000001] cpu.exception core=0 vector=6\n",
    };
    char text[LOG_LINE_SIZE];
    uint64_t gap;
    memset(memory, 0, sizeof memory);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        log_history_put(&ring, lines[i], strlen(lines[i]));
    assert_true(kept_log_open(&log, memory));
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(kept_log_next(&log, text, &gap), strlen(lines[i]));
        assert_int_equal(log.crashed, i == 2);
    }
    assert_int_equal(kept_log_next(&log, text, &gap), 0);
}

/* A longest line, and the ring's words from anywhere, as the crash record has them. */
static void test_words_from_anywhere(void **state)
{
    struct kept_log log;
    char longest[LOG_LINE_SIZE], text[LOG_LINE_SIZE];
    uint64_t gap;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\n';
    struct log_history ring = {.words = memory, .count = 1000};
    for (unsigned i = 0; i < 50; i++)
        log_history_put(&ring, longest, sizeof longest);
    for (size_t from = 0; from < 1000; from++) {
        assert_true(kept_log_open_ring(&log, memory, 1000));
        size_t count = 0;
        for (size_t size; (size = kept_log_next(&log, text, &gap)) != 0; count++) {
            assert_int_equal(size, sizeof longest);
            assert_memory_equal(text, longest, size);
        }
        assert_in_range(count, 13, 14);
        uint64_t first = memory[0];
        memmove(memory, memory + 1, 999 * 8);
        memory[999] = first;
    }
}

static void test_the_log_moves(void **state)
{
    static uint64_t before[512], after[1024];
    char text[LOG_LINE_SIZE], line[64];
    uint64_t number;
    log_history = (struct log_history){.words = before, .count = ARRAY_SIZE(before)};
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(line, sizeof line, "line %u\n", i);
        log_history_put(&log_history, line, strlen(line));
    }
    log_move(after, ARRAY_SIZE(after));
    assert_ptr_equal(log_history.words, after);
    log_history_put(&log_history, "last\n", 5);
    size_t word = log_history_begin(&log_history), count = 0;
    for (size_t size; (size = log_history_next(&log_history, &word, text, &number)) != 0; count++)
        assert_int_equal(size, number < 10 ? 7 : number < 100 ? 8 : 5);
    assert_int_equal(number, 100);
    assert_memory_equal(text, "last\n", 5);
    assert_true(count > 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_the_newest_of_many),
        cmocka_unit_test(test_nothing_is_there),
        cmocka_unit_test(test_each_bit_flipped),
        cmocka_unit_test(test_the_first_page_is_gone),
        cmocka_unit_test(test_damage_of_any_kind),
        cmocka_unit_test(test_a_crash_is_seen),
        cmocka_unit_test(test_words_from_anywhere),
        cmocka_unit_test(test_the_log_moves),
    };
    return cmocka_run_group_tests_name("kept log", tests, NULL, NULL);
}
