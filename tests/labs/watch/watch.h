/* SPDX-License-Identifier: MIT */
/* Linked into the hypervisor of a lab's tree only, around functions of its own (ld --wrap): sees
 * what costs too much to look for in every exit of everybody. */
#pragma once

#include "hypervisor/vcpu/exits.h"

/* After an exit at `rip` that will resume at `resume_rip`, with an event to be delivered or not.
 * OUTCOME_STOP, logged as lab.livelock, when the same exit has come LAB_LIVELOCK times in a row
 * without the guest having executed anything; else `outcome`. A guest cannot leave that by itself,
 * so the limit need not be high: it is above VCPU_RETRIES, and low since each such exit can take
 * milliseconds (one that makes a page executable does). */
#define LAB_LIVELOCK 250
enum outcome lab_watch_exit(struct vcpu *vcpu, uint64_t rip, uint64_t resume_rip, bool event,
                            enum outcome outcome);

enum outcome __wrap_vmx_run(struct vcpu *vcpu);
enum outcome __real_vmx_run(struct vcpu *vcpu);
enum outcome __wrap_vmx_exited(struct vcpu *vcpu);
enum outcome __real_vmx_exited(struct vcpu *vcpu);
enum outcome __wrap_svm_exit_handle(struct vcpu *vcpu, uint8_t length, uint64_t rip);
enum outcome __real_svm_exit_handle(struct vcpu *vcpu, uint8_t length, uint64_t rip);
