/* What a guest's exits mean beyond CPU policy. Called on the guest's own core. */
#pragma once

#include "hypervisor/guest/guest.h"

extern const struct vcpu_events guest_events;

/* Guests' cores run this: idle until a vCPU is handed over, then run it to its end. */
void guest_core(struct cpu *cpu);
