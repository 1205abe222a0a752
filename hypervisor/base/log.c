/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/log.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log_ring.h"
#include "hypervisor/base/string.h"
#include "hypervisor/base/this_core.h"

#define HISTORY_SIZE KIB(64)
/* A full ring takes 0.7 s at 115200 baud; neighbours' control calls wait no longer than this and
 * one line. */
#define TURN_LIMIT MILLISECONDS(10)
/* Longer than a few whole lines on a slow serial port take. */
#define LOCK_LIMIT MILLISECONDS(500)

/* Until setup/last_log.c has found memory that keeps over a reset. */
static uint64_t history_words[HISTORY_SIZE / sizeof(uint64_t)];
struct log_history log_history = {.words = history_words, .count = ARRAY_SIZE(history_words)};
struct core_ring log_rings[CPU_MAX];
struct log_sink log_sink;

/* Taken only by cores that write to the console directly: the control core, the others before
 * there are rings, and a dying one. */
static bool console_lock;

static void lock_console(void)
{
    /* A core that died holding it never releases it; the next one then takes it over. */
    (void)WAIT_UNTIL(!__atomic_exchange_n(&console_lock, true, __ATOMIC_ACQUIRE), LOCK_LIMIT);
}

static void unlock_console(void)
{
    __atomic_store_n(&console_lock, false, __ATOMIC_RELEASE);
}

static void write_directly(const char *text, size_t size)
{
    lock_console();
    log_history_put(&log_history, text, size);
    if (log_sink.write != NULL)
        log_sink.write(text, size);
    unlock_console();
}

/* The whole line with its newline; LOG_LINE_SIZE at most. */
static size_t build_line(char line[LOG_LINE_SIZE], const char *event, const char *format,
                         va_list arguments)
{
    uint64_t now = clock_microseconds();
    size_t used = format_text(line, LOG_LINE_SIZE, "[%u.%06u] %s%s", (unsigned)(now / 1000000),
                              (unsigned)(now % 1000000), event, *format != '\0' ? " " : "");
    if (used < LOG_LINE_SIZE)
        used += format_text_list(line + used, LOG_LINE_SIZE - used, format, arguments);
    if (used >= LOG_LINE_SIZE) {
        static const char cut[] = "...";
        used = LOG_LINE_SIZE - 1;
        memcpy(line + used - (sizeof cut - 1), cut, sizeof cut - 1);
    }
    line[used] = '\n';
    return used + 1;
}

static struct log_ring *own_ring(void)
{
    struct core_ring *own = &log_rings[this_core()];
    return own->ready ? &own->ring : NULL;
}

void log_event(const char *event, const char *format, ...)
{
    char line[LOG_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    size_t length = build_line(line, event, format, arguments);
    va_end(arguments);

    /* A handler that logs in between would find the lock taken by its own core. */
    bool were_enabled = interrupts_disable();
    struct log_ring *ring = own_ring();
    if (ring != NULL)
        (void)log_ring_put(ring, line, length);
    else
        write_directly(line, length);
    interrupts_restore(were_enabled);
}

void log_panic(const char *event, const char *format, ...)
{
    char line[LOG_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    size_t length = build_line(line, event, format, arguments);
    va_end(arguments);
    (void)!interrupts_disable();
    write_directly(line, length);
    log_flush(); /* nobody may be left to draw what a screen has put off */
}

/* What was there at the start, and no more: a core that logs faster than the console writes must
 * not keep the control core here. False when the time was over first. */
static bool drain_core(unsigned core, const struct deadline *end)
{
    if (!__atomic_load_n(&log_rings[core].ready, __ATOMIC_ACQUIRE))
        return true;
    struct log_ring *ring = &log_rings[core].ring;
    char line[LOG_LINE_SIZE];
    for (size_t left = log_ring_available(ring); left > 0;) {
        size_t size = log_ring_take_line(ring, line, sizeof line);
        write_directly(line, size);
        left -= size;
        if (left > 0 && end != NULL && deadline_passed(*end))
            return false;
    }
    uint32_t dropped = log_ring_take_dropped(ring);
    if (dropped != 0)
        log_event("log.dropped",
                  "core=%u lines=%u message=\"this core logged faster than the console can write\"",
                  core, dropped);
    return true;
}

void log_drain(void)
{
    for (unsigned core = 1; core < cpu_count(); core++)
        (void)drain_core(core, NULL);
}

void log_service(void)
{
    static unsigned turn; /* whoever used up the time is last in the next turn */
    const struct deadline end = deadline_in(TURN_LIMIT);
    unsigned others = cpu_count() - 1;
    for (unsigned i = 0; i < others && (i == 0 || !deadline_passed(end)); i++) {
        unsigned core = 1 + turn++ % others;
        if (!drain_core(core, &end))
            break;
    }
}

bool log_pending(unsigned core)
{
    return __atomic_load_n(&log_rings[core].ready, __ATOMIC_ACQUIRE) &&
           log_ring_available(&log_rings[core].ring) != 0;
}

void log_flush(void)
{
    if (log_sink.flush != NULL)
        log_sink.flush();
}
