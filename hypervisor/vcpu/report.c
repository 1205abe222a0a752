/* SPDX-License-Identifier: MIT */
/* A vCPU that cannot go on: its last report. */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/emulate/fetch.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check.h"

#define DETAIL_SIZE  256
#define CALL_CHAIN   12
#define RECENT_SHOWN 16

static void log_registers(struct vcpu *vcpu, const struct vcpu_state *state)
{
    const uint64_t *r = vcpu->registers;
    unsigned core = vcpu->cpu->index;
    log_event("guest.registers",
              "core=%u vcpu=%u rip=%#lx rsp=%#lx rflags=%#lx cs=%#x:%#lx attributes=%#x cr0=%#lx "
              "cr2=%#lx cr3=%#lx cr4=%#lx efer=%#lx",
              core, vcpu->index, state->rip, state->rsp, state->rflags, state->cs.selector,
              state->cs.base, state->cs.attributes, state->cr0, state->cr2, state->cr3, state->cr4,
              state->efer);
    log_event("guest.registers",
              "core=%u vcpu=%u rax=%#lx rbx=%#lx rcx=%#lx rdx=%#lx rsi=%#lx rdi=%#lx rbp=%#lx",
              core, vcpu->index, r[GUEST_RAX], r[GUEST_RBX], r[GUEST_RCX], r[GUEST_RDX],
              r[GUEST_RSI], r[GUEST_RDI], r[GUEST_RBP]);
    log_event(
        "guest.registers",
        "core=%u vcpu=%u r8=%#lx r9=%#lx r10=%#lx r11=%#lx r12=%#lx r13=%#lx r14=%#lx r15=%#lx",
        core, vcpu->index, r[GUEST_R8], r[GUEST_R9], r[GUEST_R10], r[GUEST_R11], r[GUEST_R12],
        r[GUEST_R13], r[GUEST_R14], r[GUEST_R15]);
}

void vcpu_log_exits(const struct vcpu *vcpu, log_writer *log)
{
    char text[RECENT_SHOWN * 20] = "";
    size_t used = 0;
    uint64_t total = 0;
    for (size_t kind = 0; kind < EXIT_KINDS; kind++)
        total += vcpu->exits[kind];
    for (unsigned back = (unsigned)MIN(total, (uint64_t)RECENT_SHOWN); back > 0; back--) {
        uint8_t kind = vcpu->recent[(uint8_t)(vcpu->recent_next - back)];
        used += format_text(text + used, sizeof text - used, "%s%s", used != 0 ? " " : "",
                            exit_kind_name((enum exit_kind)kind));
    }
    log("guest.exits", "core=%u vcpu=%u total=%lu last=\"%s\"", vcpu->cpu->index, vcpu->index,
        total, text);
}

static void log_call_chain(struct vcpu *vcpu, const struct vcpu_state *state)
{
    uint64_t returns[CALL_CHAIN];
    char text[CALL_CHAIN * 20] = "";
    size_t used = 0, count = vcpu_call_chain(vcpu, state, returns, CALL_CHAIN);
    for (size_t i = 0; i < count; i++)
        used += format_text(text + used, sizeof text - used, "%s%#lx", used != 0 ? " " : "",
                            returns[i]);
    log_event("guest.calls", "core=%u vcpu=%u returns=\"%s\"", vcpu->cpu->index, vcpu->index, text);
}

static enum outcome stop(struct vcpu *vcpu, const char *reason, const char *what)
{
    char detail[DETAIL_SIZE];
    struct vcpu_state state;
    vcpu_backend()->read_state(vcpu, &state);
    log_registers(vcpu, &state);
    vcpu_log_exits(vcpu, log_event);
    log_call_chain(vcpu, &state);
    (void)format_text(detail, sizeof detail, "rip=%#lx %s", state.rip, what);
    vcpu_events()->stopped(vcpu, reason, detail);
    return OUTCOME_STOP;
}

/* Does not come back here by way of vcpu_fail(): MCG_STATUS may not let itself be cleared. */
enum outcome vcpu_machine_check(struct vcpu *vcpu)
{
    enum machine_check verdict = machine_check_take(MACHINE_CHECK_IN_GUEST);
    if (verdict == MACHINE_CHECK_HARMLESS)
        return OUTCOME_RESUME;
    vcpu->cpu->corrupt = verdict == MACHINE_CHECK_CORE;
    return stop(vcpu, "machine-check",
                vcpu->cpu->corrupt
                    ? "the hardware reported an error on this core (see cpu.machine_check); the "
                      "core is not used again"
                    : "the hardware reported an error on this core (see cpu.machine_check)");
}

enum outcome vcpu_fail(struct vcpu *vcpu, const char *reason, const char *format, ...)
{
    char what[DETAIL_SIZE];
    va_list arguments;

    /* One that caused no exit of its own may be why an entry failed or a guest crashed. */
    if (machine_check_pending() && vcpu_machine_check(vcpu) == OUTCOME_STOP)
        return OUTCOME_STOP;

    va_start(arguments, format);
    format_text_list(what, sizeof what, format, arguments);
    va_end(arguments);
    return stop(vcpu, reason, what);
}
