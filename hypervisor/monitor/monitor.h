/* SPDX-License-Identifier: MIT */
/* The prompt on the console: commands for people. Runs on the control core. */
#pragma once

#include "hypervisor/base/core.h"

/* One turn: takes what was typed, runs complete lines. */
void monitor_service(void);
/* Logs monitor.ready. The prompt is shown from now on, or, when nobody is expected to be there,
 * from the first key on: a log that is only recorded stays free of it. */
void monitor_start(bool someone_is_there);
/* Carries out a command; its text is cut up. */
void monitor_run(char *text);
