/* SPDX-License-Identifier: MIT */
/* Guests' serial lines on the console: one guest may be in front, what the others send is logged.
 */
#pragma once

#include "hypervisor/base/core.h"

struct guest;

/* Puts the guest's serial line in front; NULL: none. */
void guest_console_attach(struct guest *guest);
struct guest *guest_console_front(void);
/* What guests have sent: of the one in front as text whose every line begins with its name
 * (docs/monitor.md), of all others as guest.output lines. At most 10 ms and a line; true when
 * nothing is left. */
bool guest_console_service(void);
/* All of it, and what the cores have logged: before the verdict and before the machine goes off. 10
 * s at most. */
void guest_console_drain(void);
/* A key for the guest in front; the one that leaves it goes back to the prompt. */
void guest_console_key(char key);
