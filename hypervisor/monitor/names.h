/* SPDX-License-Identifier: MIT */
/* What people call things at the prompt: numbers, functions and owners. */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/pci/function.h"

/* Decimal or 0x hexadecimal, the whole text. */
MUST_CHECK bool read_number(const char *text, uint64_t *value);
/* "bb:dd.f" or "ssss:bb:dd.f"; false for anything else. */
MUST_CHECK bool read_rid(const char *text, rid_t *rid);

/* The same for arguments of commands: what they do not understand they answer, with what is wanted.
 * A number without 0x is shown as it was understood. */
MUST_CHECK bool ask_number(const char *text, const char *what, uint64_t *value);
/* A requester id, of which there need be no function, or a name: "uplink" for a
 * [nic] or [disk] section's function, "uplink.vf0" for its VF. */
MUST_CHECK bool ask_device(const char *text, rid_t *rid);

/* The guest of that name, or NULL. */
struct guest *ask_guest(const char *text);

/* A guest's name, else "hypervisor", "firmware", "free" and so on. */
const char *owner_name(owner_t owner);
