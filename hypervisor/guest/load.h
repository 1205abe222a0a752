/* Filling a guest's memory before each start: nothing of a former run or owner is left in it. */
#pragma once

#include "hypervisor/guest/guest.h"

/* The modules the loader brought; kept for reloads. */
void load_set_modules(const struct boot_info *boot);
/* Checks the guest's image against its memory, without touching that; logs guest.refused. */
MUST_CHECK enum status load_check(const struct guest *guest);
/* Scrubs what is not clean, copies the image, writes tables and command line, and sets the first
 * vCPU's start state. Logs guest.refused with the reason on failure. */
MUST_CHECK enum status load_guest(struct guest *guest, struct vcpu_state *start);
/* Overwrites the guest's memory with zeros. */
MUST_CHECK enum status load_scrub(struct guest *guest);
