/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers: the x2APIC's with every bit by itself (SDM 3A 11.12), the other
 * architectural ones as maps of 64 bits, and whole ranges as maps of what can be read.
 */
#include "guest/architecture/probes.h"

#define APIC_FIRST 0x800
#define APIC_LAST  0x8ff
#define APIC_EOI   0x80b
#define APIC_ESR   0x828
#define APIC_ICR   0x830
#define APIC_TIMER 0x832
#define APIC_COUNT 0x838
#define APIC_SELF  0x83f
#define MASKED     BIT(16)
/* Of a register that cannot be written a few bits are enough. */
#define READ_ONLY_BITS ~(BIT(0) | BIT(31) | BIT(63))

/* --- the local APIC --- */

struct apic_register {
    uint16_t number;
    bool readable;
    uint64_t base; /* what a bit is added to */
    uint64_t skip; /* bits that would do something beyond the register */
};

/* clang-format off */
static const struct apic_register apic_registers[] = {
    {0x802, true, 0, READ_ONLY_BITS},
    {0x803, true, 0, READ_ONLY_BITS},
    {0x808, true, 0, 0},
    {0x80a, true, 0, READ_ONLY_BITS},
    {0x80b, false, 0, 0},
    {0x80d, true, 0, READ_ONLY_BITS},
    {0x80f, true, 0x1ff, 0},
    {0x810, true, 0, READ_ONLY_BITS},
    {0x818, true, 0, READ_ONLY_BITS},
    {0x820, true, 0, READ_ONLY_BITS},
    {0x828, true, 0, 0},
    {0x82f, true, MASKED, 0},
    /* A vector of its own; to oneself. Not the modes (interrupts.c) nor other destinations. */
    {0x830, false, 0x40041, BIT(3) | BIT(8) | BIT(9) | BIT(10) | BIT(18) | BIT(19)},
    {0x832, true, MASKED, 0},
    {0x833, true, MASKED, 0},
    {0x834, true, MASKED, 0},
    {0x835, true, MASKED, 0},
    {0x836, true, MASKED, 0},
    {0x837, true, MASKED, 0},
    {0x838, false, 0, 0},
    {0x839, false, 0, 0},
    {0x83e, true, 0, 0},
    {0x83f, false, 0x40, BIT(6)},
};
/* clang-format on */

/* Whatever the probes sent to this core: taken, and ended, one by one. */
static void drain(void)
{
    static const uint8_t open[] = {0xfb, 0x90, 0x90, 0xfa}; /* STI, CLI */
    struct cpu_state state;
    for (unsigned i = 0; i < 300; i++) {
        engine_prepare(&state, KERNEL_64, open, sizeof open);
        engine_enter(&state);
        if (state.vector == VECTOR_DONE && state.rip == PAGE_CODE + sizeof open + 2)
            return;
        (void)msr_put(APIC_EOI, 0);
    }
}

static void say_write(uint32_t msr, const char *what, unsigned bit, bool readable, uint64_t value)
{
    uint64_t now = 0;
    unsigned fault = msr_put(msr, value);
    if (fault != 0)
        say("x2apic.%x.%s%u: %u", msr, what, bit, fault);
    else if (readable && msr_get(msr, &now) == 0)
        say("x2apic.%x.%s%u: %llx", msr, what, bit, (unsigned long long)now);
    else
        say("x2apic.%x.%s%u: done", msr, what, bit);
}

static void probe_apic_register(const struct apic_register *which)
{
    uint64_t before = 0;
    bool there = which->readable && msr_get(which->number, &before) == 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((which->skip & BIT(bit)) != 0)
            continue;
        say_write(which->number, "bit", bit, which->readable, which->base ^ BIT(bit));
        if (which->base != 0 && which->readable)
            (void)msr_put(which->number, which->base);
        if (which->number == APIC_COUNT)
            (void)msr_put(APIC_COUNT, 0);
        if (which->number == APIC_ICR || which->number == APIC_SELF)
            drain();
    }
    if (there)
        (void)msr_put(which->number, before);
}

void probe_apic_registers(void)
{
    (void)msr_put(APIC_TIMER, MASKED | 0x50);
    for (uint32_t msr = APIC_FIRST; msr <= APIC_LAST; msr++) {
        uint64_t value = 0;
        unsigned fault = msr_get(msr, &value);
        if (fault != 0)
            say("x2apic.%x.read: %u", msr, fault);
        else
            say("x2apic.%x.read: %llx", msr, (unsigned long long)value);
        bool known = false;
        for (size_t i = 0; i < COUNT(apic_registers); i++)
            known = known || apic_registers[i].number == msr;
        if (!known)
            say("x2apic.%x.write: %u", msr, msr_put(msr, 0));
    }
    for (size_t i = 0; i < COUNT(apic_registers); i++)
        probe_apic_register(&apic_registers[i]);
    drain();
    (void)msr_put(APIC_ESR, 0);
}

/* --- the others --- */

struct msr {
    const char *name;
    uint32_t number;
    uint64_t skip; /* bits that are not tried */
    bool moves;    /* its value is not the same twice */
};

/* clang-format off */
static const struct msr msrs[] = {
    {"tsc", 0x10, ~UINT64_C(0), true},
    {"apic-base", 0x1b, BIT(8) | BIT(10) | BIT(11) | UINT64_C(0xfffffff000), false},
    {"feature-control", 0x3a, 0, false},
    {"tsc-adjust", 0x3b, ~UINT64_C(0), false},
    {"spec-ctrl", 0x48, 0, false},
    {"pred-cmd", 0x49, 0, false},
    {"bios-sign-id", 0x8b, 0, false},
    {"platform-info", 0xce, 0, false},
    {"mperf", 0xe7, ~UINT64_C(0), true},
    {"mtrr-cap", 0xfe, 0, false},
    {"arch-capabilities", 0x10a, 0, false},
    {"flush-cmd", 0x10b, 0, false},
    {"tsx-ctrl", 0x122, 0, false},
    {"sysenter-cs", 0x174, 0, false},
    {"sysenter-esp", 0x175, 0, false},
    {"sysenter-eip", 0x176, 0, false},
    {"mcg-cap", 0x179, 0, false},
    {"mcg-status", 0x17a, 0, false},
    {"mcg-ctl", 0x17b, 0, false},
    {"perf-evtsel0", 0x186, 0, false},
    {"perf-status", 0x198, 0, false},
    {"misc-enable", 0x1a0, BIT(0) | BIT(22) | BIT(34), false},
    {"debugctl", 0x1d9, BIT(0) | BIT(1), false},
    {"mtrr-base0", 0x200, 0, false},
    {"mtrr-mask0", 0x201, 0, false},
    {"mtrr-fix64k", 0x250, ~UINT64_C(0), false},
    {"pat", 0x277, 0, false},
    {"mtrr-def-type", 0x2ff, ~UINT64_C(0), false},
    {"fixed-ctr-ctrl", 0x38d, 0, false},
    {"perf-global-ctrl", 0x38f, 0, false},
    {"mc0-ctl", 0x400, 0, false},
    {"mc0-status", 0x401, 0, false},
    {"vmx-basic", 0x480, 0, false},
    {"tsc-deadline", 0x6e0, ~UINT64_C(0), false},
    {"xss", 0xda0, 0, false},
    {"pkrs", 0x6e1, 0, false},
    {"u-cet", 0x6a0, 0, false},
    {"star", 0xc0000081, 0, false},
    {"lstar", 0xc0000082, 0, false},
    {"cstar", 0xc0000083, 0, false},
    {"sfmask", 0xc0000084, 0, false},
    {"fs-base", 0xc0000100, 0, false},
    {"gs-base", 0xc0000101, 0, false},
    {"kernel-gs-base", 0xc0000102, 0, false},
    {"tsc-aux", 0xc0000103, 0, false},
    {"syscfg", 0xc0010010, ~UINT64_C(0), false},
    {"hwcr", 0xc0010015, ~UINT64_C(0), false},
    {"vm-cr", 0xc0010114, ~UINT64_C(0), false},
    {"vm-hsave-pa", 0xc0010117, ~UINT64_C(0), false},
};
/* clang-format on */

/* For each bit by itself: did it fault, and did it stay. */
static void probe_msr_bits(const struct msr *which, uint64_t before)
{
    uint64_t faulted = 0, kept = 0, now = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((which->skip & BIT(bit)) != 0)
            continue;
        if (msr_put(which->number, before ^ BIT(bit)) != 0)
            faulted |= BIT(bit);
        else if (msr_get(which->number, &now) == 0 && ((now ^ before) & BIT(bit)) != 0)
            kept |= BIT(bit);
    }
    (void)msr_put(which->number, before);
    say("msr.%s.faults: %016llx", which->name, (unsigned long long)faulted);
    say("msr.%s.kept: %016llx", which->name, (unsigned long long)kept);
}

static void probe_values(const char *name, uint32_t msr)
{
    static const uint64_t values[] = {
        0,
        ~UINT64_C(0),
        UINT64_C(0x0000800000000000),
        UINT64_C(0xffff7fffffffffff),
        UINT64_C(0xffff800000000000),
        UINT64_C(0x00007fffffffffff),
        UINT64_C(0x0606060606060606),
        UINT64_C(0x0202020202020202),
    };
    uint64_t before = 0, now = 0;
    if (msr_get(msr, &before) != 0)
        return;
    for (size_t i = 0; i < COUNT(values); i++) {
        unsigned fault = msr_put(msr, values[i]);
        (void)msr_get(msr, &now);
        say("msr.%s.value%u: %u %llx", name, (unsigned)i, fault, (unsigned long long)now);
    }
    (void)msr_put(msr, before);
}

/* Which registers of a range can be read: a map of 64 in a line. */
static void probe_range(uint32_t first, uint32_t count)
{
    for (uint32_t at = first; at < first + count; at += 64) {
        uint64_t there = 0, value;
        for (unsigned i = 0; i < 64; i++)
            if (msr_get(at + i, &value) == 0)
                there |= BIT(i);
        say("msr.range.%x: %016llx", at, (unsigned long long)there);
    }
}

void probe_msrs(void)
{
    for (size_t i = 0; i < COUNT(msrs); i++) {
        uint64_t value = 0;
        unsigned fault = msr_get(msrs[i].number, &value);
        if (fault != 0)
            say("msr.%s.read: %u", msrs[i].name, fault);
        else if (msrs[i].moves)
            say("msr.%s.read: there", msrs[i].name);
        else
            say("msr.%s.read: %llx", msrs[i].name, (unsigned long long)value);
        if (msrs[i].skip != ~UINT64_C(0))
            probe_msr_bits(&msrs[i], value);
    }
    probe_values("pat", 0x277);
    probe_values("lstar", 0xc0000082);
    probe_values("cstar", 0xc0000083);
    probe_values("sysenter-esp", 0x175);
    probe_values("sysenter-eip", 0x176);
    probe_values("fs-base", 0xc0000100);
    probe_values("gs-base", 0xc0000101);
    probe_values("kernel-gs-base", 0xc0000102);
    probe_range(0, 0x800);
    probe_range(0x900, 0x500);
    probe_range(0x40000000, 0x100);
    probe_range(0xc0000000, 0x200);
    probe_range(0xc0010000, 0x200);
    probe_range(0xc0011000, 0x80);
}
