/* SPDX-License-Identifier: MIT */
/* What hardware structures say, for people at the prompt. */
#pragma once

#include "hypervisor/pci/rid.h"

const char *decode_on_off(uint64_t value, unsigned bit);
/* "bb:dd.f" or "ssss:bb:dd.f"; false for anything else. */
MUST_CHECK bool decode_rid(const char *text, rid_t *rid);
/* Decimal or 0x hexadecimal, the whole text. */
MUST_CHECK bool decode_number(const char *text, uint64_t *value);
/* Prints every level from the root entry to the leaf that a requester's access would take, and the
 * verdict. */
void decode_walk(rid_t rid, uint64_t address);
/* The same with whose function it is, whether it may send at all, what the unit does with a read
 * and a write, in VT-d's reason codes and in words, and the function's latest fault. */
void decode_why(rid_t rid, uint64_t address);
