/* SPDX-License-Identifier: MIT */
/*
 * What CR0 and CR4 switch on: UMIP, SMEP, SMAP, WP, AM, TS, TSD, PCE, OSFXSR, MCE, FSGSBASE, DE. A
 * bit is set, some instructions are run, and it is cleared again. And SYSCALL and SYSENTER.
 */
#include "guest/architecture/probes.h"

#define MSR_EFER  0xc0000080
#define MSR_STAR  0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define RFLAGS_AC BIT(18)
#define EFER_SCE  BIT(0)

struct setting {
    const char *name;
    uint64_t cr0, cr4;
};

/* clang-format off */
static const struct setting settings[] = {
    {"plain", 0, 0},
    {"umip", 0, BIT(11)},
    {"smep", 0, BIT(20)},
    {"smap", 0, BIT(21)},
    {"wp", BIT(16), 0},
    {"am", BIT(18), 0},
    {"ts", BIT(3), 0},
    {"em", BIT(2), 0},
    {"mp-ts", BIT(1) | BIT(3), 0},
    {"tsd", 0, BIT(2)},
    {"de", 0, BIT(3)},
    {"mce", 0, BIT(6)},
    {"pge", 0, BIT(7)},
    {"pce", 0, BIT(8)},
    {"osfxsr", 0, BIT(9)},
    {"osfxsr-ts", BIT(3), BIT(9)},
    {"fsgsbase", 0, BIT(16)},
    {"osxsave", 0, BIT(18) | BIT(9)},
    {"smap-wp", BIT(16), BIT(21)},
};

static const struct probe {
    const char *name;
    const char *code;
    uint8_t length;
    uint64_t flags, rsi;
} probes[] = {
#define CODE(bytes) bytes, sizeof(bytes) - 1
    {"sgdt", CODE("\x0f\x01\x07"), 0, 0},
    {"sidt", CODE("\x0f\x01\x0f"), 0, 0},
    {"sldt", CODE("\x0f\x00\xc0"), 0, 0},
    {"str", CODE("\x0f\x00\xc8"), 0, 0},
    {"smsw", CODE("\x0f\x01\xe0"), 0, 0},
    {"read-user", CODE("\x8b\x06"), 0, PAGE_USER_DATA},
    {"read-user-ac", CODE("\x8b\x06"), RFLAGS_AC, PAGE_USER_DATA},
    {"write-user", CODE("\x89\x06"), 0, PAGE_USER_DATA},
    {"write-read-only", CODE("\x89\x06"), 0, PAGE_READ_ONLY},
    {"write-user-read-only", CODE("\x89\x06"), 0, PAGE_USER_READ},
    {"execute-user", CODE("\xff\xe6"), 0, PAGE_USER_CODE + 0x800},
    {"stac", CODE("\x0f\x01\xcb"), 0, 0},
    {"unaligned", CODE("\x8b\x47\x01"), RFLAGS_AC, 0},
    {"unaligned-no-ac", CODE("\x8b\x47\x01"), 0, 0},
    {"fnop", CODE("\xd9\xd0"), 0, 0},
    {"fwait", CODE("\x9b"), 0, 0},
    {"emms", CODE("\x0f\x77"), 0, 0},
    {"xorps", CODE("\x0f\x57\xc0"), 0, 0},
    {"fxsave", CODE("\x0f\xae\x07"), 0, 0},
    {"rdtsc", CODE("\x0f\x31"), 0, 0},
    {"rdtscp", CODE("\x0f\x01\xf9"), 0, 0},
    {"rdpmc", CODE("\x0f\x33"), 0, 0},
    {"mov-dr4", CODE("\x0f\x21\xe0"), 0, 0},
    {"rdfsbase", CODE("\xf3\x48\x0f\xae\xc0"), 0, 0},
    {"xgetbv", CODE("\x0f\x01\xd0"), 0, 0},
    {"xgetbv-9", CODE("\xb9\x09\x00\x00\x00\x0f\x01\xd0"), 0, 0},
    {"xsave", CODE("\x0f\xae\x27"), 0, 0},
    {"vxorps", CODE("\xc5\xf8\x57\xc0"), 0, 0},
    {"rdpkru", CODE("\x0f\x01\xee"), 0, 0},
    {"wrpkru", CODE("\x0f\x01\xef"), 0, 0},
};
/* clang-format on */

static uint64_t read_cr0(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static uint64_t read_cr4(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

/* Through the engine, since it may fault: false then. */
static bool write_cr4(uint64_t value)
{
    static const uint8_t code[] = {0x0f, 0x22, 0xe0};
    struct cpu_state state;
    engine_prepare(&state, KERNEL_64, code, sizeof code);
    state.rax = value;
    engine_enter(&state);
    return state.vector == VECTOR_DONE;
}

static bool supported(uint64_t cr4)
{
    uint32_t one[4], seven[4];
    cpuid_read(1, 0, one);
    cpuid_read(7, 0, seven);
    uint64_t absent = 0;
    absent |= (seven[2] & BIT(2)) != 0 ? 0 : BIT(11);
    absent |= (seven[1] & BIT(0)) != 0 ? 0 : BIT(16);
    absent |= (one[2] & BIT(26)) != 0 ? 0 : BIT(18);
    absent |= (seven[1] & BIT(7)) != 0 ? 0 : BIT(20);
    absent |= (seven[1] & BIT(20)) != 0 ? 0 : BIT(21);
    absent |= (seven[2] & BIT(3)) != 0 ? 0 : BIT(22);
    return (cr4 & absent) == 0;
}

static void run(const struct setting *setting, const struct probe *probe, enum mode mode)
{
    static const char *const names[] = {[KERNEL_64] = "k64", [USER_64] = "u64"};
    struct cpu_state state;
    engine_prepare(&state, mode, (const uint8_t *)probe->code, probe->length);
    state.rflags |= probe->flags;
    state.rsi = probe->rsi;
    state.rdi = mode == USER_64 ? PAGE_USER_DATA : PAGE_DATA;
    state.rax = 1;
    /* For the probe alone: the engine writes code into user pages. */
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    __asm__ volatile("mov %0, %%cr4; mov %1, %%cr0"
                     :
                     : "r"(cr4 | setting->cr4), "r"(cr0 | setting->cr0));
    engine_enter(&state);
    __asm__ volatile("mov %0, %%cr0; mov %1, %%cr4" : : "r"(cr0), "r"(cr4));
    char name[64];
    size_t used = 0;
    const char *const parts[] = {"set.", setting->name, ".", names[mode], "."};
    for (size_t i = 0; i < COUNT(parts); i++)
        for (const char *from = parts[i]; *from != '\0';)
            name[used++] = *from++;
    name[used] = '\0';
    say_taken(name, probe->name, &state, engine_code(mode), probe->length);
}

static void run_setting(const struct setting *setting)
{
    uint64_t cr4 = read_cr4();
    static const uint8_t done[] = {0xcd, VECTOR_DONE};
    if (!supported(setting->cr4)) {
        say("set.%s: not there", setting->name);
        return;
    }
    memcpy((void *)(uintptr_t)(PAGE_USER_CODE + 0x800), done, sizeof done);
    if (!write_cr4(cr4 | setting->cr4)) {
        say("set.%s: refused", setting->name);
        return;
    }
    (void)write_cr4(cr4);
    for (unsigned mode = KERNEL_64; mode <= USER_64; mode++)
        for (size_t i = 0; i < COUNT(probes); i++)
            run(setting, &probes[i], (enum mode)mode);
}

/* --- system calls --- */

static void system_call(const char *name, enum mode mode, const char *code, size_t length,
                        uint64_t flags, uint64_t where)
{
    static const uint8_t done[] = {0xcd, VECTOR_DONE};
    struct cpu_state state;
    memcpy((void *)(uintptr_t)(PAGE_CODE + 0x700), done, sizeof done);
    memcpy((void *)(uintptr_t)(PAGE_USER_CODE + 0x700), done, sizeof done);
    engine_prepare(&state, mode, (const uint8_t *)code, length);
    state.rflags |= flags;
    state.rcx = where;
    state.rdx = where;
    state.r11 = RFLAGS_FIXED | flags;
    engine_enter(&state);
    say("%s-%s: %u(%llx) rip=%llx cs=%llx ss=%llx flags=%llx rcx=%llx r11=%llx", name,
        mode_names[mode], (unsigned)state.vector, (unsigned long long)state.error,
        (unsigned long long)state.rip, (unsigned long long)state.cs, (unsigned long long)state.ss,
        (unsigned long long)state.rflags, (unsigned long long)state.rcx,
        (unsigned long long)state.r11);
}

static void probe_system_calls(void)
{
    uint64_t efer = 0;
    (void)msr_get(MSR_EFER, &efer);
    (void)msr_put(MSR_EFER, efer | EFER_SCE);
    (void)msr_put(MSR_STAR, (uint64_t)(USER_DATA - 8) << 48 | (uint64_t)CODE_64 << 32);
    (void)msr_put(MSR_LSTAR, PAGE_CODE + 0x700);
    (void)msr_put(MSR_CSTAR, PAGE_CODE + 0x700);
    static const uint64_t masks[] = {0, 0x4700, UINT32_MAX};
    static const char *const names[][3] = {
        {"syscall", "syscall-tf", "syscall-flags"},
        {"syscall-masked", "syscall-masked-tf", "syscall-masked-flags"},
        {"syscall-all", "syscall-all-tf", "syscall-all-flags"}};
    for (size_t i = 0; i < COUNT(masks); i++) {
        (void)msr_put(MSR_FMASK, masks[i]);
        for (unsigned mode = KERNEL_64; mode <= USER_32; mode++) {
            system_call(names[i][0], (enum mode)mode, "\x0f\x05", 2, 0, 0);
            system_call(names[i][1], (enum mode)mode, "\x0f\x05", 2, RFLAGS_TF, 0);
            system_call(names[i][2], (enum mode)mode, "\x0f\x05", 2, 0x10cd5, 0);
        }
    }
    system_call("sysret64", KERNEL_64, "\x48\x0f\x07", 3, 0, PAGE_USER_CODE + 0x700);
    system_call("sysret32", KERNEL_64, "\x0f\x07", 2, 0, PAGE_USER_CODE + 0x700);
    system_call("sysret64-tf", KERNEL_64, "\x48\x0f\x07", 3, RFLAGS_TF, PAGE_USER_CODE + 0x700);
    system_call("sysret64-non-canonical", KERNEL_64, "\x48\x0f\x07", 3, 0, UINT64_C(1) << 47);
    system_call("sysret64-user", USER_64, "\x48\x0f\x07", 3, 0, PAGE_USER_CODE + 0x700);
    (void)msr_put(MSR_EFER, efer);
    (void)msr_put(0x174, CODE_64);
    (void)msr_put(0x175, STACK_TOP);
    (void)msr_put(0x176, PAGE_CODE + 0x700);
    /* QEMU's SYSENTER leaves CS both 64-bit and 32-bit, and its VMRUN refuses such a state. */
    for (unsigned mode = KERNEL_64; mode <= USER_32 && !on_qemu; mode++) {
        system_call("sysenter", (enum mode)mode, "\x0f\x34", 2, 0, 0);
        system_call("sysenter-tf", (enum mode)mode, "\x0f\x34", 2, RFLAGS_TF, 0);
    }
    system_call("sysexit", KERNEL_64, "\x0f\x35", 2, 0, PAGE_USER_CODE + 0x700);
    system_call("sysexit-user", USER_64, "\x0f\x35", 2, 0, PAGE_USER_CODE + 0x700);
    (void)msr_put(0x174, 0);
}

void probe_protection(void)
{
    for (size_t i = 0; i < COUNT(settings); i++)
        run_setting(&settings[i]);
    probe_system_calls();
}
