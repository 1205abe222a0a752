/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/base/log.c hypervisor/base/log_boot.c hypervisor/base/log_ring.c
// SOURCES: hypervisor/base/format.c -log.c
/* The log itself, with two cores played by this test and a console that remembers. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/base/log_ring.h"
#include "hypervisor/base/this_core.h"
#include "tests/unit/support/host.h"

static char console[1 << 20];
static size_t console_used;
static unsigned count = 2;
static unsigned current;
static int interrupts_off;

/* How many lines core 1 still logs while core 0 writes: one in between each two writes. */
static unsigned lines_during_drain;

/* How long the console takes for a byte. */
static unsigned microseconds_per_byte;

static void console_write(const char *text, size_t size)
{
    host_clock_advance(size * microseconds_per_byte);
    assert_true(console_used + size < sizeof console);
    memcpy(console + console_used, text, size);
    console_used += size;
    console[console_used] = '\0';
    if (current == 0 && lines_during_drain > 0) {
        current = 1;
        log_event("between.line", "left=%u", lines_during_drain--);
        current = 0;
    }
}

unsigned this_core(void)
{
    return current;
}

unsigned cpu_count(void)
{
    return count;
}

bool interrupts_disable(void)
{
    interrupts_off++;
    return true;
}

void interrupts_restore(bool were_enabled)
{
    assert_true(were_enabled);
    interrupts_off--;
}

static char ring_bytes[LOG_RING_PAGES * PAGE_SIZE], other_ring_bytes[sizeof ring_bytes];
static unsigned flushes;

static void console_flush(void)
{
    flushes++;
}

static void clear_console(void)
{
    console_used = 0;
    console[0] = '\0';
}

static int setup(void **state)
{
    clear_console();
    current = 0;
    host_clock_set(12345678);
    return 0;
}

static void test_lines_before_there_is_a_sink_are_kept(void **state)
{
    char tail[100];
    log_event("first.line", "seen=%s", "no");
    log_flush();
    assert_string_equal(console, "");
    log_sink = (struct log_sink){console_write, console_flush};
    (void)log_tail(tail, sizeof tail);
    assert_string_equal(tail, "[12.345678] first.line seen=no\n");
    log_flush();
    assert_int_equal(flushes, 1);
}

static void test_line_has_time_event_and_rest(void **state)
{
    log_event("boot.start", "loader=%s count=%u", "efi", 3u);
    assert_string_equal(console, "[12.345678] boot.start loader=efi count=3\n");
    clear_console();
    host_clock_set(7);
    log_event("audit.ok", "%s", "");
    assert_string_equal(console, "[0.000007] audit.ok \n");
    assert_int_equal(interrupts_off, 0);
}

static void test_long_line_is_cut(void **state)
{
    char text[2 * LOG_LINE_SIZE];
    /* "[12.345678] e.v " takes 16 bytes, the newline one. */
    for (size_t length = LOG_LINE_SIZE - 20; length < LOG_LINE_SIZE + 20; length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        clear_console();
        host_clock_set(12345678);
        log_event("e.v", "%s", text);
        assert_true(console_used <= LOG_LINE_SIZE);
        assert_int_equal(console[console_used - 1], '\n');
        bool cut = length + 17 > LOG_LINE_SIZE;
        assert_int_equal(console_used, cut ? LOG_LINE_SIZE : length + 17);
        assert_int_equal(memcmp(console + console_used - 4, "...\n", 4) == 0, cut);
    }
}

static void test_other_cores_lines_wait_for_the_drain(void **state)
{
    current = 1;
    log_event("early.line", "core=%u", 1u);
    assert_non_null(strstr(console, "early.line core=1\n"));

    log_start_core(NULL, sizeof ring_bytes); /* no memory: it goes on writing directly */
    log_event("early.line", "core=%u", 2u);
    assert_non_null(strstr(console, "early.line core=2\n"));
    log_start_core(ring_bytes, sizeof ring_bytes);
    current = 0;
    log_start_core(ring_bytes, sizeof ring_bytes); /* the control core never has one */
    clear_console();
    current = 1;
    log_event("later.line", "core=%u", 1u);
    assert_string_equal(console, "");
    current = 0;
    log_event("own.line", "core=%u", 0u);
    assert_null(strstr(console, "later.line"));
    log_drain();
    const char *own = strstr(console, "own.line core=0\n");
    assert_non_null(own);
    assert_non_null(strstr(own, "later.line core=1\n"));
    clear_console();
    log_drain();
    assert_string_equal(console, "");
}

static void test_full_ring_drops_whole_lines_and_says_so(void **state)
{
    current = 1;
    unsigned sent = 0;
    for (; sent < 1000; sent++)
        log_event("flood.line", "number=%u", sent);
    current = 0;
    clear_console();
    log_drain();
    unsigned received = 0, dropped = 0;
    for (char *line = strtok(console, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned number;
        char *event = strchr(line, ' ') + 1;
        if (sscanf(event, "flood.line number=%u", &number) == 1)
            assert_int_equal(number, received++);
        else
            assert_int_equal(sscanf(event, "log.dropped core=1 lines=%u", &dropped), 1);
    }
    assert_true(received > 100 && dropped > 0);
    assert_int_equal(received + dropped, sent);
    clear_console();
    log_drain();
    assert_string_equal(console, "");
}

static void test_drain_ends_with_a_whole_line(void **state)
{
    current = 1;
    for (unsigned i = 0; i < 1000; i++)
        log_event("flood.line", "number=%u", i);
    current = 0;
    clear_console();
    lines_during_drain = 20;
    log_drain();
    lines_during_drain = 0;
    for (char *line = strtok(console, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_int_equal(line[0], '[');
        assert_non_null(strchr(line, '='));
        assert_ptr_equal(strrchr(line, '['), line);
    }
    clear_console();
    log_drain();
    assert_non_null(strstr(console, "between.line left=1\n"));
}

/* A serial port at 115200 baud, one core that logs without end and one with a single line. */
static void test_a_flood_does_not_hold_up_the_control_core(void **state)
{
    count = 3;
    microseconds_per_byte = 87;
    current = 1;
    for (unsigned i = 0; i < 1000; i++)
        log_event("flood.line", "number=%u", i);
    current = 2;
    log_start_core(other_ring_bytes, sizeof other_ring_bytes);
    log_event("other.line", "core=%u", 2u);
    current = 0;
    clear_console();
    for (unsigned turn = 0; turn < 2; turn++) {
        uint64_t start = clock_microseconds();
        log_service();
        uint64_t lasted = clock_microseconds() - start;
        assert_true(lasted <= MILLISECONDS(10) + 87 * LOG_LINE_SIZE);
        assert_int_equal(console[console_used - 1], '\n');
    }
    assert_non_null(strstr(console, "flood.line number=0\n"));
    assert_non_null(strstr(console, "other.line core=2\n"));
    for (unsigned turn = 0; turn < 1000; turn++)
        log_service();
    assert_non_null(strstr(console, "log.dropped core=1 "));
    clear_console();
    log_drain();
    assert_string_equal(console, "");
    microseconds_per_byte = 0;
    count = 2;
}

static void test_panic_writes_at_once(void **state)
{
    current = 1;
    log_panic("cpu.exception", "core=%u name=%s", 1u, "#GP");
    assert_non_null(strstr(console, "] cpu.exception core=1 name=#GP\n"));
    interrupts_off = 0; /* a panic does not turn them on again */
}

static void test_tail(void **state)
{
    char tail[KIB(70)];
    for (unsigned i = 0; i < 5000; i++)
        log_event("tail.line", "number=%u", i);
    size_t length = log_tail(tail, sizeof tail);
    assert_true(length > KIB(32) && length < KIB(64));
    assert_int_equal(strlen(tail), length);
    assert_int_equal(tail[0], '[');
    assert_string_equal(tail + length - 12, "number=4999\n");
    length = log_tail(tail, 100);
    assert_true(length > 30 && length < 100);
    assert_int_equal(tail[0], '[');
    assert_string_equal(tail + length - 12, "number=4999\n");
    assert_int_equal(log_tail(tail, 1), 0);
    assert_string_equal(tail, "");
}

static void test_ring_wraps_at_every_offset(void **state)
{
    char bytes[64], out[64];
    struct log_ring ring;
    log_ring_init(&ring, bytes, sizeof bytes);
    ring.head = ring.tail = UINT32_MAX - 100; /* and the counters wrap on the way */
    for (unsigned i = 0; i < 1000; i++) {
        char text[32];
        size_t size = (size_t)snprintf(text, sizeof text, "%u:%.*s\n", i, (int)(i % 23),
                                       "abcdefghijklmnopqrstuvwxyz");
        assert_true(log_ring_put(&ring, text, size));
        assert_int_equal(log_ring_take(&ring, out, 3), 3);
        assert_int_equal(log_ring_take(&ring, out + 3, sizeof out - 3), size - 3);
        assert_memory_equal(out, text, size);
        assert_int_equal(log_ring_take(&ring, out, sizeof out), 0);
    }
    assert_true(log_ring_put(&ring, out, 64));
    assert_false(log_ring_put(&ring, "x", 1));
    assert_int_equal(log_ring_take_dropped(&ring), 1);
    assert_int_equal(log_ring_take_dropped(&ring), 0);
    assert_int_equal(log_ring_take(&ring, out, sizeof out), 64);
    assert_false(log_ring_put(&ring, console, 65));
}

#define SENT 20000

static void *send_lines(void *argument)
{
    struct log_ring *ring = argument;
    for (unsigned i = 0; i < SENT; i++) {
        char text[40];
        int size = snprintf(text, sizeof text, "%u %.*s\n", i, (int)(i % 17), "----------------");
        while (!log_ring_put(ring, text, (size_t)size))
            sched_yield();
    }
    return NULL;
}

static void test_ring_between_threads(void **state)
{
    static char bytes[256];
    struct log_ring ring;
    log_ring_init(&ring, bytes, sizeof bytes);
    pthread_t sender;
    assert_int_equal(pthread_create(&sender, NULL, send_lines, &ring), 0);
    char line[64];
    size_t used = 0;
    for (unsigned expected = 0; expected < SENT;) {
        size_t size = log_ring_take(&ring, line + used, 1);
        if (size == 0) {
            sched_yield();
            continue;
        }
        if (line[used++] != '\n')
            continue;
        unsigned number;
        char dashes[20] = "";
        line[used] = '\0';
        assert_true(sscanf(line, "%u %19s", &number, dashes) >= 1);
        assert_int_equal(number, expected);
        assert_int_equal(strlen(dashes), expected % 17);
        expected++;
        used = 0;
    }
    assert_int_equal(pthread_join(sender, NULL), 0);
}

/* A core that dies, or the control core itself: nobody may come after it. */
static void test_last_words_are_flushed(void **state)
{
    unsigned before = flushes;
    log_event("some.line", "a=1");
    assert_int_equal(flushes, before);
    log_panic("cpu.exception", "core=0");
    assert_int_equal(flushes, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines_before_there_is_a_sink_are_kept, setup),
        cmocka_unit_test_setup(test_line_has_time_event_and_rest, setup),
        cmocka_unit_test_setup(test_last_words_are_flushed, setup),
        cmocka_unit_test_setup(test_long_line_is_cut, setup),
        cmocka_unit_test_setup(test_other_cores_lines_wait_for_the_drain, setup),
        cmocka_unit_test_setup(test_full_ring_drops_whole_lines_and_says_so, setup),
        cmocka_unit_test_setup(test_drain_ends_with_a_whole_line, setup),
        cmocka_unit_test_setup(test_a_flood_does_not_hold_up_the_control_core, setup),
        cmocka_unit_test_setup(test_panic_writes_at_once, setup),
        cmocka_unit_test_setup(test_tail, setup),
        cmocka_unit_test_setup(test_ring_wraps_at_every_offset, setup),
        cmocka_unit_test_setup(test_ring_between_threads, setup),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
