/* SPDX-License-Identifier: MIT */
/* The last report of a hypervisor that has had an exception. */
#pragma once

/* Logs what each vCPU did last (guest.exits) and the latest blocked accesses (crash.fault), past
 * the rings, and stores the newest of the log with the firmware. On the core that stops. */
void crash_report(void);
