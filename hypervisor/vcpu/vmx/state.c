/* SPDX-License-Identifier: MIT */
/* Guest state in the current VMCS: SDM 3C 25.4 (guest-state area), 25.6.6 (masks and shadows). */
#include "hypervisor/base/string.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/vcpu/vmx/vmx.h"
#include "hypervisor/x86/registers.h"

/* What a guest may switch in CR4 without an exit, where the policy grants it: everything whose
 * state is its own core's. VMXE is the hypervisor's; MCE stays on, because a machine check with MCE
 * off shuts the machine down. */
#define CR4_GUEST_OWNED                                                                            \
    (BITS(5, 0) | BITS(12, 7) | BITS(18, 16) |                                                     \
     BITS(22, 20)) /* VME..PAE, PGE..LA57, FSGSBASE, */ /* PCIDE, OSXSAVE, SMEP, SMAP, PKE */

static struct vcpu_segment read_segment(unsigned index)
{
    uint32_t rights = (uint32_t)vmcs_read(VMCS_GUEST_ES_RIGHTS + 2 * index);
    return (struct vcpu_segment){
        .selector = (uint16_t)vmcs_read(VMCS_GUEST_ES_SELECTOR + 2 * index),
        .attributes = (uint16_t)rights,
        .unusable = (rights & VMCS_SEGMENT_UNUSABLE) != 0,
        .limit = (uint32_t)vmcs_read(VMCS_GUEST_ES_LIMIT + 2 * index),
        .base = vmcs_read(VMCS_GUEST_ES_BASE + 2 * index),
    };
}

static void write_segment(unsigned index, const struct vcpu_segment *segment)
{
    uint64_t rights = segment->attributes & 0xf0ffu;
    vmcs_write(VMCS_GUEST_ES_SELECTOR + 2 * index, segment->selector);
    vmcs_write(VMCS_GUEST_ES_RIGHTS + 2 * index,
               segment->unusable ? rights | VMCS_SEGMENT_UNUSABLE : rights);
    vmcs_write(VMCS_GUEST_ES_LIMIT + 2 * index, segment->limit);
    vmcs_write(VMCS_GUEST_ES_BASE + 2 * index, segment->base);
}

#define SEGMENT_CS 1
#define SEGMENT_SS 2
/* In the order of the VMCS field encodings. */
static const size_t segment_offsets[] = {
    offsetof(struct vcpu_state, es),   offsetof(struct vcpu_state, cs),
    offsetof(struct vcpu_state, ss),   offsetof(struct vcpu_state, ds),
    offsetof(struct vcpu_state, fs),   offsetof(struct vcpu_state, gs),
    offsetof(struct vcpu_state, ldtr), offsetof(struct vcpu_state, tr),
};

uint64_t vmx_cr0_mask(void)
{
    /* PE and PG are free with unrestricted guest (SDM 3C 24.8). A guest's CD and NW are shadows
     * only: they would stay set while the hypervisor runs. */
    uint64_t forced = vmx_capabilities.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    return forced | CR0_CD | CR0_NW;
}

uint64_t vmx_cr4_mask(void)
{
    return ~(CR4_GUEST_OWNED & cpuid_machine.cr4);
}

static uint64_t real_cr0(uint64_t cr0)
{
    return ((cr0 & ~(CR0_CD | CR0_NW)) | (vmx_capabilities.cr0_fixed0 & ~(CR0_PE | CR0_PG))) &
           vmx_capabilities.cr0_fixed1;
}

static uint64_t real_cr4(uint64_t cr4)
{
    return ((cr4 & ~vmx_cr4_mask()) | vmx_capabilities.cr4_fixed0 | CR4_VMXE | CR4_MCE) &
           vmx_capabilities.cr4_fixed1;
}

/* With EPT, VM entry takes the four PDPTEs of PAE paging from the VMCS (SDM 3C 27.3.1.6): after an
 * emulated write to CR0 or CR4 they must be what CR3 points at. False: CR3 points at no RAM. */
static bool load_pdptes(struct vcpu *vcpu, uint64_t cr3)
{
    uint64_t entries[4];
    if (!vcpu_events()->read_memory(vcpu, cr3 & BITS(31, 5), entries, sizeof entries))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
        vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, entries[i]);
    return true;
}

void vmx_read_mode(struct vcpu *vcpu, struct vcpu_state *state)
{
    (void)vcpu;
    uint64_t cr0_mask = vmx_cr0_mask(), cr4_mask = vmx_cr4_mask();
    state->rip = vmcs_read(VMCS_GUEST_RIP);
    state->cr0 = (vmcs_read(VMCS_GUEST_CR0) & ~cr0_mask) | (vmcs_read(VMCS_CR0_SHADOW) & cr0_mask);
    state->cr3 = vmcs_read(VMCS_GUEST_CR3);
    state->cr4 = (vmcs_read(VMCS_GUEST_CR4) & ~cr4_mask) | (vmcs_read(VMCS_CR4_SHADOW) & cr4_mask);
    state->efer = vmcs_read(VMCS_GUEST_EFER);
    state->cs = read_segment(SEGMENT_CS);
}

void vmx_read_state(struct vcpu *vcpu, struct vcpu_state *state)
{
    *state = (struct vcpu_state){
        .rflags = vmcs_read(VMCS_GUEST_RFLAGS),
        .rsp = vmcs_read(VMCS_GUEST_RSP),
        .cr2 = guest_register_read(CORE_CR2),
        .gdtr_base = vmcs_read(VMCS_GUEST_GDTR_BASE),
        .idtr_base = vmcs_read(VMCS_GUEST_IDTR_BASE),
        .gdtr_limit = (uint32_t)vmcs_read(VMCS_GUEST_GDTR_LIMIT),
        .idtr_limit = (uint32_t)vmcs_read(VMCS_GUEST_IDTR_LIMIT),
        .dr7 = vmcs_read(VMCS_GUEST_DR7),
    };
    vmx_read_mode(vcpu, state);
    for (unsigned i = 0; i < ARRAY_SIZE(segment_offsets); i++)
        *(struct vcpu_segment *)((uint8_t *)state + segment_offsets[i]) = read_segment(i);
}

/* EFER.LMA, "IA-32e mode guest" and the PDPTEs follow from CR0, CR4 and EFER.LME (SDM 3A 10.8.5).
 */
static void write_mode(struct vcpu *vcpu, const struct vcpu_state *state)
{
    bool paging = (state->cr0 & CR0_PG) != 0;
    bool long_mode = paging && (state->efer & EFER_LME) != 0;
    uint64_t efer = (state->efer & ~EFER_LMA) | (long_mode ? EFER_LMA : 0);
    uint64_t entry = vmx_controls.word[VMX_ENTRY] & ~ENTRY_IA32E_GUEST;
    vmcs_write(VMCS_GUEST_EFER, efer);
    vmcs_write(VMCS_ENTRY_CONTROLS, long_mode ? entry | ENTRY_IA32E_GUEST : entry);
    if (paging && !long_mode && (state->cr4 & CR4_PAE) && !load_pdptes(vcpu, state->cr3))
        for (unsigned i = 0; i < 4; i++)
            vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, 0); /* nothing mapped: the guest faults */
}

void vmx_write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
    write_mode(vcpu, state);
    vmcs_write(VMCS_GUEST_RIP, state->rip);
    vmcs_write(VMCS_GUEST_RFLAGS, state->rflags);
    vmcs_write(VMCS_GUEST_RSP, state->rsp);
    vmcs_write(VMCS_GUEST_CR0, real_cr0(state->cr0));
    vmcs_write(VMCS_CR0_SHADOW, state->cr0);
    vmcs_write(VMCS_GUEST_CR3, state->cr3);
    vmcs_write(VMCS_GUEST_CR4, real_cr4(state->cr4));
    vmcs_write(VMCS_CR4_SHADOW, state->cr4);
    vmcs_write(VMCS_GUEST_GDTR_BASE, state->gdtr_base);
    vmcs_write(VMCS_GUEST_IDTR_BASE, state->idtr_base);
    vmcs_write(VMCS_GUEST_GDTR_LIMIT, state->gdtr_limit);
    vmcs_write(VMCS_GUEST_IDTR_LIMIT, state->idtr_limit);
    vmcs_write(VMCS_GUEST_DR7, state->dr7);
    for (unsigned i = 0; i < ARRAY_SIZE(segment_offsets); i++)
        write_segment(i,
                      (const struct vcpu_segment *)((const uint8_t *)state + segment_offsets[i]));
    guest_register_write(CORE_CR2, state->cr2);
}

uint64_t vmx_efer(struct vcpu *vcpu)
{
    (void)vcpu;
    return vmcs_get(VMCS_GUEST_EFER);
}

/* The guest owns the bit, or has not got it: then it is clear. */
bool vmx_osxsave(struct vcpu *vcpu)
{
    (void)vcpu;
    return (vmcs_get(VMCS_GUEST_CR4) & CR4_OSXSAVE) != 0;
}

/* The DPL of SS is the CPL in every mode (SDM 3C 25.4.1). */
unsigned vmx_cpl(struct vcpu *vcpu)
{
    (void)vcpu;
    return (unsigned)FIELD(vmcs_get(VMCS_GUEST_ES_RIGHTS + 2 * SEGMENT_SS), 6, 5);
}
