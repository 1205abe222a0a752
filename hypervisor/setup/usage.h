/* SPDX-License-Identifier: MIT */
/* A command's arguments, as its usage writes them: what may be typed is what help shows.
 *
 *     RID ADDRESS | cpu GUEST GPA     two forms, of words divided by blanks
 *     cpu, -v                         a word that begins with neither a capital nor a bracket is
 *                                     typed as it stands
 *     RID, ADDRESS                    one in capitals stands for something
 *     [N]                             may be missing, and so may what follows
 *     [COMMAND...]                    any number of words
 */
#pragma once

#include "hypervisor/monitor/usage.h"

/* STATUS_FULL for more than a struct usage holds; nothing fits it then. */
MUST_CHECK enum status usage_read(const char *text, struct usage *usage);
