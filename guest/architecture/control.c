/* SPDX-License-Identifier: MIT */
/* CR0, CR3, CR4, EFER, XCR0: each bit set or cleared by itself. SDM 3A 2.5, 2.2.1, 4.5; 1 13.3. */
#include "guest/architecture/probes.h"

#define MSR_EFER    0xc0000080
#define CR0_PE      BIT(0)
#define CR0_PG      BIT(31)
#define CR4_PAE     BIT(5)
#define CR4_SMEP    BIT(20)
#define CR4_PCIDE   BIT(17)
#define CR4_LA57    BIT(12)
#define CR4_OSXSAVE BIT(18)
#define EFER_LME    BIT(8)

enum { CR0, CR3 = 3, CR4 = 4, CR8 = 8 };

static const uint8_t reads[][4] = {
    [CR0] = {0x0f, 0x20, 0xc0}, [CR3] = {0x0f, 0x20, 0xd8}, [CR4] = {0x0f, 0x20, 0xe0}};
static const uint8_t writes[][4] = {
    [CR0] = {0x0f, 0x22, 0xc0}, [CR3] = {0x0f, 0x22, 0xd8}, [CR4] = {0x0f, 0x22, 0xe0}};

static uint64_t control_get(unsigned number)
{
    struct cpu_state state;
    engine_prepare(&state, KERNEL_64, reads[number], 3);
    engine_enter(&state);
    return state.rax;
}

/* Writes, reads back at once, and puts back what was there before anything else runs. */
static unsigned control_try(unsigned number, uint64_t value, uint64_t before, uint64_t *now)
{
    uint8_t code[9];
    struct cpu_state state;
    for (unsigned i = 0; i < 3; i++) {
        code[i] = writes[number][i];
        code[3 + i] = reads[number][i];
        code[6 + i] = writes[number][i];
    }
    code[8] = (uint8_t)(code[8] | 1); /* the last from RCX; the reading goes to RAX */
    engine_prepare(&state, KERNEL_64, code, sizeof code);
    state.rax = value;
    state.rcx = before;
    engine_enter(&state);
    *now = state.rax;
    return state.vector == VECTOR_DONE ? 0 : (unsigned)state.vector;
}

static void try(const char *name, unsigned bit, unsigned number, uint64_t value, uint64_t before)
{
    uint64_t now = 0;
    unsigned fault = control_try(number, value, before, &now);
    if (fault != 0)
        say("%s%u: %u", name, bit, fault);
    else
        say("%s%u: %llx", name, bit, (unsigned long long)(now ^ before));
}

/* The address of the tables; and what QEMU takes for the end of long mode, or of the machine. */
static uint64_t careful(unsigned number)
{
    uint32_t seven[4], one[4], limits[4];
    cpuid_read(1, 0, one);
    cpuid_read(7, 0, seven);
    cpuid_read(0x80000008, 0, limits);
    if (!on_qemu)
        return number == CR3 ? BIT(limits[0] & 0xff) - 0x1000 : 0;
    switch (number) {
    case CR0:
        return CR0_PE | CR0_PG;
    case CR3:
        return ~UINT64_C(0xfff);
    case CR4: {
        uint64_t known = 0x7ff & ~CR4_PAE;
        known |= (seven[2] & BIT(2)) != 0 ? BIT(11) : 0;
        known |= (seven[1] & BIT(0)) != 0 ? BIT(16) : 0;
        known |= (one[2] & BIT(26)) != 0 ? BIT(18) : 0;
        known |= (seven[1] & BIT(7)) != 0 ? BIT(20) : 0;
        known |= (seven[1] & BIT(20)) != 0 ? BIT(21) : 0;
        return ~known;
    }
    default:
        return 0;
    }
}

static void walk(const char *name, unsigned number)
{
    uint64_t before = control_get(number), skip = careful(number);
    for (unsigned bit = 0; bit < 64; bit++)
        if ((skip & BIT(bit)) == 0)
            try(name, bit, number, before ^ BIT(bit), before);
}

static void probe_efer(void)
{
    uint64_t before = 0, now = 0;
    (void)msr_get(MSR_EFER, &before);
    say("efer.value: %llx", (unsigned long long)before);
    for (unsigned bit = 0; bit < 64; bit++) {
        if (on_qemu && (BIT(bit) & EFER_LME) != 0)
            continue;
        unsigned fault = msr_put(MSR_EFER, before ^ BIT(bit));
        (void)msr_get(MSR_EFER, &now);
        say("efer.bit%u: %u %llx", bit, fault, (unsigned long long)(now ^ before));
        (void)msr_put(MSR_EFER, before);
    }
}

static void probe_xcr0(void)
{
    static const uint8_t get[] = {0x0f, 0x01, 0xd0}, set[] = {0x0f, 0x01, 0xd1};
    static const uint64_t more[] = {0,    2,    6,    5,     0x18, 0x1f,
                                    0x27, 0xe7, 0xe3, 0x207, 0xff, ~UINT64_C(0)};
    struct cpu_state state;
    uint64_t cr4 = control_get(CR4);
    engine_prepare(&state, KERNEL_64, get, sizeof get);
    engine_enter(&state);
    say_taken("xcr0.get", "-off", &state, PAGE_CODE, sizeof get);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
    for (unsigned i = 0; i < 64 + COUNT(more); i++) {
        uint64_t value = i < 64 ? 1 | BIT(i) : more[i - 64];
        engine_prepare(&state, KERNEL_64, set, sizeof set);
        state.rax = (uint32_t)value;
        state.rdx = value >> 32;
        engine_enter(&state);
        unsigned fault = state.vector == VECTOR_DONE ? 0 : (unsigned)state.vector;
        engine_prepare(&state, KERNEL_64, get, sizeof get);
        engine_enter(&state);
        say("xcr0.%s%u: %u %llx", i < 64 ? "bit" : "value", i < 64 ? i : i - 64, fault,
            (unsigned long long)(state.rdx << 32 | (uint32_t)state.rax));
    }
    for (unsigned index = 1; index < 8; index++) {
        engine_prepare(&state, KERNEL_64, set, sizeof set);
        state.rcx = index;
        state.rax = 1;
        engine_enter(&state);
        say("xcr%u.set: %u", index, (unsigned)state.vector);
    }
    engine_prepare(&state, USER_64, set, sizeof set);
    state.rax = 1;
    engine_enter(&state);
    say_taken("xcr0.set", "-user", &state, PAGE_USER_CODE, sizeof set);
    engine_prepare(&state, KERNEL_64, set, sizeof set);
    state.rax = 1;
    engine_enter(&state);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

static void probe_pcid(void)
{
    uint32_t one[4];
    uint64_t cr3 = control_get(CR3), cr4 = control_get(CR4);
    cpuid_read(1, 0, one);
    if ((one[2] & BIT(17)) == 0)
        return;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3 | 5));
    try("pcid.on-with-pcid-", 17, CR4, cr4 | CR4_PCIDE, cr4);
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3));
    try("pcid.on-", 17, CR4, cr4 | CR4_PCIDE, cr4);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_PCIDE));
    walk("pcid.cr3-bit", CR3);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

void probe_control_registers(void)
{
    uint64_t cr0 = control_get(CR0);
    walk("cr0.bit", CR0);
    try("cr0.nw-cd-", 0, CR0, cr0 | BIT(29) | BIT(30), cr0);
    try("cr0.ts-em-", 0, CR0, cr0 | BIT(2) | BIT(3), cr0);
    try("cr0.all-", 0, CR0, UINT32_MAX, cr0);
    walk("cr3.bit", CR3);
    walk("cr4.bit", CR4);
    if (!on_qemu)
        try("cr4.all-", 0, CR4, ~UINT64_C(0), control_get(CR4));
    probe_efer();
    probe_pcid();
    probe_xcr0();
}
