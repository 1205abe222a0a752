/* SPDX-License-Identifier: MIT */
/* What VMX reports with an exit and SVM only on some CPUs: it is read from the guest's code. */
#include "hypervisor/vcpu/emulate/fetch.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/svm/length.h"
#include "hypervisor/vcpu/svm/svm.h"

/* Kinds whose handlers may answer OUTCOME_ADVANCE. */
#define ADVANCING                                                                                  \
    (BIT(EXIT_CPUID) | BIT(EXIT_MSR_READ) | BIT(EXIT_MSR_WRITE) | BIT(EXIT_IO) |                   \
     BIT(EXIT_HYPERCALL) | BIT(EXIT_XSETBV) | BIT(EXIT_INVD) | BIT(EXIT_CONTROL_REGISTER))

static bool decode(struct vcpu *vcpu, bool moves, uint8_t *length)
{
    struct vcpu_state state;
    uint8_t bytes[INSTRUCTION_MAX];
    unsigned code_bits;
    vcpu_backend()->read_mode(vcpu, &state);
    size_t size = vcpu_fetch(vcpu, &state, bytes, &code_bits);
    if (moves && instruction_control_register(bytes, size, code_bits, &vcpu->exit.control.source) !=
                     STATUS_OK)
        return false;
    return *length != 0 || instruction_length(bytes, size, code_bits, length) == STATUS_OK;
}

enum outcome svm_exit_handle(struct vcpu *vcpu, uint8_t length, uint64_t rip)
{
    enum exit_kind kind = vcpu->exit.kind;
    bool moves = kind == EXIT_CONTROL_REGISTER; /* not every CPU has decode assists */
    bool unknown = length == 0 && (ADVANCING & BIT(kind)) != 0;
    if ((moves || unknown) && !decode(vcpu, moves, &length)) {
        vcpu_exit_count(vcpu, kind);
        return vcpu_retry(vcpu, rip)
                   ? OUTCOME_RESUME
                   : vcpu_fail(vcpu, "unhandled-exit",
                               "the instruction that made the %s exit cannot be read",
                               exit_kind_name(kind));
    }
    enum outcome outcome = vcpu_exit_handle(vcpu);
    if (outcome != OUTCOME_ADVANCE)
        return outcome;
    vcpu_backend()->set_rip(vcpu, rip + length);
    return OUTCOME_RESUME;
}
