/* SPDX-License-Identifier: MIT */
/*
 * Instructions at the end of a page and of the canonical addresses; memory where nothing is, which
 * for a guest is emulated; exceptions whose handler cannot be called.
 */
#include "guest/architecture/probes.h"

#define PRESENT  BIT(0)
#define WRITE    BIT(1)
#define USER     BIT(2)
#define UNCACHED BIT(4)
#define FETCH    BIT(4) /* of a page fault: it was for an instruction */
#define NO_DEVICE                                                                                  \
    (UINT64_C(0xb0000000) + (UINT64_C(20) << 15)) /* configuration space of 0:20.0                 \
                                                   */

/* --- the end of a page, behind which is none --- */

struct tail {
    const char *name;
    const char *code;
    uint8_t length, inside; /* bytes on the page */
};

#define CODE(bytes) bytes, sizeof(bytes) - 1
/* clang-format off */
static const struct tail tails[] = {
    {"nop", CODE("\x90"), 1},
    {"cpuid-whole", CODE("\x0f\xa2"), 2},
    {"cpuid-cut", CODE("\x0f\xa2"), 1},
    {"in-whole", CODE("\xe4\x80"), 2},
    {"in-cut", CODE("\xe4\x80"), 1},
    {"rdmsr-whole", CODE("\x0f\x32"), 2},
    {"rdmsr-cut", CODE("\x0f\x32"), 1},
    {"ud2-whole", CODE("\x0f\x0b"), 2},
    {"ud2-cut", CODE("\x0f\x0b"), 1},
    {"mov-cut", CODE("\xb8\x01\x02\x03\x04"), 3},
    {"int-whole", CODE("\xcd\x21"), 2},
    {"int3-whole", CODE("\xcc"), 1},
    {"int1-whole", CODE("\xf1"), 1},
    {"prefixes-cut", CODE("\x66\x66\x66\x66\x0f\xa2"), 4},
    {"prefixes-15-cut", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"), 15},
    {"prefixes-14-cut", CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"), 14},
    {"hlt-user", CODE("\xf4"), 1},
    {"wbinvd-whole", CODE("\x0f\x09"), 2},
    {"wrmsr-nowhere", CODE("\x0f\x30"), 2},
    {"mmio", CODE("\x8b\x07"), 2},
    {"mmio-cut", CODE("\x8b\x07"), 1},
};
/* clang-format on */

static void probe_tails(void)
{
    for (unsigned user = 0; user < 2; user++)
        for (unsigned step = 0; step < 2; step++)
            for (size_t i = 0; i < COUNT(tails); i++) {
                uint64_t end = (user != 0 ? PAGE_USER_LAST : PAGE_LAST_CODE) + 4096;
                uint64_t start = end - tails[i].inside;
                struct cpu_state state;
                if (user == 0 && tails[i].code[0] == '\xf4')
                    continue;
                engine_prepare(&state, user != 0 ? USER_64 : KERNEL_64, NULL, 0);
                memcpy((void *)(uintptr_t)start, tails[i].code, tails[i].inside);
                state.rip = start;
                state.rcx = tails[i].name[0] == 'w' ? 0xdeadbeef : 0xc0000080;
                state.rdi = PAGE_MMIO;
                state.rflags |= step != 0 ? RFLAGS_TF : 0;
                uint64_t six = 0xffff0ff0;
                __asm__ volatile("mov %0, %%dr6" : : "r"(six));
                engine_enter(&state);
                say_taken(user != 0   ? step != 0 ? "tail.user-step." : "tail.user."
                          : step != 0 ? "tail.step."
                                      : "tail.",
                          tails[i].name, &state, start, tails[i].length);
            }
}

/* --- memory that answers all ones, and forgets --- */

static const struct access {
    const char *name;
    const char *code;
    uint8_t length, modes;
} accesses[] = {
    {"read-8", CODE("\x8a\x07"), 15},
    {"read-16", CODE("\x66\x8b\x07"), 15},
    {"read-32", CODE("\x8b\x07"), 15},
    {"write-8", CODE("\x88\x07"), 15},
    {"write-16", CODE("\x66\x89\x07"), 15},
    {"write-32", CODE("\x89\x07"), 15},
    {"write-immediate-8", CODE("\xc6\x07\x12"), 15},
    {"write-immediate-32", CODE("\xc7\x07\x12\x34\x56\x78"), 15},
    {"movzx-8", CODE("\x0f\xb6\x07"), 15},
    {"movzx-16", CODE("\x0f\xb7\x07"), 15},
    {"movsx-8", CODE("\x0f\xbe\x07"), 15},
    {"movsx-16", CODE("\x0f\xbf\x07"), 15},
    {"read-to-ah", CODE("\x8a\x27"), 15},
    {"read-displaced", CODE("\x8b\x47\x10"), 15},
    {"read-indexed", CODE("\x8b\x04\x0f"), 15},
    {"read-r9", CODE("\x44\x8b\x0f"), 3},
    {"movsxd", CODE("\x48\x63\x07"), 3},
    {"read-segment", CODE("\x3e\x8b\x07"), 15},
    {"read-ss", CODE("\x36\x8b\x07"), 15},
};

static void probe_accesses(void)
{
    for (unsigned mode = KERNEL_64; mode <= USER_32; mode++)
        for (unsigned flavour = 0; flavour < 3; flavour++)
            for (size_t i = 0; i < COUNT(accesses); i++) {
                static const char *const names[] = {"plain-", "step-", "rf-"};
                struct cpu_state state;
                if ((accesses[i].modes & 1u << mode) == 0)
                    continue;
                const uint8_t *code = (const uint8_t *)accesses[i].code;
                uint64_t at = engine_code((enum mode)mode), six = 0xffff0ff0;
                uint64_t next = flavour == 2 ? at + accesses[i].length : 0,
                         seven = flavour == 2 ? 0x401 : 0x400;
                engine_prepare(&state, (enum mode)mode, code, accesses[i].length);
                state.rax = 0x1122334455667788;
                state.r9 = 0x1122334455667788;
                state.rcx = 4;
                state.rdi = PAGE_MMIO;
                state.rflags |= flavour == 1 ? RFLAGS_TF : flavour == 2 ? RFLAGS_RF : 0;
                __asm__ volatile("mov %0, %%dr0; mov %1, %%dr6; mov %2, %%dr7"
                                 :
                                 : "r"(next), "r"(six), "r"(seven));
                engine_enter(&state);
                seven = 0x400;
                __asm__ volatile("mov %0, %%dr7" : : "r"(seven));
                char name[40] = "mmio.";
                size_t used = 5;
                for (const char *from = mode_names[mode]; *from != '\0';)
                    name[used++] = *from++;
                name[used++] = '.';
                for (const char *from = names[flavour]; *from != '\0';)
                    name[used++] = *from++;
                say_taken(name, accesses[i].name, &state, at, accesses[i].length);
                if (flavour == 0)
                    say("%svalue-%s: %llx %llx", name, accesses[i].name,
                        (unsigned long long)state.rax, (unsigned long long)state.r9);
            }
}

/* The page with the instruction loses its mapping, which the TLB may still know: either the
 * instruction runs, or it takes a page fault there; nothing else. */
void probe_stale_mappings(void)
{
    engine_map(PAGE_MMIO, NO_DEVICE, PRESENT | WRITE | USER | UNCACHED);
    uint64_t entry = engine_entry(PAGE_LAST_CODE);
    for (unsigned turn = 0; turn < 4; turn++) {
        struct cpu_state state;
        /* It unmaps itself: MOV [RBX], RCX comes before the read, in the page that goes. */
        static const uint8_t unmap[] = {0x48, 0x89, 0x0b, 0x8b, 0x07, 0xcd, VECTOR_DONE};
        memcpy((void *)(uintptr_t)PAGE_LAST_CODE, unmap, sizeof unmap);
        engine_prepare(&state, KERNEL_64, NULL, 0);
        state.rip = PAGE_LAST_CODE;
        state.rbx = engine_entry_address(PAGE_LAST_CODE);
        state.rcx = turn < 2 ? 0 : entry & ~PRESENT;
        state.rdi = PAGE_MMIO;
        engine_enter(&state);
        engine_set_entry(PAGE_LAST_CODE, entry);
        bool ran = state.vector == VECTOR_DONE;
        bool faulted = state.vector == VECTOR_PF && state.cr2 >= PAGE_LAST_CODE + 3 &&
                       state.cr2 < PAGE_LAST_CODE + sizeof unmap && state.error == FETCH;
        say("stale.code-%u: %s", turn, ran || faulted ? "ran or faulted" : "something else");
    }
    /* The page that is accessed goes away under the access. */
    uint64_t there = engine_entry(PAGE_MMIO);
    static const uint8_t unmap[] = {0x48, 0x89, 0x0b, 0x8b, 0x07};
    for (unsigned turn = 0; turn < 2; turn++) {
        struct cpu_state state;
        engine_prepare(&state, KERNEL_64, unmap, sizeof unmap);
        state.rbx = engine_entry_address(PAGE_MMIO);
        state.rdi = PAGE_MMIO;
        (void)*(volatile uint32_t *)(uintptr_t)PAGE_MMIO;
        engine_enter(&state);
        engine_set_entry(PAGE_MMIO, there);
        bool ran = state.vector == VECTOR_DONE;
        bool faulted = state.vector == VECTOR_PF && state.cr2 == PAGE_MMIO && state.error == 0;
        say("stale.data-%u: %s", turn, ran || faulted ? "ran or faulted" : "something else");
    }
}

/* --- the edge of the canonical addresses, through an alias of the last page --- */

static void probe_edge(void)
{
    static const struct {
        const char *name;
        const char *code;
        uint8_t length;
    } codes[] = {
        {"nop", CODE("\x90")},       {"cpuid", CODE("\x0f\xa2")},   {"in", CODE("\xe4\x80")},
        {"rdmsr", CODE("\x0f\x32")}, {"wbinvd", CODE("\x0f\x09")},  {"ud2", CODE("\x0f\x0b")},
        {"int3", CODE("\xcc")},      {"syscall", CODE("\x0f\x05")}, {"jump", CODE("\xeb\x00")},
    };
    for (unsigned step = 0; step < 2; step++)
        for (size_t i = 0; i < COUNT(codes); i++) {
            struct cpu_state state;
            uint64_t start = BIT(47) - codes[i].length;
            engine_prepare(&state, KERNEL_64, NULL, 0);
            engine_map_edge(PAGE_LAST_CODE);
            memcpy((void *)(uintptr_t)(PAGE_LAST_CODE + 4096 - codes[i].length), codes[i].code,
                   codes[i].length);
            state.rip = start;
            state.rcx = 0xc0000080;
            state.rflags |= step != 0 ? RFLAGS_TF : 0;
            uint64_t six = 0xffff0ff0;
            __asm__ volatile("mov %0, %%dr6" : : "r"(six));
            engine_enter(&state);
            say_taken(step != 0 ? "edge.step-" : "edge.", codes[i].name, &state, start,
                      codes[i].length);
        }
}

/* --- delivery of exceptions that finds no handler --- */

static void probe_delivery(void)
{
    static const struct {
        const char *name;
        const char *code;
        uint8_t length;
        uint8_t absent, absent_too;
        uint64_t rsi;
    } cases[] = {
        {"ud-absent", CODE("\x0f\x0b"), 6, 0, 0},
        {"gp-absent", CODE("\x0f\x32"), 13, 0, 0},
        {"pf-absent", CODE("\x8b\x06"), 14, 0, PAGE_ABSENT},
        {"de-absent", CODE("\xf6\xf1"), 0, 0, 0},
        {"int-absent", CODE("\xcd\x40"), 0x40, 0, 0},
        {"int3-absent", CODE("\xcc"), 3, 0, 0},
        {"int1-absent", CODE("\xf1"), 1, 0, 0},
        {"gp-np-absent", CODE("\x0f\x32"), 13, 11, 0},
        {"pf-np-absent", CODE("\x8b\x06"), 14, 11, PAGE_ABSENT},
        {"int-np-absent", CODE("\xcd\x40"), 0x40, 11, 0},
        {"db-absent", CODE("\xf1"), 1, 11, 0},
    };
    for (unsigned mode = KERNEL_64; mode <= USER_32; mode++)
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct cpu_state state;
            engine_prepare(&state, (enum mode)mode, (const uint8_t *)cases[i].code,
                           cases[i].length);
            state.rcx = cases[i].code[1] == '\x32' ? 0xdeadbeef : 0;
            state.rsi = cases[i].rsi;
            engine_gate(cases[i].absent, 3, false);
            if (cases[i].absent_too != 0)
                engine_gate(cases[i].absent_too, 3, false);
            engine_enter(&state);
            engine_gate(cases[i].absent, 0, true);
            if (cases[i].absent_too != 0)
                engine_gate(cases[i].absent_too, 0, true);
            char name[24] = "delivery.";
            memcpy(name + 9, mode_names[mode], 3);
            name[12] = '.';
            say_taken(name, cases[i].name, &state, engine_code((enum mode)mode), cases[i].length);
        }
    static const struct {
        const char *name;
        uint8_t vector;
        unsigned limit;
    } limits[] = {{"int-40", 0x40, 0x40}, {"int-3f", 0x3f, 0x40}, {"int-ff", 0xff, 0x80}};
    for (size_t i = 0; i < COUNT(limits); i++) {
        struct cpu_state state;
        uint8_t code[] = {0xcd, limits[i].vector};
        engine_prepare(&state, KERNEL_64, code, sizeof code);
        engine_limit_idt(limits[i].limit);
        engine_enter(&state);
        engine_limit_idt(256);
        say_taken("idt-limit.", limits[i].name, &state, PAGE_CODE, sizeof code);
    }
}

void probe_memory(void)
{
    engine_map(PAGE_MMIO, NO_DEVICE, PRESENT | WRITE | USER | UNCACHED);
    probe_tails();
    probe_accesses();
    probe_edge();
    probe_delivery();
}
