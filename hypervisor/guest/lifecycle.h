/* SPDX-License-Identifier: MIT */
/* A guest's life: started, ended, started again. All on the control core. */
#pragma once

#include "hypervisor/assign/guest.h"

#define GUEST_NOT_STARTED "not-started" /* the stop_reason of a guest whose start failed */

/* From GUEST_CREATED or GUEST_STOPPED: reloads. STATUS_BUSY in other states and while it takes part
 * in a move. When a function cannot be connected the guest goes by GUEST_STOPPING to GUEST_STOPPED.
 */
MUST_CHECK enum status guest_start(struct guest *guest);
/* Takes its cores back; guests_service() takes its functions back 100 ms later and logs
 * guest.stopped. STATUS_NOT_FOUND when it is not running, STATUS_TIMEOUT when a core is lost. */
MUST_CHECK enum status guest_stop(struct guest *guest, const char *reason);
/* Stops it where it runs, and starts it once its functions are back; else starts it. */
MUST_CHECK enum status guest_restart(struct guest *guest);
/* The audit found its isolation broken: it is stopped, and refused whenever it is to be started.
 * Logs guest.quarantined, once. */
void guest_quarantine(struct guest *guest);
/* guests_service() then starts each that is created, once its memory is overwritten. */
void guests_start_all(void);
bool guests_starting(void); /* one of them still waits for that */
/* Before the machine is reset or switched off. `meanwhile` is called in each turn of the wait: it
 * writes out what guests have sent. */
void guests_stop_all(bool (*meanwhile)(void));
/* Work for the control loop: guests that ended, time limits, output rings, PF mailboxes. */
void guests_service(void);
bool guests_all_ended(void);
