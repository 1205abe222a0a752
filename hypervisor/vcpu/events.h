/* SPDX-License-Identifier: MIT */
/* What the guest supplies: everything that is not CPU policy. Called on the guest's core. */
#pragma once

#include "hypervisor/vcpu/vcpu.h"

enum exit_action { EXIT_RESUME, EXIT_STOP };
struct vcpu_events {
    /* Access to guest-physical memory that is not RAM: `value` is read or written. False: nothing
     * is there for this guest (it is stopped with the address as the reason). */
    bool (*mmio)(struct vcpu *vcpu, uint64_t address, unsigned width, bool write, uint64_t *value);
    /* False: the port does not exist for the guest: reads give all ones, writes are dropped. */
    bool (*io)(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value);
    enum exit_action (*hypercall)(struct vcpu *vcpu);
    /* The guest runs code in RAM that its tables do not let it execute (memory_format() named a
     * smaller page for code): lets it from now on. False: there is no such RAM. */
    bool (*execute)(struct vcpu *vcpu, uint64_t address);
    /* An interrupt command, already filtered by kind (fixed, NMI, INIT, start-up): passes it with
     * vcpu_interrupt() to each vCPU of the same guest that icr_addresses(). False: none is
     * addressed; dropped and counted. */
    bool (*ipi)(struct vcpu *vcpu, uint64_t icr);
    /* Copies guest-physical memory (of this guest only). False: not all of it is RAM. */
    bool (*read_memory)(struct vcpu *vcpu, uint64_t address, void *bytes, size_t size);
    /* The vCPU cannot go on; `reason` is a short word for guest.stopped, `detail` free text. Not
     * called when a hypercall returned EXIT_STOP or a stop was requested. */
    void (*stopped)(struct vcpu *vcpu, const char *reason, const char *detail);
};

extern const struct vcpu_events *vcpu_selected_events; /* by setup/main.c */
static inline const struct vcpu_events *vcpu_events(void)
{
    return vcpu_selected_events;
}
