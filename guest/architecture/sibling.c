/* SPDX-License-Identifier: MIT */
/* The second CPU: what INIT and a start-up IPI leave, real mode, interrupts from a sibling. SDM 3A
 * 9.4, 10.1.1, 11.6, 21. */
#include "guest/architecture/probes.h"

#define SIBLING_PAGE  0x8000u
#define OFFSET_PAGE   0x800u
#define OFFSET_CODE   0x100u
#define APIC_ID       0x802
#define APIC_ICR      0x830
#define ICR_ASSERT    0x4000u
#define ICR_INIT      0x4500u
#define ICR_STARTUP   0x4600u
#define ICR_NMI       0x4400u
#define ICR_LOGICAL   0x800u
#define PATIENCE      50000000u
#define VECTOR        0x60
#define RFLAGS_OF_JOB 0x2u

struct sibling_page {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp;
    uint16_t ds, es, ss, fs, gs, cs;
    uint32_t flags, cr0, cr2, cr3, cr4, dr6, dr7;
    uint8_t gdtr[8], idtr[8];
    uint32_t efer, apic_base, unused[8];
    uint32_t go;
    struct {
        uint32_t eax, ecx, edx, esi, flags;
    } job;
    struct {
        uint32_t eax, ecx, edx, esi;
        uint16_t vector, ip, cs, flags;
        uint32_t unused[2];
    } result;
    uint32_t starts;
};
_Static_assert(offsetof(struct sibling_page, go) == 128, "sibling.asm");
_Static_assert(offsetof(struct sibling_page, result) == 152, "sibling.asm");
_Static_assert(offsetof(struct sibling_page, starts) == 184, "sibling.asm");

extern const uint8_t sibling_start[], sibling_end[];
static volatile struct sibling_page *const page =
    (volatile struct sibling_page *)(uintptr_t)(SIBLING_PAGE + OFFSET_PAGE);
static uint64_t own, other;

/* clang-format off */
#define CODE(bytes) bytes, sizeof(bytes) - 1
static const struct {
    const char *name;
    const char *code;
    uint8_t length;
    uint32_t ecx, esi;
} codes[] = {
    {"nop", CODE("\x90"), 0, 0},
    {"int3", CODE("\xcc"), 0, 0},
    {"int1", CODE("\xf1"), 0, 0},
    {"into", CODE("\xb0\x7f\xfe\xc0\xce"), 0, 0},
    {"int-21", CODE("\xcd\x21"), 0, 0},
    {"int-2", CODE("\xcd\x02"), 0, 0},
    {"int-d", CODE("\xcd\x0d"), 0, 0},
    {"int-ff", CODE("\xcd\xff"), 0, 0},
    {"ud2", CODE("\x0f\x0b"), 0, 0},
    {"div-zero", CODE("\xf6\xf1"), 0, 0},
    {"bound", CODE("\xb8\xff\xff\x66\x62\x04"), 0, 0x7100},
    {"lock-nop", CODE("\xf0\x90"), 0, 0},
    {"cpuid", CODE("\x0f\xa2"), 0, 0},
    {"cpuid-32", CODE("\x66\x0f\xa2"), 0, 0},
    {"in", CODE("\xe4\x80"), 0, 0},
    {"in-32", CODE("\x66\xed"), 0, 0},
    {"out", CODE("\xe6\x80"), 0, 0},
    {"rdmsr", CODE("\x0f\x32"), 0xc0000080, 0},
    {"rdmsr-nowhere", CODE("\x0f\x32"), 0xdeadbeef, 0},
    {"wrmsr-nowhere", CODE("\x0f\x30"), 0xdeadbeef, 0},
    {"rdtsc", CODE("\x0f\x31"), 0, 0},
    {"mov-cr0", CODE("\x0f\x20\xc0"), 0, 0},
    {"mov-cr0-same", CODE("\x0f\x20\xc0\x0f\x22\xc0"), 0, 0},
    {"mov-cr4-same", CODE("\x0f\x20\xe0\x0f\x22\xe0"), 0, 0},
    {"mov-cr3", CODE("\x0f\x22\xd8"), 0, 0},
    {"mov-cr1", CODE("\x0f\x22\xc8"), 0, 0},
    {"mov-dr7", CODE("\x0f\x21\xf8"), 0, 0},
    {"smsw", CODE("\x0f\x01\xe0"), 0, 0},
    {"clts", CODE("\x0f\x06"), 0, 0},
    {"invd", CODE("\x0f\x08"), 0, 0},
    {"wbinvd", CODE("\x0f\x09"), 0, 0},
    {"sldt", CODE("\x0f\x00\xc0"), 0, 0},
    {"str", CODE("\x0f\x00\xc8"), 0, 0},
    {"lldt", CODE("\x0f\x00\xd0"), 0, 0},
    {"ltr", CODE("\x0f\x00\xd8"), 0, 0},
    {"verr", CODE("\x0f\x00\xe0"), 0, 0},
    {"lar", CODE("\x0f\x02\xc0"), 0, 0},
    {"arpl", CODE("\x63\xc0"), 0, 0},
    {"syscall", CODE("\x0f\x05"), 0, 0},
    {"sysenter", CODE("\x0f\x34"), 0, 0},
    {"sysexit", CODE("\x0f\x35"), 0, 0},
    {"rsm", CODE("\x0f\xaa"), 0, 0},
    {"vmrun", CODE("\x0f\x01\xd8"), 0, 0},
    {"vmlaunch", CODE("\x0f\x01\xc2"), 0, 0},
    {"vmread", CODE("\x0f\x78\xc0"), 0, 0},
    {"xsetbv", CODE("\x0f\x01\xd1"), 0, 0},
    {"xgetbv", CODE("\x0f\x01\xd0"), 0, 0},
    {"movups", CODE("\x0f\x10\x04"), 0, 0},
    {"fninit", CODE("\xdb\xe3"), 0, 0},
    {"invpcid", CODE("\x66\x0f\x38\x82\x04"), 0, 0},
    {"popf-all", CODE("\x68\xd7\x7e\x9d\x9c\x58"), 0, 0},
    {"pushfd", CODE("\x66\x9c\x66\x58"), 0, 0},
    {"limit-word", CODE("\x8b\x04"), 0, 0xffff},
    {"limit-dword", CODE("\x66\x8b\x04"), 0, 0xfffd},
    {"limit-last-byte", CODE("\x8a\x04"), 0, 0xffff},
    {"limit-32", CODE("\x67\x8b\x06"), 0, 0x10000},
    {"mov-ss-nop", CODE("\x8c\xd0\x8e\xd0\x90\x90"), 0, 0},
    {"long-15", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), 0, 0},
    {"long-16", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), 0, 0},
};
/* clang-format on */

static void command(uint64_t destination, uint32_t low)
{
    (void)msr_put(APIC_ICR, destination << 32 | low);
}

static bool reached(volatile uint32_t *word, uint32_t wanted)
{
    for (unsigned wait = 0; *word != wanted && wait < PATIENCE; wait++)
        __asm__ volatile("pause");
    return *word == wanted;
}

static bool start(uint32_t count)
{
    command(other, ICR_INIT);
    command(other, ICR_STARTUP | SIBLING_PAGE >> 12);
    return reached(&page->starts, count) && reached(&page->go, 0);
}

static void say_state(const char *turn)
{
    const struct {
        const char *name;
        uint32_t value;
    } values[] = {
        {"eax", page->eax},
        {"ebx", page->ebx},
        {"ecx", page->ecx},
        {"edx", page->edx},
        {"esi", page->esi},
        {"edi", page->edi},
        {"ebp", page->ebp},
        {"esp", page->esp},
        {"ds", page->ds},
        {"es", page->es},
        {"ss", page->ss},
        {"fs", page->fs},
        {"gs", page->gs},
        {"cs", page->cs},
        {"flags", page->flags},
        {"cr0", page->cr0},
        {"cr2", page->cr2},
        {"cr3", page->cr3},
        {"cr4", page->cr4},
        {"dr6", page->dr6},
        {"dr7", page->dr7},
        {"gdt-limit", (uint32_t)(page->gdtr[0] | page->gdtr[1] << 8)},
        {"gdt-base", (uint32_t)(page->gdtr[2] | page->gdtr[3] << 8)},
        {"idt-limit", (uint32_t)(page->idtr[0] | page->idtr[1] << 8)},
        {"idt-base", (uint32_t)(page->idtr[2] | page->idtr[3] << 8)},
        {"efer", page->efer},
        {"apic-base", page->apic_base},
    };
    for (size_t i = 0; i < COUNT(values); i++)
        say("%s.%s: %x", turn, values[i].name, values[i].value);
}

static void give(const char *code, size_t length)
{
    volatile uint8_t *target = (volatile uint8_t *)page + OFFSET_CODE;
    for (size_t i = 0; i < length; i++)
        target[i] = (uint8_t)code[i];
    target[length] = 0xcd; /* INT */
    target[length + 1] = VECTOR_DONE;
    page->go = 1;
}

static void set_job(uint32_t eax, uint32_t ecx, uint32_t edx, uint32_t esi, uint32_t flags)
{
    page->job.eax = eax;
    page->job.ecx = ecx;
    page->job.edx = edx;
    page->job.esi = esi;
    page->job.flags = flags;
}

static void say_result(const char *name, const char *what)
{
    if (!reached(&page->go, 0))
        say("%s%s: never ends", name, what);
    else
        say("%s%s: %u at=%d flags=%x", name, what, page->result.vector,
            (int)page->result.ip - (int)(OFFSET_PAGE + OFFSET_CODE), page->result.flags);
}

static void write_msr(uint32_t msr, uint32_t value)
{
    set_job(value, msr, 0, 0, RFLAGS_OF_JOB);
    give("\x0f\x30", 2);
    (void)reached(&page->go, 0);
}

static void probe_real_mode(void)
{
    for (unsigned step = 0; step < 2; step++)
        for (size_t i = 0; i < COUNT(codes); i++) {
            set_job(0, codes[i].ecx, 0x80, codes[i].esi,
                    RFLAGS_OF_JOB | (step != 0 ? (uint32_t)RFLAGS_TF : 0));
            give(codes[i].code, codes[i].length);
            say_result(step != 0 ? "real.step-" : "real.", codes[i].name);
        }
}

/* It loops or halts, and what is sent ends that. */
static void probe_signal(const char *name, const char *code, size_t length, uint32_t flags,
                         uint64_t destination, uint32_t what)
{
    set_job(0, 0, 0, 0, flags);
    give(code, length);
    for (volatile unsigned i = 0; i < 1000; i++)
        ;
    command(destination, what);
    if (!reached(&page->go, 0)) {
        say("signal.%s: nothing came", name);
        command(other, ICR_NMI);
        (void)reached(&page->go, 0);
    } else {
        say("signal.%s: %u", name, page->result.vector);
    }
    write_msr(0x80b, 0); /* EOI */
}

static void probe_signals(void)
{
    static const char loop[] = "\xeb\xfe", halt[] = "\xf4\xeb\xfd";
    uint64_t logical = (other >> 4) << 16 | UINT64_C(1) << (other & 15);
    write_msr(0x1b, 0xfee00c00); /* x2APIC mode: a guest is in it already */
    write_msr(0x80f, 0x1ff);
    probe_signal("nmi", loop, 2, 2, other, ICR_NMI);
    probe_signal("nmi-halt", halt, 3, 2, other, ICR_NMI);
    probe_signal("nmi-halt-if", halt, 3, 0x202, other, ICR_NMI);
    probe_signal("fixed", loop, 2, 0x202, other, ICR_ASSERT | VECTOR);
    probe_signal("fixed-halt", halt, 3, 0x202, other, ICR_ASSERT | VECTOR);
    probe_signal("fixed-logical", loop, 2, 0x202, logical, ICR_ASSERT | ICR_LOGICAL | VECTOR);
    probe_signal("fixed-others", loop, 2, 0x202, 0, 0xc0000 | ICR_ASSERT | VECTOR);
    probe_signal("nmi-others", loop, 2, 2, 0, 0xc0000 | ICR_NMI);
}

void probe_sibling(void)
{
    (void)msr_get(APIC_ID, &own);
    other = own + 1;
    memset((void *)(uintptr_t)SIBLING_PAGE, 0, 4096);
    memcpy((void *)(uintptr_t)SIBLING_PAGE, sibling_start, (size_t)(sibling_end - sibling_start));
    if (!start(1)) {
        say("sibling.start: never came");
        return;
    }
    say_state("init");
    probe_real_mode();
    probe_signals();
    /* From the middle of something, and once more out of waiting for it. */
    set_job(0, 0, 0, 0, RFLAGS_OF_JOB);
    give("\xeb\xfe", 2);
    page->go = 0;
    say("sibling.again: %u", start(2));
    say_state("again");
    command(other, ICR_INIT);
    command(other, ICR_INIT);
    say("sibling.third: %u", start(3));
    command(other, ICR_INIT);
}
