/* SPDX-License-Identifier: MIT */
#include "guest/usb/keys.h"

#define MODIFIER_CTRL  0x11u /* left, right */
#define MODIFIER_SHIFT 0x22u
#define USAGE_ROLLOVER 0x01u /* ErrorRollOver: in all six places */
#define USAGE_FIRST    0x04u
#define USAGE_CAPS     0x39u
#define USAGE_SPECIAL  0x49u
#define USAGE_KEYPAD   0x54u
#define LIGHT_CAPS     0x02u
#define REPEAT_DELAY   500000u
#define REPEAT_PERIOD  40000u

/* From usage 0x04 on. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyz1234567890\r\033\177\t -=[]\\\\;'`,./";
static const char shifted[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()\r\033\177\t _+{}||:\"~<>?";
_Static_assert(sizeof plain == sizeof shifted, "two layers of one keyboard");
_Static_assert(USAGE_FIRST + sizeof plain - 1 == USAGE_CAPS, "HID Usage Tables, page 7");

/* From 0x49 on: Insert, Home, Page Up, Delete, End, Page Down, and the arrows. */
static const char *const special[] = {"\033[2~", "\033[H", "\033[5~", "\033[3~", "\033[F",
                                      "\033[6~", "\033[C", "\033[D",  "\033[B",  "\033[A"};
/* From 0x54 on, as with Num Lock. */
static const char keypad[] = "/*-+\r1234567890.\\";

static void press(const struct keys *keys, uint8_t usage, keys_sink *typed)
{
    bool shift = (keys->modifiers & MODIFIER_SHIFT) != 0;
    char character = '\0';
    if (usage >= USAGE_SPECIAL && usage - USAGE_SPECIAL < sizeof special / sizeof special[0]) {
        const char *text = special[usage - USAGE_SPECIAL];
        size_t size = 0;
        while (text[size] != '\0')
            size++;
        typed(text, size);
        return;
    }
    if (usage >= USAGE_FIRST && usage < USAGE_CAPS) {
        unsigned key = usage - USAGE_FIRST;
        bool letter = plain[key] >= 'a' && plain[key] <= 'z';
        character = (shift != (letter && keys->caps_lock)) ? shifted[key] : plain[key];
    } else if (usage >= USAGE_KEYPAD && usage - USAGE_KEYPAD < sizeof keypad - 1) {
        character = keypad[usage - USAGE_KEYPAD];
    }
    if (character != '\0' && (keys->modifiers & MODIFIER_CTRL) != 0)
        character = character >= '@' && character < '\177' ? (char)(character & 0x1f) : '\0';
    if (character != '\0')
        typed(&character, 1);
}

static bool holds(const uint8_t keys[KEYS_DOWN], uint8_t usage)
{
    for (unsigned i = 0; i < KEYS_DOWN; i++)
        if (keys[i] == usage)
            return true;
    return false;
}

bool keys_report(struct keys *keys, const uint8_t *report, size_t size, uint64_t now,
                 keys_sink *typed)
{
    const uint8_t *down = report + 2;
    bool caps_changed = false;
    if (size < KEYS_REPORT || holds(down, USAGE_ROLLOVER))
        return false;
    keys->modifiers = report[0];
    if (!holds(down, keys->repeating))
        keys->repeating = 0;
    for (unsigned i = 0; i < KEYS_DOWN; i++) {
        if (down[i] == 0 || holds(keys->down, down[i]))
            continue;
        if (down[i] == USAGE_CAPS) {
            keys->caps_lock = !keys->caps_lock;
            caps_changed = true;
            continue;
        }
        press(keys, down[i], typed);
        keys->repeating = down[i];
        keys->repeat_at = now + REPEAT_DELAY;
    }
    for (unsigned i = 0; i < KEYS_DOWN; i++)
        keys->down[i] = down[i];
    return caps_changed;
}

void keys_tick(struct keys *keys, uint64_t now, keys_sink *typed)
{
    if (keys->repeating == 0 || now < keys->repeat_at)
        return;
    press(keys, keys->repeating, typed);
    keys->repeat_at = now + REPEAT_PERIOD;
}

uint8_t keys_lights(const struct keys *keys)
{
    return keys->caps_lock ? LIGHT_CAPS : 0;
}
