/* SPDX-License-Identifier: MIT */
/* Accesses to guest-physical memory that is not RAM: decoded here, carried out by the guest code.
 */
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/emulate/instruction.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/emulate/fetch.h"

static uint64_t truncate(uint64_t value, unsigned width)
{
    return width >= 8 ? value : value & (BIT(width * 8) - 1);
}

static uint64_t source_value(struct vcpu *vcpu, const struct instruction *instruction)
{
    if (instruction->has_immediate)
        return truncate(instruction->immediate, instruction->width);
    if (instruction->high_byte)
        return FIELD(vcpu->registers[instruction->reg], 15, 8);
    return truncate(vcpu_register(vcpu, instruction->reg), instruction->width);
}

/* SDM 1 3.4.1.1: 32-bit results clear the upper half, narrower ones leave it. */
static void store_result(struct vcpu *vcpu, const struct instruction *instruction, uint64_t value)
{
    value = truncate(value, instruction->width);
    if (instruction->high_byte) {
        uint64_t *target = &vcpu->registers[instruction->reg];
        *target = (*target & ~BITS(15, 8)) | value << 8;
        return;
    }
    if (instruction->sign_extend && instruction->width < 8 &&
        (value & BIT(instruction->width * 8 - 1)) != 0)
        value |= ~UINT64_C(0) << (instruction->width * 8);
    value = truncate(value, instruction->register_width);
    if (instruction->register_width < 4) {
        uint64_t old = vcpu_register(vcpu, instruction->reg);
        value |= old & ~(BIT(instruction->register_width * 8) - 1);
    }
    vcpu_set_register(vcpu, instruction->reg, value);
}

static const char *access_name(const struct vcpu_exit *exit)
{
    return exit->memory.execute ? "execute"
           : exit->memory.write ? "write"
           : exit->memory.read  ? "read"
                                : "page-walk-or-event";
}

static enum outcome refuse(struct vcpu *vcpu, const char *why)
{
    return vcpu_fail(vcpu, "memory-access", "address=%#lx access=%s: %s", vcpu->exit.memory.address,
                     access_name(&vcpu->exit), why);
}

enum outcome exit_memory(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;
    uint64_t address = exit->memory.address;
    struct vcpu_state state;
    struct instruction instruction;
    uint8_t bytes[INSTRUCTION_MAX];
    unsigned code_bits;

    if (exit->memory.misconfigured)
        return vcpu_fail(vcpu, "memory-access",
                         "address=%#lx: the hypervisor's own table entry for it is malformed",
                         address);
    if (exit->memory.execute && vcpu_events()->execute(vcpu, exit->memory.address)) {
        vcpu_backend()->flush_memory(vcpu);
        return OUTCOME_RESUME;
    }
    if (exit->memory.execute || !(exit->memory.read || exit->memory.write))
        return refuse(vcpu, "no RAM is there");
    vcpu_backend()->read_mode(vcpu, &state);
    size_t size = vcpu_fetch(vcpu, &state, bytes, &code_bits);
    enum status status = instruction_decode(bytes, size, code_bits, &instruction);
    bool explains = status == STATUS_OK && instruction.write == exit->memory.write;
    if (!explains && vcpu_retry(vcpu, state.rip))
        return OUTCOME_RESUME;
    if (status != STATUS_OK)
        return vcpu_fail(
            vcpu, "memory-access",
            "address=%#lx access=%s: the instruction is not a plain move (%02x %02x %02x %02x, %s)",
            address, access_name(exit), size > 0 ? bytes[0] : 0u, size > 1 ? bytes[1] : 0u,
            size > 2 ? bytes[2] : 0u, size > 3 ? bytes[3] : 0u, status_name(status));
    if (!explains)
        return refuse(vcpu, "not what the instruction does; the guest's page tables or "
                            "descriptors lie there");
    uint64_t value = instruction.write ? source_value(vcpu, &instruction) : 0;
    if (!vcpu_events()->mmio(vcpu, exit->memory.address, instruction.width, instruction.write,
                             &value))
        return vcpu_fail(vcpu, "memory-access",
                         "address=%#lx access=%s width=%u: nothing is there for this guest",
                         address, access_name(exit), instruction.width);
    if (!instruction.write)
        store_result(vcpu, &instruction, value);
    vcpu_backend()->set_rip(vcpu, state.rip + instruction.length);
    return OUTCOME_RESUME;
}
