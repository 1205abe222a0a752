/* SPDX-License-Identifier: MIT */
/* General registers by number. */
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/exits.h"

uint64_t vcpu_register(struct vcpu *vcpu, unsigned number)
{
    struct vcpu_state state;
    if (number != GUEST_RSP)
        return vcpu->registers[number];
    vcpu_backend()->read_state(vcpu, &state);
    return state.rsp;
}

void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
    struct vcpu_state state;
    if (number != GUEST_RSP) {
        vcpu->registers[number] = value;
        return;
    }
    vcpu_backend()->read_state(vcpu, &state);
    state.rsp = value;
    vcpu_backend()->write_state(vcpu, &state);
}
