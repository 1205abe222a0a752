/* SPDX-License-Identifier: MIT */
/*
 * Exceptions, NMIs and local vectors of a guest with two vCPUs, where the hypervisor has a hand in
 * them: what is delivered, when, and what is pushed.
 *
 *   what=lvt|flags|nmi|fault|unmap [rounds=N]
 *
 * Exits with 0 when all was as on a CPU, with 1 otherwise.
 */
#include "guest/runtime/attempt.h"
#include "guest/runtime/second.h"

#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_UD  6
#define VECTOR_GP  13
#define VECTOR_PF  14
#define ICR_NMI    0x4400u
#define RFLAGS_RF  UINT64_C(0x10000)
#define LVT_MASKED UINT64_C(0x10000)
#define MSR_TIMER  0x832
#define LONGEST    UINT64_C(10000000) /* microseconds: the machine may be busy */
#define PAGE       4096u

struct frame {
    uint64_t rip, cs, flags, rsp, ss;
};

static unsigned wrong;

static void expect(bool right, const char *what, uint64_t value)
{
    if (!right && wrong++ < 8)
        print("wrong: %s 0x%llx\n", what, (unsigned long long)value);
}

static bool reaches(const volatile unsigned *counter, unsigned wanted)
{
    uint64_t end = microseconds() + LONGEST;
    while (*counter < wanted && microseconds() < end)
        __asm__ volatile("pause");
    return *counter >= wanted;
}

/* --- local vector table: reserved bits (SDM 3A 11.5.1, 11.12.1.2) --- */

static uint64_t timer_modes(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c & 1u << 24) != 0 ? 0x60000 : 0x20000;
}

static void local_vectors(void)
{
    const struct {
        uint32_t msr;
        uint64_t defined;
    } entries[] = {{0x82f, 0x117ff}, {MSR_TIMER, 0x110ff | timer_modes()},
                   {0x833, 0x117ff}, {0x834, 0x117ff},
                   {0x835, 0x1f7ff}, {0x836, 0x1f7ff},
                   {0x837, 0x110ff}};
    for (unsigned i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (!attempt_write_msr(entries[i].msr, LVT_MASKED))
            continue; /* this APIC has no such entry */
        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t value = LVT_MASKED | UINT64_C(1) << bit;
            bool taken = attempt_write_msr(entries[i].msr, value);
            if ((entries[i].defined >> bit & 1) != taken)
                expect(false, taken ? "taken: bit, entry" : "refused: bit, entry",
                       bit << 16 | entries[i].msr);
        }
    }
    for (uint64_t mode = 1; mode < 8; mode++) /* SMI, NMI, INIT and what does not exist */
        expect(!attempt_write_msr(MSR_TIMER, mode << 8 | 0xfe), "mode of the timer", mode);
    (void)attempt_write_msr(MSR_TIMER, LVT_MASKED);
}

/* --- what exceptions push --- */

static volatile uint64_t pushed;
static volatile unsigned breakpoints;

__attribute__((interrupt)) static void note_flags(volatile struct frame *frame)
{
    pushed = frame->flags;
    frame->rip += attempt_skip;
}

__attribute__((interrupt)) static void note_flags_with_code(volatile struct frame *frame,
                                                            uint64_t code)
{
    (void)code;
    pushed = frame->flags;
    frame->rip += attempt_skip;
}

__attribute__((interrupt)) static void on_breakpoint(volatile struct frame *frame)
{
    breakpoints = breakpoints + 1;
    frame->flags |= RFLAGS_RF;
}

static void expect_rf(const char *what)
{
    expect((pushed & RFLAGS_RF) != 0, what, pushed);
    pushed = 0;
}

/* A breakpoint on the instruction behind one that the hypervisor carries out. */
static void breakpoint_behind_emulation(void)
{
    uint64_t scratch;
    uintptr_t ecam = pci_ecam();
    attempt_gate(VECTOR_DB, (uint64_t)(uintptr_t)on_breakpoint);
    __asm__ volatile("lea 1f(%%rip), %0\n"
                     "mov %0, %%dr0\n"
                     "mov $0x401, %0\n"
                     "mov %0, %%dr7\n"
                     "mov (%1), %k0\n"
                     "1: nop\n"
                     "mov $0x400, %0\n"
                     "mov %0, %%dr7\n"
                     : "=&r"(scratch)
                     : "r"(ecam)
                     : "memory");
    expect(breakpoints == 1, "breakpoints behind an access to configuration space", breakpoints);
}

static void pushed_flags(void)
{
    attempt_gate(VECTOR_UD, (uint64_t)(uintptr_t)note_flags);
    attempt_gate(VECTOR_GP, (uint64_t)(uintptr_t)note_flags_with_code);
    ATTEMPT(2, "0x0f, 0x0b"); /* UD2 does not exit */
    expect_rf("RFLAGS pushed by UD2");
    ATTEMPT(3, "0x0f, 0x01, 0xc8"); /* MONITOR */
    expect_rf("RFLAGS pushed by MONITOR");
    ATTEMPT(3, "0x0f, 0x01, 0xc4"); /* VMXOFF */
    expect_rf("RFLAGS pushed by VMXOFF");
    uint64_t value;
    (void)attempt_read_msr(0x480, &value);
    expect_rf("RFLAGS pushed by RDMSR");
    (void)attempt_write_msr(0x480, 0);
    expect_rf("RFLAGS pushed by WRMSR");
    if (pci_ecam() != 0)
        breakpoint_behind_emulation();
}

/* --- an NMI blocks the next until IRET --- */

static volatile unsigned nmis, depth, deepest, go_on, second_runs;

__attribute__((interrupt)) static void on_nmi(volatile struct frame *frame)
{
    (void)frame;
    depth = depth + 1;
    if (depth > deepest)
        deepest = depth;
    nmis = nmis + 1;
    for (unsigned exits = 0; exits < 20; exits++) {
        uint32_t a = 0, c = 0; /* exits make no difference */
        __asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx");
    }
    while (go_on == 0)
        __asm__ volatile("pause");
    depth = depth - 1;
}

/* With interrupts off, on, and in the shadows of STI and MOV SS. */
static void take_nmis(void)
{
    for (;;) {
        second_runs = 1;
        __asm__ volatile("mov %%ss, %%eax\n"
                         "mov %%eax, %%ss\n"
                         "nop\n"
                         "sti\n"
                         "nop\n"
                         "cli\n"
                         :
                         :
                         : "eax", "memory");
    }
}

static void nmis_one_by_one(void)
{
    unsigned rounds = (unsigned)argument_number("rounds", 50);
    attempt_gate(VECTOR_NMI, (uint64_t)(uintptr_t)on_nmi);
    second_start(take_nmis);
    expect(reaches(&second_runs, 1), "the second vCPU did not start", 0);
    for (unsigned round = 0; round < rounds && wrong == 0; round++) {
        go_on = 0;
        second_command(ICR_NMI);
        expect(reaches(&nmis, 2 * round + 1), "the first NMI did not come", round);
        second_command(ICR_NMI); /* waits, and there is room for one */
        second_command(ICR_NMI);
        wait_microseconds(50);
        expect(nmis == 2 * round + 1, "NMIs in the handler of one", nmis);
        go_on = 1;
        expect(reaches(&nmis, 2 * round + 2), "the NMI that waited did not come", round);
        for (uint64_t end = microseconds() + LONGEST; depth != 0 && microseconds() < end;)
            __asm__ volatile("pause");
        expect(depth == 0, "the handler does not end", round);
    }
    wait_microseconds(1000);
    expect(nmis == 2 * rounds, "NMIs taken", nmis);
    expect(deepest == 1, "handlers at a time", deepest);
}

/* --- the vCPU's own faults while NMIs come --- */

__attribute__((naked)) static void count_nmi(void)
{
    __asm__ volatile("lock incl nmis(%rip)\n"
                     "iretq");
}

static void fault_for_ever(void)
{
    for (;;) {
        second_runs = second_runs + 1;
        attempt_skip = 3;
        __asm__ volatile("mov (%0), %%rax" : : "b"(UINT64_C(0x800000000000)) : "rax", "memory");
    }
}

static void faults_among_nmis(void)
{
    unsigned rounds = (unsigned)argument_number("rounds", 2000);
    attempt_begin();
    attempt_gate(VECTOR_NMI, (uint64_t)(uintptr_t)count_nmi);
    second_start(fault_for_ever);
    expect(reaches(&second_runs, 1), "the second vCPU did not start", 0);
    for (unsigned round = 0; round < rounds; round++) {
        second_command(ICR_NMI);
        wait_microseconds(20 + round % 16);
    }
    unsigned before = second_runs;
    expect(reaches(&second_runs, before + 10), "it does not run any more", before);
    expect(nmis > 0 && nmis <= rounds, "NMIs taken", nmis);
    print("%u NMIs among %u faults\n", nmis, attempt_faults);
}

/* --- code that the other vCPU unmaps --- */

static uint8_t code[2 * PAGE] __attribute__((aligned(4096)));
static uint64_t table[512] __attribute__((aligned(4096)));
static volatile unsigned page_faults;
static uintptr_t target;

static volatile uint64_t *code_entry(void)
{
    uint64_t cr3, page = (uint64_t)(uintptr_t)code;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    const uint64_t *pml4 = (const uint64_t *)(uintptr_t)cr3;
    const uint64_t *pdpt = (const uint64_t *)(uintptr_t)(pml4[0] & ~UINT64_C(0xfff));
    volatile uint64_t *directory = (volatile uint64_t *)(uintptr_t)(pdpt[0] & ~UINT64_C(0xfff));
    for (unsigned i = 0; i < 512; i++)
        table[i] = (page & ~UINT64_C(0x1fffff)) + i * PAGE + 3;
    directory[page >> 21] = (uint64_t)(uintptr_t)table + 3;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    return &table[page >> 12 & 511];
}

__attribute__((interrupt)) static void on_page_fault(volatile struct frame *frame, uint64_t error)
{
    uint64_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    if (address - (uint64_t)(uintptr_t)code > 2 || frame->rip != address || (error & ~0x10u) != 0)
        wrong++;
    page_faults = page_faults + 1;
}

static void load_for_ever(void)
{
    for (;;) {
        second_runs = second_runs + 1;
        __asm__ volatile("call *%0" : : "r"(code), "D"(target) : "rax", "memory");
    }
}

static void code_comes_and_goes(void)
{
    static const uint8_t load_and_return[] = {0x8b, 0x07, 0xc3}; /* mov eax, [rdi] */
    unsigned rounds = (unsigned)argument_number("rounds", 2000);
    target = pci_ecam();
    for (unsigned i = 0; i < sizeof load_and_return; i++)
        ((volatile uint8_t *)code)[i] = load_and_return[i];
    volatile uint64_t *entry = code_entry();
    uint64_t mapped = *entry;
    attempt_gate(VECTOR_PF, (uint64_t)(uintptr_t)on_page_fault);
    second_start(load_for_ever);
    expect(reaches(&second_runs, 1), "the second vCPU did not start", 0);
    random_begin(rounds);
    for (unsigned round = 0; round < rounds; round++) {
        *entry = 0;
        for (uint64_t spins = random_number() % 64; spins > 0; spins--)
            __asm__ volatile("pause");
        *entry = mapped;
        for (uint64_t spins = random_number() % 1024; spins > 0; spins--)
            __asm__ volatile("pause");
    }
    unsigned before = second_runs;
    expect(reaches(&second_runs, before + 10), "it does not run any more", before);
    print("%u loads, %u page faults\n", second_runs, page_faults);
}

int guest_main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } kinds[] = {{"lvt", local_vectors},
                 {"flags", pushed_flags},
                 {"nmi", nmis_one_by_one},
                 {"fault", faults_among_nmis},
                 {"unmap", code_comes_and_goes}};
    char what[16] = "flags";
    (void)argument("what", what, sizeof what);
    attempt_begin();
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        unsigned at = 0;
        while (what[at] != '\0' && what[at] == kinds[i].name[at])
            at++;
        if (what[at] != kinds[i].name[at])
            continue;
        kinds[i].run();
        print("%s: %u wrong\n", what, wrong);
        return wrong != 0;
    }
    print("what=%s?\n", what);
    return 2;
}
