/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/svm/svm.h"
#include "tests/labs/watch/watch.h"

enum outcome __wrap_svm_exit_handle(struct vcpu *vcpu, uint8_t length, uint64_t rip)
{
    enum outcome outcome = __real_svm_exit_handle(vcpu, length, rip);
    return lab_watch_exit(vcpu, rip, svm_vmcb(vcpu)->rip, svm_vmcb(vcpu)->event_injection != 0,
                          outcome);
}
