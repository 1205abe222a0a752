/* SPDX-License-Identifier: MIT */
/*
 * Types at the hypervisor's prompt without a keyboard, as fast as it can: `stop NAME`, again and
 * again, and what no keyboard sends.
 *
 *   stop=NAME [seconds=N]
 *
 * Prints how its calls were answered; exits with 0 when none was answered as it must not be.
 */
#include "guest/runtime/attempt.h"
#include "hypervisor/abi/calls.h"

static unsigned taken, busy, denied, wrong;

static bool type(uint8_t character)
{
    switch (guest_call(ABI_CONSOLE_INPUT, character, 0)) {
    case ABI_OK:
        taken++;
        return true;
    case ABI_BUSY:
        busy++;
        return false;
    case ABI_DENIED:
        denied++;
        return true;
    default:
        wrong++;
        return true;
    }
}

int guest_main(void)
{
    char line[64] = "stop ";
    uint64_t end = microseconds() + argument_number("seconds", 2) * 1000000;
    unsigned size = 5;
    if (!argument("stop", line + size, sizeof line - size - 2))
        return 2;
    while (line[size] != '\0')
        size++;
    line[size++] = '\r';
    for (unsigned code = 0x80; code < 0x100; code++)
        if (guest_call(ABI_CONSOLE_INPUT, code, 0) == ABI_OK)
            wrong++;
    for (unsigned at = 0; microseconds() < end;)
        if (type((uint8_t)line[at]))
            at = (at + 1) % size;
    print("typed %u, busy %u, denied %u, wrong %u\n", taken, busy, denied, wrong);
    return wrong != 0;
}
