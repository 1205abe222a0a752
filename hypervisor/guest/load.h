/* Filling a guest's memory before each start: nothing of a former run or owner is left in it. */
#pragma once

#include "hypervisor/guest/guest.h"
#include "hypervisor/guest/image.h"

/* The modules the loader brought; kept for reloads. */
void load_set_modules(const struct boot_info *boot);
/* Checks the guest's image and initial RAM disk against its memory, without touching that, and says
 * which kind of image it is; logs guest.refused. */
MUST_CHECK enum status load_check(const struct guest *guest, enum image_kind *kind);
/* Scrubs what is not clean, copies the image, writes tables and command line, and sets the first
 * vCPU's start state. Logs guest.refused with the reason on failure. */
MUST_CHECK enum status load_guest(struct guest *guest, struct vcpu_state *start);
/* Overwrites the guest's memory with zeros. */
MUST_CHECK enum status load_scrub(struct guest *guest);
