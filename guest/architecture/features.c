/* SPDX-License-Identifier: MIT */
/* CPUID against itself, CR4, XCR0 and the registers that go with its bits. */
#include "guest/architecture/probes.h"

#define HYPERVISOR 0x40000000u

static void probe_leaves(void)
{
    static const struct {
        uint32_t leaf, subleaves;
    } leaves[] = {
        {0, 1},          {1, 1},          {2, 1},          {3, 1},          {4, 4},
        {5, 1},          {6, 1},          {7, 3},          {9, 1},          {10, 1},
        {11, 3},         {13, 10},        {15, 2},         {16, 2},         {18, 2},
        {20, 2},         {21, 1},         {22, 1},         {0x19, 1},       {0x1a, 1},
        {0x1c, 1},       {0x1f, 2},       {0x20, 1},       {HYPERVISOR, 1}, {HYPERVISOR + 16, 1},
        {0x80000000, 1}, {0x80000001, 1}, {0x80000002, 1}, {0x80000003, 1}, {0x80000004, 1},
        {0x80000005, 1}, {0x80000006, 1}, {0x80000007, 1}, {0x80000008, 1}, {0x8000000a, 1},
        {0x80000019, 1}, {0x8000001a, 1}, {0x8000001d, 3}, {0x8000001e, 1}, {0x8000001f, 1},
        {0x80000021, 1}, {0x80860000, 1}, {0xc0000000, 1}, {0xffffffff, 1},
    };
    static const char names[] = "abcd";
    for (size_t i = 0; i < COUNT(leaves); i++)
        for (uint32_t subleaf = 0; subleaf < leaves[i].subleaves; subleaf++) {
            uint32_t registers[4];
            cpuid_read(leaves[i].leaf, subleaf, registers);
            for (unsigned j = 0; j < 4; j++)
                say("cpuid.%x.%u.%c: %08x", leaves[i].leaf, subleaf, names[j], registers[j]);
        }
}

/* A bit of CPUID and what has to be there exactly when it is set. */
static void probe_consistency(void)
{
    static const struct {
        const char *name;
        uint32_t leaf;
        uint8_t output, bit, cr4;
        uint32_t msr;
    } rows[] = {
        {"umip", 7, 2, 2, 11, 0},
        {"fsgsbase", 7, 1, 0, 16, 0},
        {"smep", 7, 1, 7, 20, 0},
        {"smap", 7, 1, 20, 21, 0},
        {"xsave", 1, 2, 26, 18, 0},
        {"pcid", 1, 2, 17, 17, 0},
        {"mce", 1, 3, 7, 6, 0},
        {"pke", 7, 2, 3, 22, 0},
        {"x2apic", 1, 2, 21, 0, 0x802},
        {"deadline", 1, 2, 24, 0, 0x6e0},
        {"mtrr", 1, 3, 12, 0, 0xfe},
        {"pat", 1, 3, 16, 0, 0x277},
        {"sep", 1, 3, 11, 0, 0x174},
        {"tsc-adjust", 7, 1, 1, 0, 0x3b},
        {"rdtscp", 0x80000001, 3, 27, 0, 0xc0000103},
        {"arch-capabilities", 7, 3, 29, 0, 0x10a},
        {"spec-ctrl", 7, 3, 26, 0, 0x48},
        {"mca", 1, 3, 14, 0, 0x179},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t registers[4];
        uint64_t value;
        cpuid_read(rows[i].leaf, 0, registers);
        bool there = (registers[rows[i].output] >> rows[i].bit & 1) != 0, works = false;
        if (rows[i].cr4 != 0 && on_qemu && !there) { /* QEMU ends for a reserved bit: control.c */
            say("consistent.%s: not tried", rows[i].name);
            continue;
        }
        if (rows[i].cr4 != 0) {
            static const uint8_t code[] = {0x0f, 0x22, 0xe0};
            struct cpu_state state;
            uint64_t cr4;
            __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
            engine_prepare(&state, KERNEL_64, code, sizeof code);
            state.rax = cr4 ^ BIT(rows[i].cr4);
            engine_enter(&state);
            works = state.vector == VECTOR_DONE;
            __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
        } else {
            works = msr_get(rows[i].msr, &value) == 0;
        }
        say("consistent.%s: said=%u works=%u", rows[i].name, there, works);
    }
    /* OSXSAVE follows CR4 at once, and the size of the XSAVE area follows XCR0. */
    uint32_t one[4], area[4];
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cpuid_read(1, 0, one);
    say("consistent.osxsave-off: %u", one[2] >> 27 & 1);
    if ((one[2] & BIT(26)) == 0)
        return;
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | BIT(18)));
    cpuid_read(1, 0, one);
    say("consistent.osxsave-on: %u", one[2] >> 27 & 1);
    cpuid_read(13, 0, area);
    for (uint32_t value = 1; value < 0x100; value = value << 1 | 1) {
        static const uint8_t set[] = {0x0f, 0x01, 0xd1};
        struct cpu_state state;
        engine_prepare(&state, KERNEL_64, set, sizeof set);
        state.rax = value & area[0];
        engine_enter(&state);
        cpuid_read(13, 0, area);
        say("consistent.area-%x: %u %u", value, (unsigned)state.vector, area[1]);
    }
    __asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

void probe_features(void)
{
    probe_leaves();
    probe_consistency();
}
