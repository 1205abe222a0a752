/*
 * Measures what each kind of VM exit costs, in ticks of the TSC.
 *
 *   [count=N] [settle=MICROSECONDS]
 *
 * Each line of the result gives the ticks of one batch of `count` repetitions, the median of many
 * batches, with the cost of the loop around them taken off. `kind=loop` is a stretch of code of
 * known length and calibrates the rest: where an emulator lets the TSC follow instructions, the
 * other cores' share can be told from it.
 */
#include "guest/runtime/runtime.h"

#include "hypervisor/vcpu/abi.h"

#define BATCHES      31
#define VECTOR_TIMER 0x41
#define VECTOR_PROBE 0x51
#define PORT_DELAY   0x80 /* nobody's: writing there is how old software waits */
#define CR4_OSXSAVE  (UINT64_C(1) << 18)
#define CPUID_XSAVE  (1u << 26)

static uintptr_t ecam;
static volatile unsigned interrupts;

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
                     : "r"(ecam), "i"(ABI_CPUID_FEATURES), "i"(PORT_DELAY)                         \
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
PROBE(cpuid_features, "movl $1, %%eax\n\txorl %%ecx, %%ecx\n\t", "cpuid")
PROBE(cpuid_abi, "movl %2, %%eax\n\txorl %%ecx, %%ecx\n\t", "cpuid")
PROBE(vmcall, "movl $0x7fff, %%eax\n\t", "vmcall")
PROBE(vmmcall, "movl $0x7fff, %%eax\n\t", "vmmcall")
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
    for (unsigned done = 0; done < BATCHES; done++) {
        uint64_t value = batch(probe, count);
        unsigned at = done;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[BATCHES / 2];
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

static void tick(void)
{
}

int guest_main(void)
{
    uint64_t count = argument_number("count", 64);
    /* The control core is to sleep meanwhile: it has the boot log to write out and an audit to
     * make, and nothing is added to that before the end. */
    interrupt_handle(VECTOR_TIMER, tick);
    timer_once(VECTOR_TIMER, argument_number("settle", 1000000));
    interrupt_wait();
    bool vmx = cpuid(ABI_CPUID_FEATURES).ecx == ABI_CALL_VMCALL;
    ecam = pci_ecam();
    interrupt_handle(VECTOR_PROBE, probe_interrupt);

    MEASURE("loop", loop);
    MEASURE("cpuid-1", cpuid_features);
    MEASURE("cpuid-abi", cpuid_abi);
    if (vmx)
        MEASURE("call-unknown", vmcall);
    else
        MEASURE("call-unknown", vmmcall);
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
    for (unsigned i = 0; i < result_count; i++)
        print("exit kind=%s count=%llu ticks=%llu empty=%llu\n", results[i].kind,
              (unsigned long long)count, (unsigned long long)results[i].ticks,
              (unsigned long long)results[i].empty);
    if (interrupts < count * BATCHES) {
        print("only %u interrupts to itself arrived\n", interrupts);
        return 1;
    }
    return 0;
}
