/* SPDX-License-Identifier: MIT */
/* Interrupts that a CPU sends itself, their priorities, shadows of STI and MOV SS, NMI blocking,
 * the APIC timer, the TSC. SDM 3A 6.7.1, 6.8.3, 11.5.4, 11.6, 11.8, 11.12; 3B 18.17. */
#include "guest/architecture/probes.h"

#define APIC_ID       0x802
#define APIC_TPR      0x808
#define APIC_PPR      0x80a
#define APIC_EOI      0x80b
#define APIC_SPURIOUS 0x80f
#define APIC_ISR      0x810
#define APIC_IRR      0x820
#define APIC_ESR      0x828
#define APIC_ICR      0x830
#define APIC_TIMER    0x832
#define APIC_INITIAL  0x838
#define APIC_CURRENT  0x839
#define APIC_DIVIDE   0x83e
#define APIC_SELF     0x83f
#define TSC_DEADLINE  0x6e0
#define MASKED        BIT(16)
#define PERIODIC      BIT(17)
#define DEADLINE      BIT(18)
#define ICR_NMI       0x400u
#define ICR_ASSERT    0x4000u
#define ICR_LOGICAL   0x800u
#define TO_SELF       0x40000u
#define TO_ALL        0x80000u

static uint64_t get(uint32_t msr)
{
    uint64_t value = 0;
    (void)msr_get(msr, &value);
    return value;
}

static unsigned pending(unsigned vector)
{
    return (unsigned)(get(APIC_IRR + vector / 32) >> vector % 32 & 1);
}

static unsigned in_service(unsigned vector)
{
    return (unsigned)(get(APIC_ISR + vector / 32) >> vector % 32 & 1);
}

struct opening {
    const char *name;
    const char *code;
    uint8_t length;
    uint64_t flags;
};

#define CODE(bytes) bytes, sizeof(bytes) - 1
/* clang-format off */
/* Interrupts become possible in each of these, with one pending. */
static const struct opening openings[] = {
    {"iret", CODE("\x90\xfa"), RFLAGS_IF},
    {"sti-nop", CODE("\xfb\x90\x90\xfa"), 0},
    {"sti-cli", CODE("\xfb\xfa\x90"), 0},
    {"sti-sti-nop", CODE("\xfb\xfb\x90\xfa"), 0},
    {"sti-hlt", CODE("\xfb\xf4\x90\xfa"), 0},
    {"sti-cpuid", CODE("\xfb\x0f\xa2\x90\xfa"), 0},
    {"sti-in", CODE("\xfb\xe4\x80\x90\xfa"), 0},
    {"sti-rdmsr", CODE("\xfb\x0f\x32\x90\xfa"), 0},
    {"sti-wrmsr", CODE("\xfb\x0f\x30\x90\xfa"), 0},
    {"sti-wbinvd", CODE("\xfb\x0f\x09\x90\xfa"), 0},
    {"sti-ud2", CODE("\xfb\x0f\x0b"), 0},
    {"sti-int3", CODE("\xfb\xcc"), 0},
    {"sti-mov-ss", CODE("\x8c\xd3\xfb\x8e\xd3\x90\x90\xfa"), 0},
    {"sti-mov-ss-cpuid", CODE("\x8c\xd3\xfb\x8e\xd3\x0f\xa2\x90\xfa"), 0},
    {"sti-mov-ss-in", CODE("\x8c\xd3\xfb\x8e\xd3\xe4\x80\x90\xfa"), 0},
    {"sti-mov-ss-sti", CODE("\x8c\xd3\xfb\x8e\xd3\xfb\x90\x90\xfa"), 0},
    {"popf", CODE("\x68\x02\x02\x00\x00\x9d\x90\xfa"), 0},
    {"sti-mmio", CODE("\xfb\x8b\x07\x90\xfa"), 0},
    {"sti-mov-cr8", CODE("\xfb\x44\x0f\x22\xc0\x90\xfa"), 0},
    {"cpuid-sti-cpuid", CODE("\x0f\xa2\xfb\x0f\xa2\xfa"), 0},
    {"iret-tf", CODE("\x90\x90"), RFLAGS_IF | RFLAGS_TF},
    {"sti-nop-tf", CODE("\xfb\x90\x90\xfa"), RFLAGS_TF},
};
/* clang-format on */

static void open_with(const struct opening *how, const char *name, struct cpu_state *state)
{
    engine_prepare(state, KERNEL_64, (const uint8_t *)how->code, how->length);
    state->rflags |= how->flags;
    state->rdi = PAGE_MMIO;
    state->rcx = how->code[1] == '\x0f' && how->code[2] == '\x30' ? APIC_ESR : 0xc0000080;
    engine_enter(state);
    say_taken(name, how->name, state, PAGE_CODE, how->length);
}

static void probe_openings(void)
{
    for (size_t i = 0; i < COUNT(openings); i++) {
        struct cpu_state state;
        (void)msr_put(APIC_SELF, 0x51);
        say("ipi.pending-%s: %u %u", openings[i].name, pending(0x51), in_service(0x51));
        open_with(&openings[i], "ipi.", &state);
        say("ipi.served-%s: %u %u", openings[i].name, pending(0x51), in_service(0x51));
        while (pending(0x51) != 0) {
            static const uint8_t open[] = {0xfb, 0x90, 0x90, 0xfa};
            engine_prepare(&state, KERNEL_64, open, sizeof open);
            engine_enter(&state);
        }
        (void)msr_put(APIC_EOI, 0);
    }
}

static void probe_commands(void)
{
    uint64_t own = get(APIC_ID), logical = get(0x80d);
    const struct {
        const char *name;
        uint64_t icr;
    } commands[] = {
        {"self", TO_SELF | 0x52},
        {"self-assert", TO_SELF | ICR_ASSERT | 0x52},
        {"physical", own << 32 | 0x52},
        {"logical", logical << 32 | ICR_LOGICAL | 0x52},
        {"all", TO_ALL | 0x52},
        {"broadcast", UINT64_C(0xffffffff) << 32 | 0x52},
        {"nobody", UINT64_C(0x7fff) << 32 | 0x52},
        {"logical-nobody", UINT64_C(0x7fff0001) << 32 | ICR_LOGICAL | 0x52},
        {"level", TO_SELF | 0x8000 | ICR_ASSERT | 0x52},
        {"vector-10", TO_SELF | 0x10},
        {"vector-1f", TO_SELF | 0x1f},
        {"vector-ff", TO_SELF | 0xfe},
        {"lowest-self", own << 32 | 0x100 | 0x52},
        {"lowest-logical", logical << 32 | ICR_LOGICAL | 0x100 | 0x52},
        {"reserved-mode-3", own << 32 | 0x300 | 0x52},
        {"init-deassert", own << 32 | 0x8500},
    };
    for (size_t i = 0; i < COUNT(commands); i++) {
        unsigned vector = (unsigned)(commands[i].icr & 0xff);
        unsigned fault = msr_put(APIC_ICR, commands[i].icr);
        say("icr.%s: %u pending=%u", commands[i].name, fault, pending(vector));
        struct cpu_state state;
        if (fault == 0 && pending(vector) != 0)
            open_with(&openings[1], commands[i].name, &state);
        else
            say("%ssti-nop: not sent", commands[i].name);
        (void)msr_put(APIC_EOI, 0);
    }
    static const uint8_t illegal[] = {0, 1, 8, 15};
    (void)msr_put(APIC_ESR, 0);
    /* QEMU takes them, and delivers them some time later. */
    for (size_t i = 0; i < COUNT(illegal) && !on_qemu; i++) {
        unsigned fault = msr_put(APIC_SELF, illegal[i]);
        unsigned again = msr_put(APIC_ESR, 0);
        say("self.illegal-%u: %u %u esr=%llx", illegal[i], fault, again,
            (unsigned long long)get(APIC_ESR));
        fault = msr_put(APIC_ICR, TO_SELF | illegal[i]);
        again = msr_put(APIC_ESR, 0);
        say("icr.illegal-%u: %u %u esr=%llx", illegal[i], fault, again,
            (unsigned long long)get(APIC_ESR));
    }
}

/* Higher goes first, a priority in TPR holds back what is not above it. */
static void probe_priorities(void)
{
    struct cpu_state state;
    for (uint64_t tpr = 0; tpr < 0x100; tpr += 0x10) {
        (void)msr_put(APIC_TPR, tpr);
        say("tpr.%llx: ppr=%llx", (unsigned long long)tpr, (unsigned long long)get(APIC_PPR));
        (void)msr_put(APIC_SELF, 0x83);
        char name[16] = "tpr.open-0-";
        name[9] = "0123456789abcdef"[tpr >> 4];
        open_with(&openings[1], name, &state);
        if (state.vector == 0x83)
            say("%sppr: %llx", name, (unsigned long long)get(APIC_PPR));
        (void)msr_put(APIC_TPR, 0);
        if (state.vector != 0x83)
            open_with(&openings[2], name, &state);
        while (pending(0x83) != 0) {
            open_with(&openings[0], name, &state);
        }
        (void)msr_put(APIC_EOI, 0);
    }
    (void)msr_put(APIC_SELF, 0x61);
    (void)msr_put(APIC_SELF, 0x91);
    (void)msr_put(APIC_SELF, 0x71);
    for (unsigned i = 0; i < 3; i++) {
        open_with(&openings[0], i == 0 ? "order-1." : i == 1 ? "order-2." : "order-3.", &state);
        say("order.ppr-%u: %llx", i, (unsigned long long)get(APIC_PPR));
        (void)msr_put(APIC_EOI, 0);
    }
    /* The lower one waits for the end of the higher. */
    (void)msr_put(APIC_SELF, 0x91);
    open_with(&openings[0], "nest-1.", &state);
    (void)msr_put(APIC_SELF, 0x61);
    open_with(&openings[1], "nest-2.", &state);
    (void)msr_put(APIC_EOI, 0);
    open_with(&openings[1], "nest-3.", &state);
    (void)msr_put(APIC_EOI, 0);
    /* Switched off by software: nothing is delivered, and what was sent is kept. */
    uint64_t spurious = get(APIC_SPURIOUS);
    (void)msr_put(APIC_SPURIOUS, 0xff);
    say("apic.off-lvt: %llx", (unsigned long long)get(APIC_TIMER));
    (void)msr_put(APIC_TIMER, 0x50);
    say("apic.off-lvt-unmask: %llx", (unsigned long long)get(APIC_TIMER));
    (void)msr_put(APIC_SPURIOUS, spurious);
    (void)msr_put(APIC_TIMER, MASKED | 0x50);
}

/* --- non-maskable interrupts --- */

static volatile unsigned nmi_count, nmi_depth, nmi_deepest, nmi_sends;
static volatile uint64_t nmi_command;

/* No function: Clang lets a handler call none. */
#define SEND(command)                                                                              \
    __asm__ volatile("wrmsr"                                                                       \
                     :                                                                             \
                     : "c"(APIC_ICR), "a"((uint32_t)(command)), "d"((uint32_t)((command) >> 32))   \
                     : "memory")

struct frame;
/* Sends the next one itself: it has to wait for this handler's IRET. */
__attribute__((interrupt)) static void on_nmi(volatile struct frame *frame)
{
    (void)frame;
    nmi_count = nmi_count + 1;
    nmi_depth = nmi_depth + 1;
    if (nmi_depth > nmi_deepest)
        nmi_deepest = nmi_depth;
    if (nmi_sends != 0) {
        nmi_sends = nmi_sends - 1;
        SEND(nmi_command);
        for (volatile unsigned i = 0; i < 1000; i++)
            ;
    }
    nmi_depth = nmi_depth - 1;
}

static void probe_nested_nmis(uint64_t command)
{
    engine_handler(VECTOR_NMI, (uint64_t)(uintptr_t)on_nmi);
    for (unsigned more = 0; more < 4; more++) {
        (void)get(APIC_ID); /* its IRET ends the blocking that a former probe left */
        nmi_count = nmi_deepest = 0;
        nmi_sends = more;
        nmi_command = command;
        SEND(command);
        for (unsigned wait = 0; nmi_count <= more && wait < 1000000; wait++)
            __asm__ volatile("pause");
        say("nmi.nested-%u: count=%u deepest=%u", more, nmi_count, nmi_deepest);
    }
    (void)get(APIC_ID);
    engine_gate(VECTOR_NMI, 0, true);
}

static void probe_nmis(void)
{
    uint64_t command = get(APIC_ID) << 32 | ICR_NMI;
    /* clang-format off */
    static const struct opening places[] = {
        {"wrmsr", CODE("\x0f\x30\x90\x90"), 0},
        {"wrmsr-if", CODE("\x0f\x30\x90\x90"), RFLAGS_IF},
        {"sti-wrmsr", CODE("\xfb\x0f\x30\x90\x90\xfa"), 0},
        {"mov-ss-wrmsr", CODE("\x8c\xd3\x8e\xd3\x0f\x30\x90\x90"), 0},
        {"wrmsr-hlt", CODE("\x0f\x30\xf4\x90"), 0},
        {"wrmsr-cpuid", CODE("\x0f\x30\x0f\xa2\x90"), 0},
        {"wrmsr-ud2", CODE("\x0f\x30\x0f\x0b\x90"), 0},
        {"wrmsr-tf", CODE("\x0f\x30\x90\x90"), RFLAGS_TF},
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(places); i++) {
        struct cpu_state state;
        engine_prepare(&state, KERNEL_64, (const uint8_t *)places[i].code, places[i].length);
        state.rflags |= places[i].flags;
        state.rcx = APIC_ICR;
        state.rax = (uint32_t)command;
        state.rdx = command >> 32;
        engine_enter(&state);
        say_taken("nmi.", places[i].name, &state, PAGE_CODE, places[i].length);
    }
    probe_nested_nmis(command);
}

/* --- the timer --- */

static void probe_timer(void)
{
    static const struct {
        const char *name;
        uint64_t entry;
        unsigned times;
    } modes[] = {{"once", 0x54, 1}, {"periodic", PERIODIC | 0x55, 3}};
    static const uint8_t sleep[] = {0xfb, 0xf4, 0x90}; /* STI, HLT */
    struct cpu_state state;
    (void)msr_put(APIC_DIVIDE, 0xb);
    for (size_t i = 0; i < COUNT(modes); i++) {
        unsigned vector = modes[i].entry & 0xff;
        (void)msr_put(APIC_TIMER, modes[i].entry);
        (void)msr_put(APIC_INITIAL, 20000);
        for (unsigned turn = 0; turn < modes[i].times; turn++) {
            engine_prepare(&state, KERNEL_64, sleep, sizeof sleep);
            engine_enter(&state);
            say("timer.%s-%u: %x at=%u", modes[i].name, turn, (unsigned)state.vector,
                (unsigned)(state.rip - PAGE_CODE));
            (void)msr_put(APIC_EOI, 0);
        }
        (void)msr_put(APIC_INITIAL, 0);
        (void)msr_put(APIC_TIMER, MASKED | vector);
        while (pending(vector) != 0) { /* a period that ended meanwhile */
            static const uint8_t open[] = {0xfb, 0x90, 0x90, 0xfa};
            engine_prepare(&state, KERNEL_64, open, sizeof open);
            engine_enter(&state);
            (void)msr_put(APIC_EOI, 0);
        }
        say("timer.%s-stopped: %llx", modes[i].name, (unsigned long long)get(APIC_CURRENT));
    }
    (void)msr_put(APIC_TIMER, MASKED | 0x56);
    (void)msr_put(APIC_INITIAL, 1000);
    for (unsigned wait = 0; get(APIC_CURRENT) != 0 && wait < 1000000; wait++)
        ;
    say("timer.masked: current=%llx pending=%u", (unsigned long long)get(APIC_CURRENT),
        pending(0x56));
    static const uint8_t divisors[] = {0, 1, 2, 3, 8, 9, 0xa, 0xb};
    for (size_t i = 0; i < COUNT(divisors); i++) {
        (void)msr_put(APIC_DIVIDE, divisors[i]);
        say("timer.divide-%u: %llx", divisors[i], (unsigned long long)get(APIC_DIVIDE));
    }
    uint32_t one[4];
    cpuid_read(1, 0, one);
    if ((one[2] & BIT(24)) == 0)
        return;
    (void)msr_put(APIC_TIMER, DEADLINE | 0x57);
    (void)msr_put(APIC_INITIAL, 5);
    say("deadline.initial-ignored: %llx", (unsigned long long)get(APIC_INITIAL));
    (void)msr_put(TSC_DEADLINE, 1);
    say("deadline.past: %u deadline=%llx", pending(0x57), (unsigned long long)get(TSC_DEADLINE));
    open_with(&openings[1], "deadline.past-", &state);
    (void)msr_put(APIC_EOI, 0);
    (void)msr_put(TSC_DEADLINE, time_stamp() + 20000);
    open_with(&openings[4], "deadline.future-", &state);
    say("deadline.after: %s", get(TSC_DEADLINE) != 0 ? "still there" : "gone");
    (void)msr_put(APIC_EOI, 0);
    (void)msr_put(TSC_DEADLINE, time_stamp() + (UINT64_C(1) << 40));
    say("deadline.far: %s", get(TSC_DEADLINE) != 0 ? "armed" : "not armed");
    (void)msr_put(TSC_DEADLINE, 0);
    say("deadline.zero: %llx", (unsigned long long)get(TSC_DEADLINE));
    (void)msr_put(APIC_TIMER, MASKED | 0x57);
}

static void probe_time_stamp(void)
{
    bool monotone = true, moves = false, across = true;
    uint64_t last = time_stamp();
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t now = time_stamp();
        monotone = monotone && now >= last;
        moves = moves || now > last;
        last = now;
    }
    for (unsigned i = 0; i < 100; i++) {
        uint32_t registers[4];
        uint64_t before = time_stamp();
        cpuid_read(0, 0, registers);
        across = across && time_stamp() > before;
    }
    say("tsc.monotone: %u", monotone);
    say("tsc.moves: %u", moves);
    say("tsc.across-cpuid: %u", across);
    say("tsc.msr: %u", get(0x10) >= last);
}

void probe_interrupts(void)
{
    probe_openings();
    probe_commands();
    probe_priorities();
    probe_nmis();
    probe_timer();
    probe_time_stamp();
}
