/* SPDX-License-Identifier: MIT */
/* Whether there is a keyboard controller that may be polled. */
#pragma once

#include "hypervisor/base/core.h"

enum keyboard_found {
    KEYBOARD_FOUND,
    KEYBOARD_ABSENT,  /* nothing behaves like an 8042 */
    KEYBOARD_TRAPPED, /* it is firmware: each look stops all cores for a system management interrupt
                       */
};
/* Reads the controller's command byte (8042 command 20h), 100 ms at most for each of its two steps,
 * and counts the SMIs meanwhile, where the CPU does. What was typed until now is thrown away. */
enum keyboard_found keyboard_probe(void);
