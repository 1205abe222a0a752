/* SPDX-License-Identifier: MIT */
/*
 * What a keyboard's reports mean (HID 1.11, appendices B.1 and C; HID Usage Tables, page 7): the
 * characters that a serial terminal sends for the same keys, US layout.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_REPORT 8 /* bytes of a report of the boot protocol */
#define KEYS_DOWN   6 /* keys in it */

struct keys {
    uint8_t modifiers;
    uint8_t down[KEYS_DOWN]; /* usages; 0: none */
    bool caps_lock;
    uint8_t repeating; /* the key that was pressed last and is still down, or 0 */
    uint64_t repeat_at;
};

/* Takes what was typed: one or more characters of a key. */
typedef void keys_sink(const char *text, size_t size);

/* A report at the time `now` (microseconds). True when Caps Lock changed. A shorter one, and one
 * that says that too many keys are down, change nothing. */
bool keys_report(struct keys *keys, const uint8_t *report, size_t size, uint64_t now,
                 keys_sink *typed);
/* Repeats a key that is held. */
void keys_tick(struct keys *keys, uint64_t now, keys_sink *typed);
/* The report for the lights (HID 1.11 B.1). */
uint8_t keys_lights(const struct keys *keys);
