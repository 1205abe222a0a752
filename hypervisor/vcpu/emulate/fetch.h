/* SPDX-License-Identifier: MIT */
/* A guest's memory and code, through its own page tables. */
#pragma once

#include "hypervisor/vcpu/vcpu.h"

/* The bytes at RIP, through the guest's own page tables. Returns how many could be read
 * (0..15) and the code's width in bits. Paging with 32-bit, PAE and 4-level tables. */
size_t vcpu_fetch(struct vcpu *vcpu, const struct vcpu_state *state, uint8_t *bytes,
                  unsigned *code_bits);
/* Guest-virtual memory, as code at CPL 0 would read it; returns how much could be read. */
size_t vcpu_read_virtual(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t address,
                         void *bytes, size_t size);
/* Return addresses along the frame pointers from RBP on, innermost first, at most `most`; none or
 * senseless ones where the guest's compiler left frame pointers out. */
size_t vcpu_call_chain(struct vcpu *vcpu, const struct vcpu_state *state, uint64_t *returns,
                       size_t most);
