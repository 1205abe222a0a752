/* SPDX-License-Identifier: MIT */
/*
 * The exit dispatcher: one handler per kind of exit, whatever the back-end. Runs on the vCPU's own
 * core and shares nothing with others: no lock, no allocation.
 */
#include "hypervisor/vcpu/exits.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/emulate/fetch.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/policy/msr.h"
#include "hypervisor/x86/registers.h"

/* A handler that faults on its own stack repeats itself for ever (CVE-2015-5307, CVE-2015-8104);
 * a debugger's breakpoint in a hot loop makes other exits in between. */
#define EXCEPTION_RUN_LIMIT 100000

static enum outcome on_msr_read(struct vcpu *vcpu)
{
    uint64_t value;
    if (!msr_policy_read(vcpu, (uint32_t)vcpu->registers[GUEST_RCX], &value))
        return vcpu_fault(vcpu, VECTOR_GENERAL_PROTECTION);
    vcpu->registers[GUEST_RAX] = (uint32_t)value;
    vcpu->registers[GUEST_RDX] = value >> 32;
    return OUTCOME_ADVANCE;
}

static enum outcome on_msr_write(struct vcpu *vcpu)
{
    uint64_t value = vcpu->registers[GUEST_RDX] << 32 | (uint32_t)vcpu->registers[GUEST_RAX];
    if (!msr_policy_write(vcpu, (uint32_t)vcpu->registers[GUEST_RCX], value))
        return vcpu_fault(vcpu, VECTOR_GENERAL_PROTECTION);
    return OUTCOME_ADVANCE;
}

/* INS and OUTS take #GP, as from an I/O permission bitmap: no port needs them. */
static enum outcome on_io(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    uint64_t mask = BIT(exit->io.width * 8) - 1;
    uint64_t *rax = &vcpu->registers[GUEST_RAX];
    if (exit->io.string)
        return vcpu_fault(vcpu, VECTOR_GENERAL_PROTECTION);
    uint32_t value = (uint32_t)(*rax & mask);
    bool exists = vcpu_events()->io(vcpu, exit->io.port, exit->io.width, !exit->io.input, &value);
    if (exit->io.input) {
        uint64_t result = (exists ? value : UINT32_MAX) & mask;
        *rax = exit->io.width == 4 ? result : (*rax & ~mask) | result;
    }
    return OUTCOME_ADVANCE;
}

/* Only a guest's kernel may call: on the bare CPU no user program could either. */
static enum outcome on_hypercall(struct vcpu *vcpu)
{
    if (vcpu_backend()->cpl(vcpu) != 0)
        return vcpu_fault(vcpu, VECTOR_UNDEFINED);
    return vcpu_events()->hypercall(vcpu) == EXIT_RESUME ? OUTCOME_ADVANCE : OUTCOME_STOP;
}

static bool asked(const volatile uint32_t *request)
{
    return __atomic_load_n(request, __ATOMIC_SEQ_CST) != 0;
}

/* Out of guest mode for as long as the control core asks, which may take mappings away meanwhile.
 * Not in HLT: under SVM the core takes no NMI here. */
static void hold(struct vcpu *vcpu)
{
    while (asked(&vcpu->hold_request) && !asked(&vcpu->stop_request)) {
        vcpu_set_in_guest(vcpu, 0);
        while (asked(&vcpu->hold_request) && !asked(&vcpu->stop_request))
            clock_relax();
        /* Before the next look, so that a new hold sees one or the other. */
        vcpu_set_in_guest(vcpu, 1);
        vcpu_backend()->flush_memory(vcpu);
    }
}

enum outcome exit_nmi(struct vcpu *vcpu)
{
    hold(vcpu);
    if (__atomic_load_n(&vcpu->stop_request, __ATOMIC_ACQUIRE) != 0)
        return OUTCOME_STOP;
    if (__atomic_exchange_n(&vcpu->init_request, 0, __ATOMIC_ACQ_REL) != 0)
        return OUTCOME_WAIT;
    if (__atomic_exchange_n(&vcpu->nmi_request, 0, __ATOMIC_ACQ_REL) != 0)
        vcpu_backend()->inject(vcpu, VECTOR_NMI, false, 0);
    return OUTCOME_RESUME;
}

static uint64_t exits_but_exceptions(const struct vcpu *vcpu)
{
    uint64_t count = 0;
    for (size_t kind = 0; kind < EXIT_KINDS; kind++)
        count += kind == EXIT_EXCEPTION ? 0 : vcpu->exits[kind];
    return count;
}

static enum outcome on_exception(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    uint64_t others = exits_but_exceptions(vcpu);

    if (exit->exception.vector == VECTOR_MACHINE_CHECK)
        return vcpu_machine_check(vcpu);
    vcpu->exception_run = others == vcpu->exceptions_after ? vcpu->exception_run + 1 : 1;
    vcpu->exceptions_after = others;
    if (vcpu->exception_run > EXCEPTION_RUN_LIMIT)
        return vcpu_fail(vcpu, "exception-storm",
                         "vector=%u: %lu in a row with nothing else between them",
                         exit->exception.vector, vcpu->exception_run);
    vcpu_backend()->inject(vcpu, exit->exception.vector, exit->exception.has_error,
                           exit->exception.error);
    return OUTCOME_RESUME;
}

/* INVD would discard what other owners have written, WBINVD would stall the caches they share. A
 * guest's memory is write-back and its devices' requests snoop: by SNP in the domain's entries
 * where the units have it (ECAP.SC), otherwise because Enable No Snoop is off in the device. A
 * device that ignores that bit reads stale memory, and its guest can do nothing about it. */
static enum outcome on_invd(struct vcpu *vcpu)
{
    (void)vcpu;
    return OUTCOME_ADVANCE;
}

static enum outcome on_undefined(struct vcpu *vcpu)
{
    return vcpu_fault(vcpu, VECTOR_UNDEFINED);
}

static enum outcome on_triple_fault(struct vcpu *vcpu)
{
    return vcpu_fail(vcpu, "triple-fault",
                     "an exception could not be delivered, nor the double fault that followed");
}

static enum outcome on_entry_failure(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    return vcpu_fail(vcpu, "entry-failure",
                     "the CPU refused the vCPU's state: %s (reason=%#lx qualification=%#lx)",
                     exit->detail != NULL ? exit->detail : "not known why", exit->reason,
                     exit->qualification);
}

static enum outcome on_init(struct vcpu *vcpu)
{
    return vcpu_fail(vcpu, "init", "an INIT signal reached this core; no guest can send one");
}

/* A real start-up IPI without a real INIT does nothing (SDM 3A 9.4.4). */
static enum outcome on_sipi(struct vcpu *vcpu)
{
    (void)vcpu;
    return OUTCOME_RESUME;
}

static enum outcome on_task_switch(struct vcpu *vcpu)
{
    return vcpu_fail(vcpu, "task-switch", "hardware task switches are not supported");
}

static enum outcome on_other(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    return vcpu_fail(vcpu, "unhandled-exit", "reason=%#lx qualification=%#lx kind=%s", exit->reason,
                     exit->qualification, exit_kind_name(exit->kind));
}

static exit_handler *const handlers[EXIT_KINDS] = {
    [EXIT_NMI] = exit_nmi,
    [EXIT_CPUID] = exit_cpuid,
    [EXIT_MSR_READ] = on_msr_read,
    [EXIT_MSR_WRITE] = on_msr_write,
    [EXIT_IO] = on_io,
    [EXIT_MEMORY] = exit_memory,
    [EXIT_HYPERCALL] = on_hypercall,
    [EXIT_EXCEPTION] = on_exception,
    [EXIT_TRIPLE_FAULT] = on_triple_fault,
    [EXIT_INIT] = on_init,
    [EXIT_SIPI] = on_sipi,
    /* Not intercepted: a halted guest waits for its own interrupts. */
    [EXIT_HLT] = on_other,
    [EXIT_XSETBV] = exit_xsetbv,
    [EXIT_INVD] = on_invd,
    [EXIT_CONTROL_REGISTER] = exit_control_register,
    [EXIT_UNDEFINED] = on_undefined,
    [EXIT_TASK_SWITCH] = on_task_switch,
    [EXIT_ENTRY_FAILURE] = on_entry_failure,
    [EXIT_OTHER] = on_other,
};

void vcpu_exit_count(struct vcpu *vcpu, enum exit_kind kind)
{
    uint8_t at = vcpu->recent_next;
    vcpu->recent_next++;
    vcpu->recent[at] = (uint8_t)kind;
    vcpu->exits[kind]++;
}

enum outcome vcpu_exit_handle(struct vcpu *vcpu)
{
    enum exit_kind kind = vcpu->exit.kind;
    vcpu_exit_count(vcpu, kind);
    return handlers[kind](vcpu);
}
