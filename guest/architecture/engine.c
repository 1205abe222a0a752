/* SPDX-License-Identifier: MIT */
#include "guest/architecture/engine.h"

#define IMAGE     0x200000u /* guest.ld */
#define DR6_FIXED 0xffff0ff0u

const char *const mode_names[MODES] = {"k64", "u64", "k32", "u32", "k16"};
bool on_qemu;
unsigned probes_said;
uint64_t say_pace;

static const struct {
    uint64_t code, stack;
    uint16_t cs, data;
} modes[MODES] = {
    [KERNEL_64] = {PAGE_CODE, STACK_TOP, CODE_64, DATA},
    [USER_64] = {PAGE_USER_CODE, USER_STACK_TOP, USER_CODE_64, USER_DATA},
    [KERNEL_32] = {PAGE_CODE, STACK_TOP, CODE_32, DATA},
    [USER_32] = {PAGE_USER_CODE, USER_STACK_TOP, USER_CODE_32, USER_DATA},
    [KERNEL_16] = {PAGE_CODE, STACK_TOP - ARENA, CODE_16, DATA_16},
};

uint64_t engine_code(enum mode mode)
{
    return modes[mode].code;
}

void engine_prepare(struct cpu_state *state, enum mode mode, const uint8_t *code, size_t length)
{
    volatile uint8_t *target = (volatile uint8_t *)modes[mode].code;
    for (size_t i = 0; i < length; i++)
        target[i] = code[i];
    target[length] = 0xcd; /* INT */
    target[length + 1] = VECTOR_DONE;
    memset(state, 0, sizeof *state);
    state->rip = modes[mode].cs == CODE_16 ? modes[mode].code - ARENA : modes[mode].code;
    state->cs = modes[mode].cs;
    state->rflags = RFLAGS_FIXED;
    state->rsp = modes[mode].stack;
    state->ss = state->data = modes[mode].data;
}

void say_end(void)
{
    if (++probes_said % 2 == 0)
        print("\n");
    if (say_pace != 0)
        wait_microseconds(say_pace);
}

void cpuid_read(uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]),
                       "=d"(registers[3])
                     : "a"(leaf), "c"(subleaf));
}

unsigned msr_get(uint32_t msr, uint64_t *value)
{
    static const uint8_t rdmsr[] = {0x0f, 0x32};
    struct cpu_state state;
    engine_prepare(&state, KERNEL_64, rdmsr, sizeof rdmsr);
    state.rcx = msr;
    engine_enter(&state);
    *value = state.rdx << 32 | (uint32_t)state.rax;
    return state.vector == VECTOR_DONE ? 0 : (unsigned)state.vector;
}

unsigned msr_put(uint32_t msr, uint64_t value)
{
    static const uint8_t wrmsr[] = {0x0f, 0x30};
    struct cpu_state state;
    engine_prepare(&state, KERNEL_64, wrmsr, sizeof wrmsr);
    state.rcx = msr;
    state.rax = (uint32_t)value;
    state.rdx = value >> 32;
    engine_enter(&state);
    return state.vector == VECTOR_DONE ? 0 : (unsigned)state.vector;
}

void say_taken(const char *name, const char *what, const struct cpu_state *state, uint64_t code,
               size_t length)
{
    uint64_t flags = state->rflags & ~RFLAGS_FIXED;
    int64_t offset = (int64_t)(state->rip - code);
    if (state->rip >= IMAGE && state->rip < ARENA) {
        say("%s%s: %u in a handler", name, what, (unsigned)state->vector);
        return;
    }
    if (state->vector == VECTOR_DONE && offset == (int64_t)length + 2)
        say("%s%s: done flags=%llx", name, what, (unsigned long long)flags);
    else if (state->vector == VECTOR_PF)
        say("%s%s: 14(%llx) at=%lld flags=%llx cr2=%llx", name, what,
            (unsigned long long)state->error, (long long)offset, (unsigned long long)flags,
            (unsigned long long)state->cr2);
    else if (state->vector == VECTOR_DB)
        say("%s%s: 1 at=%lld flags=%llx dr6=%llx", name, what, (long long)offset,
            (unsigned long long)flags, (unsigned long long)(state->dr6 ^ DR6_FIXED));
    else
        say("%s%s: %u(%llx) at=%lld flags=%llx", name, what, (unsigned)state->vector,
            (unsigned long long)state->error, (long long)offset, (unsigned long long)flags);
}
