/* SPDX-License-Identifier: MIT */
/*
 * A PS/2 keyboard behind an 8042 controller, polled: input at the prompt for machines without a
 * serial port. Firmware leaves the controller translating to scan code set 1 on every PC.
 */
#pragma once

#include "hypervisor/base/core.h"

/* The character of a key that was pressed (US layout, Shift and Ctrl), or -1. Looks at no more than
 * a few bytes of the controller's. */
int keyboard_read(void);
