/* SPDX-License-Identifier: MIT */
/*
 * A first guest: says what it has, prints lines between two events, and says how many exits the
 * log has to count between them.
 *
 *   greeting=WORD [lines=N]
 *
 * Exits with 0, and with 2 without a greeting.
 */
#include "guest/runtime/runtime.h"

enum { BEGIN = 1, END = 2 };

static bool greet(void)
{
    char word[32];
    if (!argument("greeting", word, sizeof word)) {
        print("greeting=WORD is missing from args, or longer than 31 characters\n");
        return false;
    }
    print("%s from the core with APIC id %u, %llu MiB of memory\n", word, own_apic_id(),
          (unsigned long long)(memory_size() >> 20));
    return true;
}

/* Each print() and each event() is a guest call, and each call an exit. */
static void print_lines(unsigned lines)
{
    event(BEGIN);
    for (unsigned line = 1; line <= lines; line++)
        print("line %u of %u\n", line, lines);
    event(END);
}

static unsigned exits_between(unsigned lines)
{
    return lines + 1; /* the second event is an exit itself, counted before it is logged */
}

int guest_main(void)
{
    unsigned lines = (unsigned)argument_number("lines", 5);
    if (!greet())
        return 2;
    print_lines(lines);
    print("%u exits between the two events\n", exits_between(lines));
    return 0;
}
