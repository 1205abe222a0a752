/* SPDX-License-Identifier: MIT */
/* The choice among the configurations of the list, where GRUB, which offers it otherwise, is not.
 */
#pragma once

#include "hypervisor/base/core.h"

/* Shows them and waits a few seconds for a number, or p: *preflight then says that the machine is
 * only to be looked at. False when the list names none. */
bool menu_choose(char *name, size_t room, bool *preflight);
