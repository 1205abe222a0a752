/* SPDX-License-Identifier: MIT */
#include "drivers/keyboard/keyboard.h"

#include "drivers/keyboard/keyboard_registers.h"
#include "hypervisor/base/mmio.h"

#define LOOKS        8
#define CODE_RELEASE 0x80
#define CODE_PREFIX  0xe0 /* arrows, right Ctrl and Alt, keypad: what follows is not a character */
#define CODE_CTRL    0x1d
#define CODE_LEFT    0x2a
#define CODE_RIGHT   0x36

/* Scan code set 1, US layout, from code 0 on; 0 where a key has no character. */
static const char plain[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
_Static_assert(sizeof plain == sizeof shifted, "two layers of one keyboard");

static bool shift, control, prefixed;

/* The character of a code, or -1: a release, a modifier, a key without a character. */
static int character(uint8_t code)
{
    bool released = (code & CODE_RELEASE) != 0;
    uint8_t key = code & (uint8_t)~CODE_RELEASE;
    bool extended = prefixed;
    prefixed = code == CODE_PREFIX;
    if (prefixed)
        return -1;
    if (key == CODE_CTRL)
        control = !released;
    if ((key == CODE_LEFT || key == CODE_RIGHT) && !extended)
        shift = !released;
    if (released || extended || key >= sizeof plain)
        return -1;
    int typed = shift ? shifted[key] : plain[key];
    if (typed == '\0')
        return -1;
    return control ? typed & 0x1f : typed;
}

int keyboard_read(void)
{
    for (unsigned look = 0; look < LOOKS; look++) {
        uint8_t status = port_read8(PORT_STATUS);
        if (status == STATUS_NONE || (status & STATUS_OUTPUT) == 0)
            return -1;
        uint8_t code = port_read8(PORT_DATA);
        int typed = (status & STATUS_MOUSE) != 0 ? -1 : character(code);
        if (typed >= 0)
            return typed;
    }
    return -1;
}
