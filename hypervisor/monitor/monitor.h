/* The prompt on the console: commands for people. Runs on the control core. */
#pragma once

#include "hypervisor/base/core.h"

/* One turn: takes what was typed, runs complete lines. */
void monitor_service(void);
/* Logs monitor.ready and prints the first prompt. */
void monitor_start(void);
