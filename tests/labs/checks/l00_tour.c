/* SPDX-License-Identifier: MIT */
// SOURCES: guest/programs/tour.c
/* L0, steps 1, 2 and 4: what the guest says, in which order, and how it ends. The runtime is a
 * model here: it keeps lines and events, and counts an exit for each call. */
#include "guest/runtime/runtime.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/labs/checks/check.h"
#include "tests/labs/checks/guest_print.h"

enum { MOST = 64, BEGIN = 1, END = 2 };

static struct {
    char text[MOST][256]; /* complete lines */
    char rest[256];       /* what has no end of line yet */
    unsigned lines, exits, status;
    unsigned
        before[MOST]; /* events: how many lines came before, which word, and the exits so far */
    uint64_t word[MOST];
    unsigned counted[MOST], events;
    bool over;
} run;

static const char *greeting; /* NULL: not in args */
static unsigned lines, apic_id;
static bool lines_given;
static uint64_t mebibytes;
static jmp_buf ended;

bool argument(const char *key, char *value, size_t size)
{
    if (strcmp(key, "greeting") != 0 || greeting == NULL || strlen(greeting) >= size)
        return false;
    memcpy(value, greeting, strlen(greeting) + 1);
    return true;
}

uint64_t argument_number(const char *key, uint64_t otherwise)
{
    return lines_given && strcmp(key, "lines") == 0 ? lines : otherwise;
}

uint32_t own_apic_id(void)
{
    return apic_id;
}

uint64_t memory_size(void)
{
    return mebibytes << 20;
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = printed(format, arguments);
    va_end(arguments);
    run.exits++;
    for (const char *byte = text; byte != NULL && *byte != '\0'; byte++) {
        size_t used = strlen(run.rest);
        expect(run.lines < MOST, "tour has said %u lines and goes on", run.lines);
        if (*byte == '\n') {
            memcpy(run.text[run.lines++], run.rest, sizeof run.rest);
            run.rest[0] = '\0';
        } else if (used + 1 < sizeof run.rest) {
            run.rest[used] = *byte;
            run.rest[used + 1] = '\0';
        }
    }
}

void event(uint64_t value)
{
    expect(run.events < MOST, "tour has raised %u events and goes on", run.events);
    run.exits++;
    run.word[run.events] = value;
    run.before[run.events] = run.lines;
    run.counted[run.events++] = run.exits;
}

void guest_exit(int status)
{
    run.status = (unsigned)status;
    longjmp(ended, 1);
}

static void go(const char *with, unsigned count, bool given)
{
    memset(&run, 0, sizeof run);
    greeting = with;
    lines = count;
    lines_given = given;
    asking("tour with %s%s", with != NULL ? "greeting=" : "no greeting", with != NULL ? with : "");
    if (setjmp(ended) == 0)
        run.status = (unsigned)guest_main();
    expect(run.rest[0] == '\0',
           "tour ended with \"%s\" said and no \\n behind it; a line is shown when it is complete",
           run.rest);
}

static void greets(void)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s from the core with APIC id %u, %u MiB of memory", greeting,
             apic_id, (unsigned)mebibytes);
    const char *got = run.lines != 0 ? run.text[0] : "", *why = "every word of it is expected";
    const char *number = strstr(got, "APIC id ");
    bool joined = strncmp(got, wanted, strlen(wanted)) == 0 && got[strlen(wanted)] != '\0';
    unsigned id = ~0u;
    if (!joined && (run.lines == 0 || (run.events != 0 && run.before[0] == 0)))
        is_wrong("greeting=%s is in args, and tour said nothing before its first event", greeting);
    if (number != NULL)
        id = (unsigned)strtoul(number + 8, NULL, 10);
    if (joined)
        why = "a line ends with \\n, or the next one is on it";
    else if (strncmp(got, greeting, strlen(greeting)) != 0)
        why = "the first word is the value of greeting= in args: argument()";
    else if (number != NULL && id != apic_id)
        why = "the APIC id is own_apic_id()";
    else if (strlen(got) > strlen(wanted))
        why = "memory_size() is in bytes, and a MiB has 2^20 of them";
    expect(strcmp(got, wanted) == 0, "tour said \"%s\", wanted \"%s\"; %s", got, wanted, why);
}

static void prints_lines(unsigned count)
{
    expect(run.events == 2,
           "%u events were raised; there are two, before the lines and behind them", run.events);
    expect(run.word[0] == BEGIN && run.word[1] == END,
           "the events' words are %u and %u; BEGIN (%u) comes first, then END (%u)",
           (unsigned)run.word[0], (unsigned)run.word[1], BEGIN, END);
    unsigned between = run.before[1] - run.before[0], exits = run.counted[1] - run.counted[0];
    expect(run.before[0] == 1, "%u lines come before the first event, and only the greeting is to",
           run.before[0]);
    for (unsigned i = 0; i < count && i < between; i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "%s %u of %u", "line", i + 1, count);
        expect(strcmp(run.text[1 + i], wanted) == 0,
               "lines=%u: the line after %u others is \"%s\", wanted \"%s\"; %s", count, i,
               run.text[1 + i], wanted,
               strstr(run.text[1 + i], "exits") != NULL
                   ? "the number of exits is said after the second event"
                   : "they count from 1, one a print()");
    }
    expect(between == count, "lines=%u: %u lines were printed between the two events", count,
           between);
    expect(exits == count + 1,
           "lines=%u: %u exits from one event to the other, and %u are expected; each print() is a "
           "call, also of half a line: a line is one print()",
           count, exits, count + 1);
}

static void says_how_many(unsigned count)
{
    char *rest = run.text[run.before[1]];
    unsigned said = (unsigned)strtoul(rest, &rest, 10), counted = run.counted[1] - run.counted[0];
    expect(
        run.lines == run.before[1] + 1 && strcmp(rest, " exits between the two events") == 0,
        "after the second event come %u lines; one is expected: a number, and \"exits between the "
        "two events\"",
        run.lines - run.before[1]);
    expect(
        said == counted,
        "lines=%u: tour said \"%s\"; each of %u prints is a call, and the second event is one: %u",
        count, run.text[run.before[1]], count, counted);
}

void lab_check(void)
{
    static const char *const words[] = {"hello", "ahoy", "servus", "salut", "moin", "ciao"};
    const char *word = words[seeded("greeting", 0, 5, 1)];
    unsigned count = seeded("lines", 3, 30, 7);
    apic_id = seeded("apic", 1, 9, 3);
    mebibytes = seeded("memory", 6, 60, 8);
    go(word, count, true);
    greets();
    prints_lines(count);
    says_how_many(count);
    expect(run.status == 0, "tour's status is %u and 0 is expected: it ended well", run.status);

    go(NULL, count, true);
    expect(run.status == 2, "without greeting= in args tour's status is %u, and 2 is expected",
           run.status);
    expect(run.events == 0, "without greeting= in args tour raised %u events", run.events);
    static const char longest[] = "a-word-of-thirty-one-characters";
    go(longest, count, true);
    expect(
        run.status == 0,
        "with a greeting of %zu characters tour's status is %u, and 0 is expected: with the zero "
        "at its end it has the 32 bytes that it may have",
        strlen(longest), run.status);
    go("a-word-of-thirty-two-characters.", count, true);
    expect(
        run.status == 2,
        "with a greeting of %zu characters tour's status is %u, and 2 is expected: argument() is "
        "false where it does not fit into 32 bytes, with the zero at its end",
        strlen(longest) + 1, run.status);
    go(word, 0, false);
    prints_lines(5);
    go(word, 0, true);
    prints_lines(0);
    says_how_many(0);
}
