/* SPDX-License-Identifier: MIT */
/* Guest calls (abi/calls.h), and the lines that guests write with them. Each core has a line of its
 * own, which only that core uses. */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/base/this_core.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vdev/output.h"

/* What the call answers is in the vCPU's registers. */
enum exit_action calls_answer(struct vcpu *vcpu);
/* The core begins with this guest, whose memory is mapped at `memory`: an empty line. */
void calls_open(const void *memory);
/* Logs what is left of the line; the memory is used no more. */
void calls_close(const struct guest *guest);
/* Copies guest-physical memory; false when it lies beyond the guest's RAM. */
bool calls_read_memory(struct vcpu *vcpu, uint64_t address, void *bytes, size_t size);
/* Control core: the next character that the guest with `console_input = yes` has typed, or -1. One
 * in 20 ms at most. */
int calls_typed(void);

/* An event word for the log (guest.event), with the exits so far and how many of them were accesses
 * to the serial line. */
void guest_note_event(struct guest *guest, uint64_t value);

/* calls.c and setup/core_arrays.c. Per core, used by that core only: its guest's memory and the
 * console line being put together. */
extern struct calls_view {
    const uint8_t *memory;
    struct output_line line;
    bool denied; /* said already that it may not type */
} calls_views[CPU_MAX];
