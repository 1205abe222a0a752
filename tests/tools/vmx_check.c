/* SPDX-License-Identifier: MIT */
/*
 * Why VM entry refused the guest's state. The CPU only says "reason 33"; this walks the rules of
 * SDM 3C 27.3.1 in the manual's order and names the first one that is broken.
 */
#include "tests/tools/vmx_check.h"

#include "hypervisor/vcpu/vmx/registers.h"
#include "hypervisor/x86/registers.h"

#define CR4_PCIDE     BIT(17)
#define EFER_RESERVED (~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))

#define RFLAGS_VM    BIT(17)
#define RFLAGS_ZEROS (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))

/* Segment rights, SDM 3C table 25-2. */
#define RIGHTS_TYPE(r)  ((r) & 15u)
#define RIGHTS_S        BIT(4)
#define RIGHTS_DPL(r)   ((unsigned)FIELD(r, 6, 5))
#define RIGHTS_P        BIT(7)
#define RIGHTS_L        BIT(13)
#define RIGHTS_D        BIT(14)
#define RIGHTS_G        BIT(15)
#define RIGHTS_RESERVED BITS(11, 8)
#define RIGHTS_V86      0xf3u
#define SELECTOR_TI     BIT(2)

static bool canonical(uint64_t address)
{
    uint64_t top = address >> 47;
    return top == 0 || top == 0x1ffff;
}

/* G says whether the limit counts pages: its low bits must then be ones, its high bits else zero.
 */
static bool limit_fits(const struct vcpu_segment *segment)
{
    bool granular = (segment->attributes & RIGHTS_G) != 0;
    if ((segment->limit & 0xfff) != 0xfff && granular)
        return false;
    return (segment->limit & 0xfff00000) == 0 || granular;
}

/* SDM 3C 27.3.1.1 */
static const char *control_registers(const struct vmx_guest_view *view)
{
    const struct vcpu_state *state = &view->state;
    uint64_t needed = view->cr0_fixed0 & ~(CR0_PE | CR0_PG);
    bool long_mode = (view->entry_controls & ENTRY_IA32E_GUEST) != 0;
    bool paging = (state->cr0 & CR0_PG) != 0;
    if ((state->cr0 & needed) != needed)
        return "CR0 lacks a bit that VMX fixes to 1";
    if (state->cr0 & ~view->cr0_fixed1)
        return "CR0 has a bit that VMX fixes to 0";
    if (paging && !(state->cr0 & CR0_PE))
        return "CR0.PG is set without CR0.PE";
    if ((state->cr4 & view->cr4_fixed0) != view->cr4_fixed0)
        return "CR4 lacks a bit that VMX fixes to 1";
    if (state->cr4 & ~view->cr4_fixed1)
        return "CR4 has a bit that VMX fixes to 0";
    if (long_mode && !paging)
        return "IA-32e mode guest without CR0.PG";
    if (long_mode && !(state->cr4 & CR4_PAE))
        return "IA-32e mode guest without CR4.PAE";
    if (!long_mode && (state->cr4 & CR4_PCIDE))
        return "CR4.PCIDE is set outside IA-32e mode";
    if (state->cr3 >> view->physical_bits)
        return "CR3 is beyond the physical-address width";
    if (state->dr7 >> 32)
        return "DR7 has bits above 31";
    if (state->efer & EFER_RESERVED)
        return "EFER has a reserved bit set";
    if (((state->efer & EFER_LMA) != 0) != long_mode)
        return "EFER.LMA differs from the IA-32e mode guest control";
    if (paging && ((state->efer & EFER_LMA) != 0) != ((state->efer & EFER_LME) != 0))
        return "EFER.LMA differs from EFER.LME although CR0.PG is set";
    return NULL;
}

struct named_segment {
    const char *name_base; /* what to say when the rule is broken */
    const char *name_rights;
    const char *name_limit;
    size_t offset;
};

static const struct named_segment data_segments[] = {
    {"SS base has bits above 31", "SS is not an accessed writable data segment",
     "SS limit contradicts its granularity", offsetof(struct vcpu_state, ss)},
    {"DS base has bits above 31", "DS is not an accessed readable segment",
     "DS limit contradicts its granularity", offsetof(struct vcpu_state, ds)},
    {"ES base has bits above 31", "ES is not an accessed readable segment",
     "ES limit contradicts its granularity", offsetof(struct vcpu_state, es)},
    {"FS base is not canonical", "FS is not an accessed readable segment",
     "FS limit contradicts its granularity", offsetof(struct vcpu_state, fs)},
    {"GS base is not canonical", "GS is not an accessed readable segment",
     "GS limit contradicts its granularity", offsetof(struct vcpu_state, gs)},
};

static const struct vcpu_segment *segment_at(const struct vmx_guest_view *view, size_t offset)
{
    return (const struct vcpu_segment *)((const uint8_t *)&view->state + offset);
}

static bool data_rights_valid(const struct vcpu_segment *segment, bool stack)
{
    unsigned type = RIGHTS_TYPE(segment->attributes);
    if (stack ? type != 3 && type != 7 : !(type & 1) || ((type & 8) && !(type & 2)))
        return false;
    return (segment->attributes & RIGHTS_S) && (segment->attributes & RIGHTS_P) &&
           !(segment->attributes & RIGHTS_RESERVED);
}

static const char *code_segment(const struct vmx_guest_view *view)
{
    const struct vcpu_segment *cs = &view->state.cs, *ss = &view->state.ss;
    unsigned type = RIGHTS_TYPE(cs->attributes), dpl = RIGHTS_DPL(cs->attributes);
    bool long_mode = (view->entry_controls & ENTRY_IA32E_GUEST) != 0;
    if (cs->base >> 32)
        return "CS base has bits above 31";
    if (cs->unusable)
        return "CS is unusable";
    if (type != 3 && (type & 9) != 9)
        return "CS is neither accessed code nor read/write data";
    if (!(cs->attributes & RIGHTS_S) || !(cs->attributes & RIGHTS_P) ||
        (cs->attributes & RIGHTS_RESERVED))
        return "CS rights lack S or P, or have a reserved bit";
    if (type == 3 && dpl != 0)
        return "CS is a data segment with a DPL other than 0";
    if ((type == 9 || type == 11) && dpl != RIGHTS_DPL(ss->attributes))
        return "CS is non-conforming and its DPL differs from that of SS";
    if (type >= 13 && dpl > RIGHTS_DPL(ss->attributes))
        return "CS is conforming and its DPL is above that of SS";
    if (long_mode && (cs->attributes & RIGHTS_L) && (cs->attributes & RIGHTS_D))
        return "CS has both L and D set in IA-32e mode";
    if (!limit_fits(cs))
        return "CS limit contradicts its granularity";
    if ((type == 3 || !(view->state.cr0 & CR0_PE)) && RIGHTS_DPL(ss->attributes) != 0)
        return "SS has a DPL other than 0 in real mode";
    return NULL;
}

static const char *virtual_8086_segments(const struct vmx_guest_view *view)
{
    const struct vcpu_segment *cs = &view->state.cs;
    if (cs->base != (uint64_t)cs->selector << 4 || cs->limit != 0xffff ||
        cs->attributes != RIGHTS_V86)
        return "CS does not fit virtual-8086 mode";
    for (size_t i = 0; i < ARRAY_SIZE(data_segments); i++) {
        const struct vcpu_segment *segment = segment_at(view, data_segments[i].offset);
        if (segment->base != (uint64_t)segment->selector << 4 || segment->limit != 0xffff ||
            segment->attributes != RIGHTS_V86)
            return "a data segment does not fit virtual-8086 mode";
    }
    return NULL;
}

static const char *ordinary_segments(const struct vmx_guest_view *view)
{
    const char *fault = code_segment(view);
    for (size_t i = 0; fault == NULL && i < ARRAY_SIZE(data_segments); i++) {
        const struct named_segment *named = &data_segments[i];
        const struct vcpu_segment *segment = segment_at(view, named->offset);
        bool wide = segment == &view->state.fs || segment == &view->state.gs;
        if (wide ? !canonical(segment->base) : !segment->unusable && segment->base >> 32)
            return named->name_base;
        if (segment->unusable)
            continue;
        if (!data_rights_valid(segment, segment == &view->state.ss))
            return named->name_rights;
        if (!limit_fits(segment))
            return named->name_limit;
    }
    return fault;
}

/* SDM 3C 27.3.1.2 and 27.3.1.3 */
static const char *system_segments(const struct vmx_guest_view *view)
{
    const struct vcpu_segment *tr = &view->state.tr, *ldtr = &view->state.ldtr;
    bool long_mode = (view->entry_controls & ENTRY_IA32E_GUEST) != 0;
    unsigned tr_type = RIGHTS_TYPE(tr->attributes);
    if (tr->selector & SELECTOR_TI)
        return "TR selects from the LDT";
    if (!canonical(tr->base))
        return "TR base is not canonical";
    if (tr->unusable)
        return "TR is unusable";
    if (tr_type != 11 && (tr_type != 3 || long_mode))
        return "TR is not a busy TSS";
    if ((tr->attributes & (RIGHTS_S | RIGHTS_RESERVED)) || !(tr->attributes & RIGHTS_P))
        return "TR rights have S or a reserved bit, or lack P";
    if (!limit_fits(tr))
        return "TR limit contradicts its granularity";
    if (!ldtr->unusable) {
        if (ldtr->selector & SELECTOR_TI)
            return "LDTR selects from the LDT";
        if (!canonical(ldtr->base))
            return "LDTR base is not canonical";
        if (RIGHTS_TYPE(ldtr->attributes) != 2 || !(ldtr->attributes & RIGHTS_P) ||
            (ldtr->attributes & (RIGHTS_S | RIGHTS_RESERVED)))
            return "LDTR is not a present LDT";
        if (!limit_fits(ldtr))
            return "LDTR limit contradicts its granularity";
    }
    if (!canonical(view->state.gdtr_base) || !canonical(view->state.idtr_base))
        return "GDTR or IDTR base is not canonical";
    if (view->state.gdtr_limit >> 16 || view->state.idtr_limit >> 16)
        return "GDTR or IDTR limit has bits above 15";
    return NULL;
}

/* SDM 3C 27.3.1.4 */
static const char *rip_and_rflags(const struct vmx_guest_view *view)
{
    const struct vcpu_state *state = &view->state;
    bool long_mode = (view->entry_controls & ENTRY_IA32E_GUEST) != 0;
    bool external = (view->entry_interruption & INTERRUPTION_VALID) &&
                    INTERRUPTION_TYPE(view->entry_interruption) == INTERRUPTION_EXTERNAL;
    if (long_mode && (state->cs.attributes & RIGHTS_L)) {
        if (!canonical(state->rip))
            return "RIP is not canonical";
    } else if (state->rip >> 32) {
        return "RIP has bits above 31 outside 64-bit mode";
    }
    if (!(state->rflags & RFLAGS_FIXED) || (state->rflags & RFLAGS_ZEROS))
        return "RFLAGS has a reserved bit wrong";
    if ((state->rflags & RFLAGS_VM) && (long_mode || !(state->cr0 & CR0_PE)))
        return "RFLAGS.VM is set in IA-32e or real mode";
    if (external && !(state->rflags & RFLAGS_IF))
        return "an external interrupt is injected with RFLAGS.IF clear";
    return NULL;
}

/* SDM 3C 27.3.1.5 */
static const char *non_register_state(const struct vmx_guest_view *view)
{
    uint32_t blocking = view->interruptibility;
    bool shadow = (blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)) != 0;
    bool valid = (view->entry_interruption & INTERRUPTION_VALID) != 0;
    unsigned type = INTERRUPTION_TYPE(view->entry_interruption);
    bool stepping = (view->state.rflags & RFLAGS_TF) != 0;
    if (view->activity > ACTIVITY_WAIT_FOR_SIPI)
        return "the activity state does not exist";
    if (view->activity == ACTIVITY_HLT && RIGHTS_DPL(view->state.ss.attributes) != 0)
        return "halted with SS.DPL other than 0";
    if (view->activity != ACTIVITY_ACTIVE && shadow)
        return "not active although STI or MOV SS blocks interrupts";
    if (blocking & ~(uint64_t)BITS(4, 0))
        return "the interruptibility state has a reserved bit";
    if ((blocking & INTERRUPTIBILITY_STI) && (blocking & INTERRUPTIBILITY_MOV_SS))
        return "blocking by STI and by MOV SS at once";
    if ((blocking & INTERRUPTIBILITY_STI) && !(view->state.rflags & RFLAGS_IF))
        return "blocking by STI with RFLAGS.IF clear";
    if (valid && type == INTERRUPTION_EXTERNAL && shadow)
        return "an external interrupt is injected into an interrupt shadow";
    if (valid && type == INTERRUPTION_NMI && (blocking & INTERRUPTIBILITY_MOV_SS))
        return "an NMI is injected behind MOV SS";
    if (valid && type == INTERRUPTION_NMI && (blocking & INTERRUPTIBILITY_NMI))
        return "an NMI is injected while NMIs are blocked";
    if ((shadow || view->activity == ACTIVITY_HLT) &&
        stepping != ((view->pending_debug & PENDING_DEBUG_STEP) != 0))
        return "pending debug exception BS contradicts RFLAGS.TF";
    if (view->link_pointer != ~UINT64_C(0))
        return "the VMCS link pointer is not all ones";
    return NULL;
}

const char *vmx_guest_state_fault(const struct vmx_guest_view *view)
{
    const char *fault = control_registers(view);
    if (fault == NULL)
        fault = (view->state.rflags & RFLAGS_VM) ? virtual_8086_segments(view)
                                                 : ordinary_segments(view);
    if (fault == NULL)
        fault = system_segments(view);
    if (fault == NULL)
        fault = rip_and_rflags(view);
    if (fault == NULL)
        fault = non_register_state(view);
    return fault;
}
