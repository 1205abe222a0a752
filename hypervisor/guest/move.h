/* SPDX-License-Identifier: MIT */
/*
 * Moving a function from one guest to another, stopped or running, in the order of invariant I6. A
 * running guest that loses or gains it is out of guest mode for as long as its memory tables
 * change; it sees a device pulled or plugged without a message, and finds it by scanning its bus.
 */
#pragma once

#include "hypervisor/assign/guest.h"

/* Begins; guest_move_service() ends it some 100 ms later, when the function is through its reset,
 * and logs device.moved or device.move_failed. One at a time: STATUS_BUSY during another one, and
 * when a guest is neither running nor stopped; STATUS_FULL; errors of assignment_check(),
 * STATUS_DENIED for a guest that is quarantined or lost, all logged; STATUS_TIMEOUT when a core did
 * not leave guest mode. After an error nothing has changed. */
MUST_CHECK enum status guest_move(struct assignment *assignment, struct guest *to);
/* True for both guests of a move that is under way: neither is started meanwhile. */
bool guest_moving(const struct guest *guest);
/* What is left of a move; from the control loop. */
void guest_move_service(void);
