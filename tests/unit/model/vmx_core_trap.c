/* SPDX-License-Identifier: MIT */
/* RDMSR, WRMSR, MOV CRn and VMXON fault in a program (#GP: SIGSEGV, #UD: SIGILL): decoded here as
 * far as compilers make them, carried out by the model, and skipped. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/unit/model/vmx_core_trap.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "hypervisor/x86/registers.h"
#include "tests/unit/model/vmx_core.h"

#define REX_R            4
#define REX_X            2
#define REX_B            1
#define FLAG_CARRY       1
#define FLAGS_ARITHMETIC 0x8d5 /* CF, PF, AF, ZF, SF, OF */

static struct sigaction others[2];

struct trapped {
    greg_t *registers;
    const uint8_t *at; /* next byte */
    uint8_t rex;
    bool repeat; /* F3 */
};

/* In the order of instruction encodings. */
static greg_t *general(const struct trapped *trapped, unsigned number)
{
    static const int places[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                 REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                 REG_R12, REG_R13, REG_R14, REG_R15};
    return &trapped->registers[places[number]];
}

static int32_t displacement(struct trapped *trapped, unsigned size)
{
    int32_t value = (int8_t)trapped->at[0];
    if (size == 4)
        memcpy(&value, trapped->at, 4);
    trapped->at += size;
    return value;
}

/* SDM 2A 2.1.5, for 64-bit addresses. */
static uint64_t memory_operand(struct trapped *trapped, uint8_t modrm)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;
    uint64_t address = 0;
    bool has_base = true;
    if (rm == 4) {
        uint8_t sib = *trapped->at++;
        unsigned index = (sib >> 3 & 7) | ((trapped->rex & REX_X) != 0 ? 8u : 0u);
        if (index != 4)
            address = (uint64_t)*general(trapped, index) << (sib >> 6);
        rm = sib & 7;
        has_base = rm != 5 || mod != 0;
    } else if (rm == 5 && mod == 0) { /* relative to the next instruction */
        int32_t offset = displacement(trapped, 4);
        return (uint64_t)(uintptr_t)trapped->at + (uint64_t)(int64_t)offset;
    }
    if (has_base)
        address += (uint64_t)*general(trapped, rm | ((trapped->rex & REX_B) != 0 ? 8u : 0u));
    if (mod == 1)
        address += (uint64_t)(int64_t)displacement(trapped, 1);
    else if (mod == 2 || !has_base)
        address += (uint64_t)(int64_t)displacement(trapped, 4);
    return address;
}

static void move_control(struct trapped *trapped, bool write)
{
    uint8_t modrm = *trapped->at++;
    unsigned control = (modrm >> 3 & 7) | ((trapped->rex & REX_R) != 0 ? 8u : 0u);
    greg_t *place = general(trapped, (modrm & 7u) | ((trapped->rex & REX_B) != 0 ? 8u : 0u));
    if (write)
        vmx_core_set_control(control, (uint64_t)*place);
    else
        *place = (greg_t)vmx_core_control(control);
}

static void move_msr(struct trapped *trapped, bool write)
{
    greg_t *r = trapped->registers;
    uint32_t msr = (uint32_t)r[REG_RCX];
    if (write) {
        uint64_t value = (uint64_t)r[REG_RDX] << 32 | (uint32_t)r[REG_RAX];
        if (!msr_write_safe(msr, value))
            vmx_core_violates("WRMSR to %#x raises #GP", msr);
        return;
    }
    uint64_t value = vmx_core_msr(msr);
    r[REG_RAX] = (uint32_t)value;
    r[REG_RDX] = (greg_t)(value >> 32);
}

static void vmxon(struct trapped *trapped, uint8_t modrm)
{
    uint64_t physical, address = memory_operand(trapped, modrm);
    memcpy(&physical, (const void *)(uintptr_t)address, sizeof physical);
    greg_t flags = trapped->registers[REG_EFL] & ~(greg_t)FLAGS_ARITHMETIC;
    trapped->registers[REG_EFL] = flags | (vmx_core_vmxon(physical) ? 0 : FLAG_CARRY);
}

static bool carried_out(struct trapped *trapped)
{
    for (;; trapped->at++) {
        if (*trapped->at == 0xf3)
            trapped->repeat = true;
        else if ((*trapped->at & 0xf0) == 0x40)
            trapped->rex = *trapped->at & 15;
        else
            break;
    }
    if (*trapped->at++ != 0x0f)
        return false;
    uint8_t opcode = *trapped->at++;
    if (opcode == 0x20 || opcode == 0x22)
        move_control(trapped, opcode == 0x22);
    else if (opcode == 0x30 || opcode == 0x32)
        move_msr(trapped, opcode == 0x30);
    else if (opcode == 0xc7 && trapped->repeat && (*trapped->at >> 3 & 7) == 6 &&
             *trapped->at >> 6 != 3)
        vmxon(trapped, *trapped->at++);
    else
        return false;
    return true;
}

static void trap(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct trapped trapped = {.registers = registers,
                              .at = (const uint8_t *)(uintptr_t)registers[REG_RIP]};
    /* A jump to where nothing is must not be looked at. */
    bool jumped = number == SIGSEGV && info->si_addr == trapped.at;
    if (!jumped && carried_out(&trapped)) {
        registers[REG_RIP] = (greg_t)(uintptr_t)trapped.at;
        return;
    }
    sigaction(number, &others[number == SIGILL], NULL); /* it comes again, to them */
}

void vmx_core_trap(void)
{
    static bool done;
    struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    if (done)
        return;
    done = true;
    sigaction(SIGSEGV, &action, &others[0]);
    sigaction(SIGILL, &action, &others[1]);
}
