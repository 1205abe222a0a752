/* SPDX-License-Identifier: MIT */
#include "tests/labs/watch/watch.h"

#include "hypervisor/base/format.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/emulate/fetch.h"
#include "hypervisor/vcpu/emulate/instruction.h"
#include "hypervisor/x86/cpu.h"

static struct {
    uint64_t rip;
    enum exit_kind kind;
    uint32_t count;
} last[CPU_MAX];

static void log_livelock(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    struct vcpu_state state;
    uint8_t bytes[INSTRUCTION_MAX];
    char code[INSTRUCTION_MAX * 3 + 1] = "", where[80] = "";
    unsigned code_bits;
    size_t used = 0;
    vcpu_backend()->read_state(vcpu, &state);
    size_t size = vcpu_fetch(vcpu, &state, bytes, &code_bits);
    for (size_t i = 0; i < size; i++)
        used += format_text(code + used, sizeof code - used, i != 0 ? " %02x" : "%02x", bytes[i]);
    if (exit->kind == EXIT_MEMORY)
        (void)format_text(where, sizeof where, " of guest-physical %#lx, access %s%s%s",
                          exit->memory.address, exit->memory.read ? "r" : "",
                          exit->memory.write ? "w" : "", exit->memory.execute ? "x" : "");
    log_event(
        "lab.livelock",
        "core=%u vcpu=%u exit=%s rip=%#lx bytes=\"%s\" count=%u message=\"the same exit (%s%s) "
        "at the same RIP, and the guest executes nothing between; %s\"",
        vcpu->cpu->index, vcpu->index, exit_kind_name(exit->kind), state.rip, code, LAB_LIVELOCK,
        exit_kind_name(exit->kind), where,
        exit->kind == EXIT_MEMORY
            ? "the tables have an entry that still does not allow the access"
            : "after an instruction that was emulated RIP must be the next one's");
}

enum outcome lab_watch_exit(struct vcpu *vcpu, uint64_t rip, uint64_t resume_rip, bool event,
                            enum outcome outcome)
{
    unsigned core = vcpu->cpu->index;
    enum exit_kind kind = vcpu->exit.kind;
    /* An exception has a handler that the guest runs, and an NMI interrupts a guest that waits. */
    bool stuck = outcome == OUTCOME_RESUME && rip == resume_rip && !event && kind != EXIT_NMI &&
                 kind != EXIT_EXCEPTION;
    if (!stuck || last[core].rip != rip || last[core].kind != kind)
        last[core].count = 0;
    last[core].rip = rip;
    last[core].kind = kind;
    if (!stuck || ++last[core].count < LAB_LIVELOCK)
        return outcome;
    log_livelock(vcpu);
    return vcpu_fail(vcpu, "livelock", "the same exit at the same RIP %u times: lab.livelock",
                     LAB_LIVELOCK);
}
