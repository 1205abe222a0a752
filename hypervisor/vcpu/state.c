/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/state.h"

#include "hypervisor/x86/registers.h"

/* Segment attributes as in struct vcpu_segment. */
#define CODE_32     0xc09b /* 4 KiB granular, 32-bit, present, executable, readable, accessed */
#define DATA_32     0xc093
#define CODE_16     0x009b
#define DATA_16     0x0093
#define LDT_PRESENT 0x0082
#define TSS_32_BUSY 0x008b /* VM entry accepts no other (SDM 3C 27.3.1.2) */
#define LIMIT_64K   0xffffu
#define LIMIT_4G    0xffffffffu
#define DR7_RESET   0x400u
#define CR0_RESET   (CR0_CD | CR0_NW | CR0_ET) /* SDM 3A table 10-1 */

static struct vcpu_segment segment(uint16_t selector, uint16_t attributes, uint64_t base,
                                   uint32_t limit)
{
    return (struct vcpu_segment){
        .selector = selector, .attributes = attributes, .limit = limit, .base = base};
}

static void set_all(struct vcpu_state *state, struct vcpu_segment code, struct vcpu_segment data)
{
    *state = (struct vcpu_state){
        .rflags = RFLAGS_FIXED,
        .cs = code,
        .ds = data,
        .es = data,
        .fs = data,
        .gs = data,
        .ss = data,
        .tr = segment(0, TSS_32_BUSY, 0, LIMIT_64K),
        .ldtr = {.attributes = LDT_PRESENT, .unusable = true, .limit = LIMIT_64K},
        .gdtr_limit = LIMIT_64K,
        .idtr_limit = LIMIT_64K,
        .dr7 = DR7_RESET,
    };
}

void vcpu_state_pvh(struct vcpu_state *state, uint32_t entry)
{
    set_all(state, segment(0x08, CODE_32, 0, LIMIT_4G), segment(0x10, DATA_32, 0, LIMIT_4G));
    state->rip = entry;
    state->cr0 = CR0_PE | CR0_ET;
    state->tr.limit = 0x67;
    /* No table yet: the first interrupt must not find one by chance. */
    state->gdtr_limit = 0;
    state->idtr_limit = 0;
}

void vcpu_state_sipi(struct vcpu_state *state, uint8_t vector)
{
    set_all(state,
            segment((uint16_t)(vector << 8), CODE_16, (uint64_t)vector << PAGE_SHIFT, LIMIT_64K),
            segment(0, DATA_16, 0, LIMIT_64K));
    state->cr0 = CR0_RESET;
}
