/* SPDX-License-Identifier: MIT */
/*
 * Says what its core's registers hold, as the last owner left them, then writes all of them.
 *
 * Prints each that a guest reaches without an exit, and what of the extended state is not zero.
 * Exits with 0 when it could do that; 1 when protection keys or IA32_XSS can be reached.
 */
#include "guest/runtime/attempt.h"

#define CR4_OSXSAVE  (UINT64_C(1) << 18)
#define CR4_PKE      (UINT64_C(1) << 22)
#define ECX_XSAVE    (1u << 26)
#define MSR_XSS      0xda0
#define AREA_SIZE    4096u
#define AREA_FCW     0u
#define AREA_MXCSR   24u
#define AREA_STATE   512u /* XSTATE_BV */
#define PATTERN      UINT64_C(0x5a5a5a5a5a5a)
#define MSR_PAT_MINE UINT64_C(0x0006040600070406)

static const struct {
    const char *name;
    uint32_t msr;
    uint64_t value;
} msrs[] = {
    {"SYSENTER_CS", 0x174, 0x10},
    {"SYSENTER_ESP", 0x175, PATTERN},
    {"SYSENTER_EIP", 0x176, PATTERN},
    {"PAT", 0x277, MSR_PAT_MINE},
    {"TPR", 0x808, 0x20},
    {"SVR", 0x80f, 0x1ef},
    {"LVT LINT0", 0x835, 0x10055},
    {"LVT LINT1", 0x836, 0x10055},
    {"LVT error", 0x837, 0x10055},
    {"timer divide", 0x83e, 9},
    {"STAR", 0xc0000081, PATTERN},
    {"LSTAR", 0xc0000082, PATTERN},
    {"CSTAR", 0xc0000083, PATTERN},
    {"SFMASK", 0xc0000084, 0x5a5a},
    {"FS_BASE", 0xc0000100, PATTERN},
    {"GS_BASE", 0xc0000101, PATTERN},
    {"KERNEL_GS_BASE", 0xc0000102, PATTERN},
    {"TSC_AUX", 0xc0000103, 0x5a5a5a5a},
};

static uint8_t area[AREA_SIZE] __attribute__((aligned(64)));

static void show(const char *name, uint64_t value)
{
    print("%s 0x%llx\n", name, (unsigned long long)value);
}

static void debug_registers(void)
{
    uint64_t value, pattern = PATTERN, status = 0xffff4ff3;
#define DEBUG_REGISTER(number)                                                                     \
    __asm__ volatile("mov %%dr" #number ", %0" : "=r"(value));                                     \
    show("DR" #number, value)
    DEBUG_REGISTER(0);
    DEBUG_REGISTER(1);
    DEBUG_REGISTER(2);
    DEBUG_REGISTER(3);
    DEBUG_REGISTER(6);
    DEBUG_REGISTER(7);
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    show("CR2", value);
    __asm__ volatile("mov %0, %%dr0\n\tmov %0, %%dr1\n\tmov %0, %%dr2\n\tmov %0, %%dr3\n\t"
                     "mov %0, %%cr2\n\tmov %1, %%dr6"
                     :
                     : "r"(pattern), "r"(status));
}

/* Everything that XSAVE stores: components in their initial state are zero but for two words. */
static void extended_state(void)
{
    uint32_t a = 0xd, b, c = 0, d, low, high;
    uint64_t cr4;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    show("XCR0", (uint64_t)high << 32 | low);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(a), "d"(d));
    __asm__ volatile("xsave64 %0" : "=m"(area) : "a"(a), "d"(d));
    show("FCW", *(uint16_t *)(area + AREA_FCW));
    show("MXCSR", *(uint32_t *)(area + AREA_MXCSR));
    for (unsigned i = 0; i < AREA_SIZE; i += 8) {
        uint64_t word = *(uint64_t *)(area + i);
        bool known = i == AREA_FCW || i == AREA_MXCSR || i == AREA_STATE;
        if (!known && word != 0)
            print("state 0x%x holds 0x%llx\n", i, (unsigned long long)word);
    }
    for (unsigned i = 0; i < AREA_SIZE; i++)
        area[i] = i < AREA_STATE || i >= AREA_STATE + 64 ? 0x5a : 0;
    *(uint16_t *)(area + AREA_FCW) = 0x27f;
    *(uint32_t *)(area + AREA_MXCSR) = 0x1fa0;
    *(uint64_t *)(area + AREA_STATE) = a;
    __asm__ volatile("xrstor64 %0" : : "m"(area), "a"(a), "d"(d));
}

static bool hidden_registers(void)
{
    uint64_t cr4, value;
    unsigned faults = attempt_faults;
    bool reached = attempt_read_msr(MSR_XSS, &value) || attempt_write_msr(MSR_XSS, 0);
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    attempt_skip = 3;
    __asm__ volatile("mov %0, %%cr4" : : "a"(cr4 | CR4_PKE) : "memory");
    ATTEMPT(3, "0x0f, 0x01, 0xef"); /* WRPKRU */
    return reached || attempt_faults != faults + 4;
}

int guest_main(void)
{
    uint32_t a = 1, b, c = 0, d;
    attempt_begin();
    for (size_t i = 0; i < sizeof msrs / sizeof msrs[0]; i++) {
        uint64_t value = 0;
        if (!attempt_read_msr(msrs[i].msr, &value))
            continue; /* not every CPU has every one */
        show(msrs[i].name, value);
    }
    debug_registers();
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if ((c & ECX_XSAVE) != 0)
        extended_state();
    if (hidden_registers()) {
        print("protection keys or IA32_XSS can be reached\n");
        return 1;
    }
    print("that is all\n");
    for (size_t i = 0; i < sizeof msrs / sizeof msrs[0]; i++)
        (void)attempt_write_msr(msrs[i].msr, msrs[i].value);
    return 0;
}
