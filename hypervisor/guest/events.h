/* What a guest's exits mean beyond CPU policy. Called on the guest's own core. */
#pragma once

#include "hypervisor/guest/guest.h"
#include "hypervisor/vcpu/events.h"

extern const struct vcpu_events guest_events;

/* An access to the guest's virtual configuration space; `offset` as in ECAM (PCIe 7.2.2). What does
 * not exist reads as all ones. */
void guest_config_access(struct guest *guest, uint64_t offset, unsigned width, bool write,
                         uint64_t *value);

/* An event word for the log (guest.event), with the exits so far and how many of them were accesses
 * to the serial line. */
void guest_note_event(struct guest *guest, uint64_t value);

/* Guests' cores run this: idle until a vCPU is handed over, then run it to its end. */
NO_RETURN void guest_core(struct cpu *cpu);
