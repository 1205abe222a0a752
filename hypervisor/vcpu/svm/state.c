/* SPDX-License-Identifier: MIT */
/* Guest state in the VMCB. */
#include "hypervisor/base/string.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/svm/svm.h"
#include "hypervisor/x86/registers.h"

#define SEGMENT_PRESENT BIT(7)
#define PACKED_LONG     BIT(9) /* as the VMCB packs attributes */
#define PACKED_BIG      BIT(10)
#define DR6_RESET       0xffff0ff0u

static void write_segment(struct vmcb_segment *target, const struct vcpu_segment *segment)
{
    unsigned attributes = (segment->attributes & 0xffu) | (segment->attributes >> 4 & 0xf00u);
    if (segment->unusable)
        attributes &= ~(unsigned)SEGMENT_PRESENT;
    *target = (struct vmcb_segment){.selector = segment->selector,
                                    .attributes = (uint16_t)attributes,
                                    .limit = segment->limit,
                                    .base = segment->base};
}

static struct vcpu_segment read_segment(const struct vmcb_segment *segment)
{
    return (struct vcpu_segment){
        .selector = segment->selector,
        .attributes =
            (uint16_t)((segment->attributes & 0xffu) | (segment->attributes & 0xf00u) << 4),
        .unusable = (segment->attributes & SEGMENT_PRESENT) == 0,
        .limit = segment->limit,
        .base = segment->base,
    };
}

void svm_vmcb_restart(struct vmcb *vmcb)
{
    memset(&vmcb->system_call, 0, sizeof vmcb->system_call);
    vmcb->intercept_exceptions = SVM_INTERCEPTED_EXCEPTIONS;
    vmcb->intercept_1 &= ~INTERCEPT_IRET; /* no NMI is blocked */
    vmcb->event_injection = 0;
    vmcb->interrupt_state = 0;
    vmcb->guest_pat = PAT_RESET;
    vmcb->dr6 = DR6_RESET;
    vmcb->tlb_control = TLB_FLUSH_ALL; /* the ASID had another owner */
}

void svm_write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    bool long_mode = (state->cr0 & CR0_PG) != 0 && (state->efer & EFER_LME) != 0;

    write_segment(&vmcb->cs, &state->cs);
    write_segment(&vmcb->ds, &state->ds);
    write_segment(&vmcb->es, &state->es);
    write_segment(&vmcb->fs, &state->fs);
    write_segment(&vmcb->gs, &state->gs);
    write_segment(&vmcb->ss, &state->ss);
    write_segment(&vmcb->tr, &state->tr);
    write_segment(&vmcb->ldtr, &state->ldtr);
    vmcb->gdtr.base = state->gdtr_base;
    vmcb->gdtr.limit = state->gdtr_limit;
    vmcb->idtr.base = state->idtr_base;
    vmcb->idtr.limit = state->idtr_limit;
    vmcb->rip = state->rip;
    vmcb->rsp = state->rsp;
    vmcb->rflags = state->rflags;
    vmcb->cr0 = state->cr0;
    vmcb->cr2 = state->cr2;
    vmcb->cr3 = state->cr3;
    /* A machine check with MCE off would shut the machine down (APM 2 9.2). */
    vcpu->svm.guest_mce = state->cr4 & CR4_MCE;
    vmcb->cr4 = (state->cr4 & ~CR4_MCE) | vcpu->svm.host_mce;
    vmcb->dr7 = state->dr7;
    /* VMRUN refuses EFER without SVME (APM 2 15.5.1); the guest is shown it clear. */
    vmcb->efer = (state->efer & ~EFER_LMA) | (long_mode ? EFER_LMA : 0) | EFER_SVME;
    vmcb->cpl = (state->cr0 & CR0_PE) != 0 ? (uint8_t)FIELD(state->ss.attributes, 6, 5) : 0;
}

void svm_read_mode(struct vcpu *vcpu, struct vcpu_state *state)
{
    const struct vmcb *vmcb = svm_vmcb(vcpu);
    state->rip = vmcb->rip;
    state->cr0 = vmcb->cr0;
    state->cr3 = vmcb->cr3;
    state->cr4 = (vmcb->cr4 & ~CR4_MCE) | vcpu->svm.guest_mce;
    state->efer = svm_efer(vcpu);
    state->cs = read_segment(&vmcb->cs);
}

void svm_read_state(struct vcpu *vcpu, struct vcpu_state *state)
{
    const struct vmcb *vmcb = svm_vmcb(vcpu);
    *state = (struct vcpu_state){
        .rflags = vmcb->rflags,
        .rsp = vmcb->rsp,
        .cr2 = vmcb->cr2,
        .ds = read_segment(&vmcb->ds),
        .es = read_segment(&vmcb->es),
        .fs = read_segment(&vmcb->fs),
        .gs = read_segment(&vmcb->gs),
        .ss = read_segment(&vmcb->ss),
        .tr = read_segment(&vmcb->tr),
        .ldtr = read_segment(&vmcb->ldtr),
        .gdtr_base = vmcb->gdtr.base,
        .idtr_base = vmcb->idtr.base,
        .gdtr_limit = vmcb->gdtr.limit,
        .idtr_limit = vmcb->idtr.limit,
        .dr7 = vmcb->dr7,
    };
    /* The CPL has its own field: the attributes of a null SS are stale (APM 2 15.5.1). */
    state->ss.attributes =
        (uint16_t)((state->ss.attributes & ~BITS(6, 5)) | (unsigned)vmcb->cpl << 5);
    svm_read_mode(vcpu, state);
}

uint64_t svm_efer(struct vcpu *vcpu)
{
    return svm_vmcb(vcpu)->efer & ~EFER_SVME;
}

bool svm_osxsave(struct vcpu *vcpu)
{
    return (svm_vmcb(vcpu)->cr4 & CR4_OSXSAVE) != 0;
}

unsigned svm_cpl(struct vcpu *vcpu)
{
    return svm_vmcb(vcpu)->cpl;
}

void svm_inject(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    if (vector == VECTOR_NMI) {
        svm_nmi_inject(vcpu);
        return;
    }
    /* An interrupt that waits to be delivered again has left the APIC and would be lost for ever;
     * an exception comes again when its instruction does. */
    if ((vmcb->event_injection & EVENT_VALID) != 0 &&
        (EVENT_TYPE(vmcb->event_injection) == EVENT_INTERRUPT ||
         EVENT_TYPE(vmcb->event_injection) == EVENT_NMI))
        return;
    vmcb->event_injection = EVENT_VALID | vector | (uint64_t)EVENT_EXCEPTION << 8 |
                            (has_error ? EVENT_HAS_ERROR | (uint64_t)error << 32 : 0);
    if (vcpu_pushes_rf(vector))
        vmcb->rflags |= RFLAGS_RF;
}

void svm_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    vmcb->rip = rip;
    vmcb->interrupt_state &= ~INTERRUPT_SHADOW;
    vmcb->rflags &= ~RFLAGS_RF; /* or the next instruction would miss its breakpoint */
    /* The emulated instruction is a step like any other; #DB is a trap, RIP is behind it. */
    if ((vmcb->rflags & RFLAGS_TF) != 0 && (vmcb->event_injection & EVENT_VALID) == 0) {
        vmcb->dr6 |= DR6_STEP;
        svm_inject(vcpu, VECTOR_DEBUG, false, 0);
    }
}

void svm_flush_memory(struct vcpu *vcpu)
{
    svm_vmcb(vcpu)->tlb_control = TLB_FLUSH_ALL;
}

const char *svm_state_fault(const struct vmcb *vmcb)
{
    bool paging = (vmcb->cr0 & CR0_PG) != 0;
    bool long_mode = paging && (vmcb->efer & EFER_LME) != 0;
    // clang-format off
    const struct {
        bool broken;
        const char *rule;
    } rules[] = {
        {(vmcb->efer & EFER_SVME) == 0, "EFER.SVME is clear"},
        {(vmcb->cr0 & CR0_NW) != 0 && (vmcb->cr0 & CR0_CD) == 0, "CR0.NW without CR0.CD"},
        {vmcb->cr0 >> 32 != 0, "CR0 has bits above 31"},
        {vmcb->cr4 >> 32 != 0, "CR4 has bits above 31"},
        {vmcb->dr6 >> 32 != 0, "DR6 has bits above 31"},
        {vmcb->dr7 >> 32 != 0, "DR7 has bits above 31"},
        {long_mode && (vmcb->cr4 & CR4_PAE) == 0, "long mode without CR4.PAE"},
        {long_mode && (vmcb->cr0 & CR0_PE) == 0, "long mode without CR0.PE"},
        {long_mode && (vmcb->cs.attributes & PACKED_LONG) != 0 &&
             (vmcb->cs.attributes & PACKED_BIG) != 0, "CS is both 64-bit and 32-bit"},
        {vmcb->asid == 0, "ASID 0 is the host's"},
        {(vmcb->intercept_2 & INTERCEPT_VMRUN) == 0, "VMRUN is not intercepted"},
        {(vmcb->event_injection & EVENT_VALID) != 0 &&
             EVENT_TYPE(vmcb->event_injection) == EVENT_EXCEPTION &&
             (EVENT_VECTOR(vmcb->event_injection) == 2 || EVENT_VECTOR(vmcb->event_injection) > 31),
         "the injected event is not an exception"},
    };
    // clang-format on
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (rules[i].broken)
            return rules[i].rule;
    return NULL;
}
