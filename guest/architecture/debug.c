/* SPDX-License-Identifier: MIT */
/* Debug registers, breakpoints and single-stepping. SDM 3B 18.2, 18.3. */
#include "guest/architecture/probes.h"

#define DR6_RESET 0xffff0ff0u
#define DR7_RESET 0x400u
#define CR4_DE    BIT(3)

static void clear_all(void)
{
    uint64_t zero = 0, six = DR6_RESET, seven = DR7_RESET;
    __asm__ volatile("mov %2, %%dr7; mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3;"
                     "mov %1, %%dr6"
                     :
                     : "r"(zero), "r"(six), "r"(seven));
}

/* MOV to DRn, MOV from it, and back to what reset leaves. */
static void probe_bits(unsigned number, uint64_t base, uint64_t skip, uint64_t back)
{
    uint8_t modrm = (uint8_t)(0xc0 | number << 3);
    uint8_t code[] = {0x0f, 0x23, modrm, 0x0f, 0x21, modrm, 0x0f, 0x23, (uint8_t)(modrm | 1)};
    for (unsigned bit = 0; bit < 64; bit++) {
        struct cpu_state state;
        if ((skip & BIT(bit)) != 0)
            continue;
        engine_prepare(&state, KERNEL_64, code, sizeof code);
        state.rax = base ^ BIT(bit);
        state.rcx = back;
        engine_enter(&state);
        say("dr%u.bit%u: %u %llx", number, bit, (unsigned)state.vector,
            (unsigned long long)state.rax);
        clear_all();
    }
}

struct breakpoint {
    const char *name;
    const char *code;
    uint8_t length;
    uint64_t dr0, dr7, flags, cr4;
};

#define CODE(bytes)       bytes, sizeof(bytes) - 1
#define WATCH(kind, size) (DR7_RESET | 1 | (uint64_t)(kind) << 16 | (uint64_t)(size) << 18)
#define EXECUTE           0u
#define WRITE             1u
#define PORT              2u
#define ACCESS            3u
#define GENERAL_DETECT    (DR7_RESET | BIT(13))

/* clang-format off */
static const struct breakpoint breakpoints[] = {
    {"execute-nop", CODE("\x90\x90"), PAGE_CODE, WATCH(EXECUTE, 0), 0, 0},
    {"execute-nop-rf", CODE("\x90\x90"), PAGE_CODE, WATCH(EXECUTE, 0), RFLAGS_RF, 0},
    {"execute-second", CODE("\x90\x90"), PAGE_CODE + 1, WATCH(EXECUTE, 0), 0, 0},
    {"execute-cpuid", CODE("\x0f\xa2\x90"), PAGE_CODE, WATCH(EXECUTE, 0), 0, 0},
    {"execute-after-cpuid", CODE("\x0f\xa2\x90"), PAGE_CODE + 2, WATCH(EXECUTE, 0), 0, 0},
    {"execute-after-cpuid-tf", CODE("\x0f\xa2\x90"), PAGE_CODE + 2, WATCH(EXECUTE, 0), RFLAGS_TF, 0},
    {"execute-after-in", CODE("\xe4\x80\x90"), PAGE_CODE + 2, WATCH(EXECUTE, 0), 0, 0},
    {"execute-after-xsetbv-ud", CODE("\x0f\x01\xd1\x90"), PAGE_CODE, WATCH(EXECUTE, 0), RFLAGS_RF, 0},
    {"execute-on-rdmsr-fault", CODE("\x0f\x32"), PAGE_CODE, WATCH(EXECUTE, 0), RFLAGS_RF, 0},
    {"execute-length-1", CODE("\x90\x90"), PAGE_CODE, WATCH(EXECUTE, 1), 0, 0},
    {"write-match", CODE("\x89\x06\x90"), PAGE_DATA, WATCH(WRITE, 3), 0, 0},
    {"write-no-match-read", CODE("\x8b\x06\x90"), PAGE_DATA, WATCH(WRITE, 3), 0, 0},
    {"access-read", CODE("\x8b\x06\x90"), PAGE_DATA, WATCH(ACCESS, 3), 0, 0},
    {"access-partial", CODE("\x8a\x46\x03\x90"), PAGE_DATA, WATCH(ACCESS, 3), 0, 0},
    {"access-outside", CODE("\x8a\x46\x04\x90"), PAGE_DATA, WATCH(ACCESS, 3), 0, 0},
    {"access-tf", CODE("\x8b\x06\x90"), PAGE_DATA, WATCH(ACCESS, 3), RFLAGS_TF, 0},
    {"access-rep", CODE("\xf3\xaa\x90"), PAGE_DATA + 2, WATCH(WRITE, 0), 0, 0},
    {"access-push", CODE("\x50\x90"), STACK_TOP - 8, WATCH(WRITE, 2), 0, 0},
    {"access-after-mov-ss", CODE("\x8c\xd3\x8e\x16\x90\x90"), PAGE_DATA, WATCH(ACCESS, 3), 0, 0},
    {"access-mov-ss-cpuid", CODE("\x8e\x16\x0f\xa2\x90"), PAGE_DATA, WATCH(ACCESS, 3), 0, 0},
    {"access-mov-ss-int3", CODE("\x8e\x16\xcc"), PAGE_DATA, WATCH(ACCESS, 3), 0, 0},
    {"port-undefined", CODE("\xe4\x80\x90"), 0x80, WATCH(PORT, 0), 0, 0},
    {"port-match", CODE("\xe4\x80\x90"), 0x80, WATCH(PORT, 0), 0, CR4_DE},
    {"port-other", CODE("\xe4\x81\x90"), 0x80, WATCH(PORT, 0), 0, CR4_DE},
    {"port-out", CODE("\xe6\x80\x90"), 0x80, WATCH(PORT, 0), 0, CR4_DE},
    {"detect-read", CODE("\x0f\x21\xf0"), 0, GENERAL_DETECT, 0, 0},
    {"detect-write", CODE("\x0f\x23\xf0"), 0, GENERAL_DETECT, 0, 0},
    {"detect-dr7", CODE("\x0f\x21\xf8"), 0, GENERAL_DETECT, 0, 0},
    {"step-nop", CODE("\x90\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-cpuid-nop", CODE("\x0f\xa2\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-in", CODE("\xe4\x80\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-rep", CODE("\xf3\xaa\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-jump", CODE("\xeb\x02\x90\x90\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-int1", CODE("\xf1\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-hlt-free", CODE("\x0f\x08\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-wbinvd", CODE("\x0f\x09\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-mov-dr7", CODE("\x0f\x21\xf8\x0f\x23\xf8\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"step-mov-cr3", CODE("\x0f\x20\xd8\x0f\x22\xd8\x90"), 0, DR7_RESET, RFLAGS_TF, 0},
    {"dr4-de", CODE("\x0f\x21\xe0"), 0, DR7_RESET, 0, CR4_DE},
    {"dr5-de", CODE("\x0f\x21\xe8"), 0, DR7_RESET, 0, CR4_DE},
    {"dr5-no-de", CODE("\x0f\x21\xe8"), 0, DR7_RESET, 0, 0},
    {"mov-dr6-high", CODE("\x48\x0f\xba\xe8\x20\x0f\x23\xf0"), 0, DR7_RESET, 0, 0},
    {"mov-dr7-high", CODE("\x48\x0f\xba\xe8\x20\x0f\x23\xf8"), 0, DR7_RESET, 0, 0},
};
/* clang-format on */

/* Then once more from where it stopped, as a handler does that returns with RF set. */
static void probe_breakpoint(const struct breakpoint *which)
{
    struct cpu_state state;
    uint64_t cr4, seven;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    engine_prepare(&state, KERNEL_64, (const uint8_t *)which->code, which->length);
    memset((void *)(uintptr_t)PAGE_DATA, 0, 64);
    *(volatile uint16_t *)(uintptr_t)PAGE_DATA = DATA;
    state.rsi = state.rdi = PAGE_DATA;
    state.rcx = 4;
    state.rflags |= which->flags;
    clear_all();
    __asm__ volatile("mov %0, %%cr4; mov %1, %%dr0; mov %2, %%dr7"
                     :
                     : "r"(cr4 | which->cr4), "r"(which->dr0), "r"(which->dr7));
    bool ended = false;
    for (unsigned turn = 1; turn <= 4; turn++) {
        char name[40] = "debug.1-";
        name[6] = (char)('0' + turn);
        if (ended) {
            say("%s%s: ended before", name, which->name);
            continue;
        }
        engine_enter(&state);
        say_taken(name, which->name, &state, PAGE_CODE, which->length);
        ended = state.vector != VECTOR_DB;
        uint64_t six = DR6_RESET;
        __asm__ volatile("mov %0, %%dr6" : : "r"(six));
        state.data = DATA;
        state.rflags |= turn == 1 ? RFLAGS_RF : 0;
    }
    __asm__ volatile("mov %%dr7, %0" : "=r"(seven));
    say("debug.dr7-%s: %llx", which->name, (unsigned long long)seven);
    clear_all();
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

void probe_debug(void)
{
    clear_all();
    probe_bits(0, 0, 0, 0);
    probe_bits(6, DR6_RESET, 0, DR6_RESET);
    /* Not GD: the next instruction would be the breakpoint. */
    probe_bits(7, DR7_RESET, BIT(13), DR7_RESET);
    for (size_t i = 0; i < COUNT(breakpoints); i++)
        probe_breakpoint(&breakpoints[i]);
}
