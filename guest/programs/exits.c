/* SPDX-License-Identifier: MIT */
/*
 * Measures what each kind of VM exit costs, in ticks of the TSC. Under Bulkhead or under KVM.
 *
 *   [count=N] [batches=N] [settle=MICROSECONDS] [kicks=N]
 *
 * Each line of the result gives the ticks of one batch of `count` repetitions, the median of many
 * batches, with the cost of the loop around them taken off. `kind=loop` is a stretch of code of
 * known length and calibrates the rest: where an emulator lets the TSC follow instructions, the
 * other cores' share can be told from it. Whoever counts instructions from outside finds each kind
 * in a function of its name, and with `kicks` so many NMIs to a second vCPU that halts.
 */
#include "guest/runtime/counter.h"
#include "guest/runtime/runtime.h"

#include "hypervisor/abi/calls.h"

#define BATCHES      31 /* at most */
#define VECTOR_TIMER 0x41
#define VECTOR_PROBE 0x51
#define PORT_DELAY   0x80 /* nobody's: writing there is how old software waits */
#define CR4_OSXSAVE  (UINT64_C(1) << 18)
#define CPUID_XSAVE  (1u << 26)

static uintptr_t ecam;
static volatile unsigned interrupts;
static unsigned batches;

static uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static struct cpuid_leaf {
    uint32_t eax, ebx, ecx, edx;
} cpuid(uint32_t leaf)
{
    struct cpuid_leaf result;
    __asm__ volatile("cpuid"
                     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                     : "a"(leaf), "c"(0));
    return result;
}

/* Each probe repeats `what` so often, with the same two instructions of loop around it. */
#define REPEAT(before, what, clobbers...)                                                          \
    __asm__ volatile("1:\n\t" before what "\n\tdecq %0\n\tjnz 1b"                                  \
                     : "+r"(count)                                                                 \
                     : "S"(ecam), "i"(ABI_CPUID_FEATURES), "i"(PORT_DELAY)                         \
                     : "rax", "rbx", "rcx", "rdx", "memory", ##clobbers)

#define PROBE(name, before, what)                                                                  \
    static void name##_empty(uint64_t count)                                                       \
    {                                                                                              \
        REPEAT(before, "");                                                                        \
    }                                                                                              \
    static void name(uint64_t count)                                                               \
    {                                                                                              \
        REPEAT(before, what);                                                                      \
    }

PROBE(loop, "", ".rept 50\n\tnop\n\t.endr")
PROBE(cpuid_1, "movl $1, %%eax\n\txorl %%ecx, %%ecx\n\t", "cpuid")
PROBE(cpuid_abi, "movl %2, %%eax\n\txorl %%ecx, %%ecx\n\t", "cpuid")
PROBE(call_unknown, "movl $0x7fff, %%eax\n\t", "vmcall")
PROBE(call_unknown_svm, "movl $0x7fff, %%eax\n\t", "vmmcall")
/* MISC_ENABLE, EFER, BIOS_SIGN_ID, the ICR: to oneself, vector VECTOR_PROBE */
PROBE(rdmsr, "movl $0x1a0, %%ecx\n\t", "rdmsr")
PROBE(rdmsr_efer, "movl $0xc0000080, %%ecx\n\t", "rdmsr")
PROBE(wrmsr, "movl $0x8b, %%ecx\n\txorl %%eax, %%eax\n\txorl %%edx, %%edx\n\t", "wrmsr")
PROBE(icr_self, "movl $0x830, %%ecx\n\tmovl $0x40051, %%eax\n\txorl %%edx, %%edx\n\t", "wrmsr")
PROBE(out, "xorl %%eax, %%eax\n\t", "outb %%al, %3")
PROBE(in, "xorl %%eax, %%eax\n\t", "inb %3, %%al")
PROBE(ecam_read, "", "movl (%1), %%eax")
PROBE(xsetbv, "xorl %%ecx, %%ecx\n\tmovl $3, %%eax\n\txorl %%edx, %%edx\n\t", "xsetbv")
PROBE(invd, "", "invd")

static void probe_interrupt(void)
{
    interrupts = interrupts + 1;
}

/* R12 to R15 through exits that save them and exits that do not, and one that changes R13. */
static bool registers_survive(void)
{
    static uint64_t seen[4];
    static uint32_t memory = 0x2468ace0;
    uintptr_t from = ecam != 0 ? ecam : (uintptr_t)&memory;
    __asm__ volatile("movq $0x1212, %%r12\n\tmovq $0x1313, %%r13\n\t"
                     "movq $0x1414, %%r14\n\tmovq $0x1515, %%r15\n\t"
                     "movl $1, %%eax\n\tcpuid\n\tmovl (%%rsi), %%r13d\n\t"
                     "movl $1, %%eax\n\tcpuid\n\t"
                     "movq %%r12, (%%rdi)\n\tmovq %%r13, 8(%%rdi)\n\t"
                     "movq %%r14, 16(%%rdi)\n\tmovq %%r15, 24(%%rdi)"
                     :
                     : "S"(from), "D"(seen)
                     : "rax", "rbx", "rcx", "rdx", "r12", "r13", "r14", "r15", "memory");
    return seen[0] == 0x1212 && seen[1] == read32(from) && seen[2] == 0x1414 && seen[3] == 0x1515;
}

static uint64_t batch(void (*probe)(uint64_t), uint64_t count)
{
    uint64_t start = ticks();
    probe(count);
    return ticks() - start;
}

/* Now and then another core does something in the middle of a batch: the median has none of it. */
static uint64_t median(void (*probe)(uint64_t), uint64_t count)
{
    uint64_t sorted[BATCHES];
    (void)batch(probe, 1);
    for (unsigned done = 0; done < batches; done++) {
        uint64_t value = batch(probe, count);
        unsigned at = done;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[batches / 2];
}

static struct result {
    const char *kind;
    uint64_t ticks, empty;
} results[24];
static unsigned result_count;

static void measure(const char *kind, void (*probe)(uint64_t), void (*empty)(uint64_t),
                    uint64_t count)
{
    results[result_count++] = (struct result){kind, median(probe, count), median(empty, count)};
}

#define MEASURE(kind, probe) measure(kind, probe, probe##_empty, count)

/* What runs on the second vCPU, in real mode: it counts its start and each NMI, and halts. */
#define TRAMPOLINE   0x8000u
#define HANDLER      0x8008u
#define COUNTER      0x8100u
#define NMI_GATE     (2 * 4)
#define ICR_INIT     0x4500u
#define ICR_START_UP 0x4600u
#define ICR_NMI      0x4400u
#define KICK_LIMIT   100000 /* microseconds */
static const uint8_t trampoline[] = {
    0x2e, 0xff, 0x06, 0x00, 0x01, /* inc word [cs:0x100] */
    0xf4,                         /* hlt */
    0xeb, 0xfd,                   /* jmp to the hlt */
    0x2e, 0xff, 0x06, 0x00, 0x81, /* the handler, in segment 0: inc word [cs:0x8100] */
    0xcf,                         /* iret */
};

static void command(uint32_t apic_id, uint32_t low)
{
    __asm__ volatile("wrmsr" : : "c"(0x830), "a"(low), "d"(apic_id) : "memory");
}

static bool kick(uint64_t count)
{
    uint32_t other = own_apic_id() + 1;
    for (size_t i = 0; i < sizeof trampoline; i++)
        ((volatile uint8_t *)TRAMPOLINE)[i] = trampoline[i];
    write32(COUNTER, 0);
    write32(NMI_GATE, HANDLER); /* 0000:8008 */
    command(other, ICR_INIT);
    command(other, ICR_START_UP | TRAMPOLINE >> 12);
    for (uint64_t done = 0; done < count; done++) {
        if (!count_reaches(COUNTER, (unsigned)(1 + done), KICK_LIMIT))
            return false;
        command(other, ICR_NMI);
    }
    return count_reaches(COUNTER, (unsigned)(1 + count), KICK_LIMIT);
}

/* VMCALL or VMMCALL: the wrong one is #UD, or is rewritten by KVM. */
static bool calls_by_vmcall(void)
{
    if (cpuid(ABI_CPUID_SIGNATURE).ebx == 0x4b4d564b) /* "KVMK" */
        return cpuid(0).ebx == 0x756e6547;            /* "Genu" */
    return cpuid(ABI_CPUID_FEATURES).ecx == ABI_CALL_VMCALL;
}

static void tick(void)
{
}

int guest_main(void)
{
    uint64_t count = argument_number("count", 64);
    batches = (unsigned)argument_number("batches", BATCHES);
    if (batches == 0 || batches > BATCHES) {
        print("batches=%u: 1 to %u\n", batches, BATCHES);
        return 2;
    }
    /* The control core is to sleep meanwhile: it has the boot log to write out and an audit to
     * make, and nothing is added to that before the end. */
    interrupt_handle(VECTOR_TIMER, tick);
    timer_once(VECTOR_TIMER, argument_number("settle", 1000000));
    interrupt_wait();
    ecam = pci_ecam();
    interrupt_handle(VECTOR_PROBE, probe_interrupt);

    if (!registers_survive()) {
        print("R12 to R15 did not come through an exit\n");
        return 4;
    }
    MEASURE("loop", loop);
    MEASURE("cpuid-1", cpuid_1);
    MEASURE("cpuid-abi", cpuid_abi);
    if (calls_by_vmcall())
        MEASURE("call-unknown", call_unknown);
    else
        MEASURE("call-unknown", call_unknown_svm);
    MEASURE("rdmsr", rdmsr);
    MEASURE("rdmsr-efer", rdmsr_efer);
    MEASURE("wrmsr", wrmsr);
    MEASURE("out", out);
    MEASURE("in", in);
    if (ecam != 0)
        MEASURE("ecam-read", ecam_read);
    if ((cpuid(1).ecx & CPUID_XSAVE) != 0) {
        uint64_t cr4;
        __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
        MEASURE("xsetbv", xsetbv);
    }
    MEASURE("invd", invd);
    MEASURE("icr-self", icr_self); /* interrupts are off: it stays pending */
    interrupts_on();
    MEASURE("ipi-self", icr_self); /* sent, taken, ended */
    interrupts_off();
    uint64_t kicks = argument_number("kicks", 0);
    if (kicks > 0 && !kick(kicks)) {
        print("the second vCPU did not start, or did not take its NMIs\n");
        return 3;
    }
    for (unsigned i = 0; i < result_count; i++)
        print("exit kind=%s count=%llu ticks=%llu empty=%llu\n", results[i].kind,
              (unsigned long long)count, (unsigned long long)results[i].ticks,
              (unsigned long long)results[i].empty);
    if (interrupts < count * batches) {
        print("only %u interrupts to itself arrived\n", interrupts);
        return 1;
    }
    return 0;
}
