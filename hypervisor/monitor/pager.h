/* SPDX-License-Identifier: MIT */
/* Long answers in pages. The command runs again for each, and its other rows are left out: no text
 * is kept, and nobody waits for a key. What has changed meanwhile shows. */
#pragma once

#include "hypervisor/base/core.h"

/* Runs a line; for somebody at a terminal as a first page. */
void pager_run(char *line);
/* Whether there are more of them, and it is for the next key to say. Shows that. */
bool pager_waits(void);
/* False when it is none of the pager's keys; in any case it waits no longer. */
bool pager_key(char key);
