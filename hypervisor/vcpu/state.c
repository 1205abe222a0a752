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

/* After INIT; what no field names is 0. */
static const struct vcpu_state after_init = {
    .rflags = RFLAGS_FIXED,
    .cr0 = CR0_RESET,
    .cs = {.attributes = CODE_16, .limit = LIMIT_64K},
    .ds = {.attributes = DATA_16, .limit = LIMIT_64K},
    .es = {.attributes = DATA_16, .limit = LIMIT_64K},
    .fs = {.attributes = DATA_16, .limit = LIMIT_64K},
    .gs = {.attributes = DATA_16, .limit = LIMIT_64K},
    .ss = {.attributes = DATA_16, .limit = LIMIT_64K},
    .tr = {.attributes = TSS_32_BUSY, .limit = LIMIT_64K},
    .ldtr = {.attributes = LDT_PRESENT, .unusable = true, .limit = LIMIT_64K},
    .gdtr_limit = LIMIT_64K,
    .idtr_limit = LIMIT_64K,
    .dr7 = DR7_RESET,
};

void vcpu_state_pvh(struct vcpu_state *state, uint32_t entry)
{
    *state = after_init;
    state->rip = entry;
    state->cr0 = CR0_PE | CR0_ET;
    state->cs = (struct vcpu_segment){.selector = 8, .attributes = CODE_32, .limit = LIMIT_4G};
    state->ds = (struct vcpu_segment){.selector = 16, .attributes = DATA_32, .limit = LIMIT_4G};
    state->es = state->fs = state->gs = state->ss = state->ds;
    state->tr.limit = 0x67;
    /* No table yet: the first interrupt must not find one by chance. */
    state->gdtr_limit = state->idtr_limit = 0;
}

void vcpu_state_sipi(struct vcpu_state *state, uint8_t vector)
{
    *state = after_init;
    state->cs.selector = (uint16_t)(vector << 8);
    state->cs.base = (uint64_t)vector << PAGE_SHIFT;
}
