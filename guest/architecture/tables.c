/* SPDX-License-Identifier: MIT */
/* Descriptor tables and page tables. SDM 3A 3.5, 4.5, 6.14, 7.2.3. */
#include "guest/architecture/engine.h"

#define PRESENT  BIT(0)
#define WRITE    BIT(1)
#define USER     BIT(2)
#define LARGE    BIT(7)
#define NX       BIT(63)
#define RESERVED BIT(51)
#define MSR_EFER 0xc0000080
#define EFER_NXE 0x800u
/* Whatever the loader left. */
#define CR0_START UINT64_C(0x80000031) /* PG, NE, ET, PE */
#define CR4_START UINT64_C(0x20)       /* PAE */

struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, attributes;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit interrupt gate");

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
_Static_assert(sizeof(struct pointer) == 10, "operand of LGDT and LIDT");

struct task {
    uint32_t reserved0;
    uint64_t stacks[3], reserved1, interrupt_stacks[7];
    uint8_t reserved2[10];
    uint16_t permissions;
} __attribute__((packed));
_Static_assert(sizeof(struct task) == 104, "64-bit TSS");

static struct gate gates[256] __attribute__((aligned(16)));
static struct task task;
static uint8_t interrupt_stack[4096] __attribute__((aligned(16)));
static uint64_t level4[512] __attribute__((aligned(4096)));
static uint64_t level3[512] __attribute__((aligned(4096)));
static uint64_t level2[4][512] __attribute__((aligned(4096)));
static uint64_t level1[512] __attribute__((aligned(4096)));
static uint64_t edge[3][512] __attribute__((aligned(4096)));
static uint8_t arena[32][4096] __attribute__((aligned(4096)));

#define SEGMENT(access, flags, limit, base)                                                        \
    ((uint64_t)((limit) & 0xffff) | (uint64_t)((base) & 0xffffff) << 16 |                          \
     (uint64_t)(access) << 40 | (uint64_t)((limit) >> 16 & 0xf) << 48 | (uint64_t)(flags) << 52 |  \
     (uint64_t)((uint64_t)(base) >> 24 & 0xff) << 56)
#define FLAT 0xfffff

/* clang-format off */
static uint64_t descriptors[] = {
    [CODE_64 / 8] = SEGMENT(0x9b, 0xa, FLAT, 0),
    [DATA / 8] = SEGMENT(0x93, 0xc, FLAT, 0),
    [CODE_32 / 8] = SEGMENT(0x9b, 0xc, FLAT, 0),
    [CODE_16 / 8] = SEGMENT(0x9b, 0x0, 0xffff, ARENA),
    [USER_DATA / 8] = SEGMENT(0xf3, 0xc, FLAT, 0),
    [USER_CODE_64 / 8] = SEGMENT(0xfb, 0xa, FLAT, 0),
    [USER_CODE_32 / 8] = SEGMENT(0xfb, 0xc, FLAT, 0),
    [NOT_PRESENT / 8] = SEGMENT(0x13, 0xc, FLAT, 0),
    [TASK / 8] = 0, 0, /* engine_begin() */
    [SMALL_DATA / 8] = SEGMENT(0x93, 0x4, 0xfff, PAGE_DATA),
    [DOWN_DATA / 8] = SEGMENT(0x97, 0x4, 0xfff, PAGE_DATA - 0x1000),
    [READ_ONLY / 8] = SEGMENT(0x91, 0xc, FLAT, 0),
    [EXECUTE_ONLY / 8] = SEGMENT(0x99, 0xc, FLAT, 0),
    [CONFORMING / 8] = SEGMENT(0x9f, 0xa, FLAT, 0),
    [CODE_ABSENT / 8] = SEGMENT(0x1b, 0xa, FLAT, 0),
    [LOCAL_TABLE / 8] = SEGMENT(0x82, 0x0, 0xf, PAGE_DATA), 0,
    [GATE / 8] = (uint64_t)(PAGE_CODE & 0xffff) | (uint64_t)CODE_64 << 16 | UINT64_C(0xec00) << 32 |
                 (uint64_t)(PAGE_CODE >> 16) << 48, 0,
    [SMALL_CODE / 8] = SEGMENT(0x9b, 0x4, 0xfff, PAGE_CODE),
    [DATA_16 / 8] = SEGMENT(0x93, 0x0, 0xffff, ARENA),
};

static const struct {
    uint32_t linear, pages;
    uint64_t flags;
} pages[] = {
    {PAGE_CODE, 1, PRESENT | WRITE},
    {PAGE_DATA, 1, PRESENT | WRITE},
    {PAGE_STACK, 1, PRESENT | WRITE},
    {PAGE_USER_CODE, 3, PRESENT | WRITE | USER},
    {PAGE_READ_ONLY, 1, PRESENT},
    {PAGE_USER_READ, 1, PRESENT | USER},
    {PAGE_NO_EXECUTE, 1, PRESENT | WRITE | NX},
    {PAGE_USER_NX, 1, PRESENT | WRITE | USER | NX},
    {PAGE_RESERVED, 1, PRESENT | WRITE | USER | RESERVED},
    {PAGE_LAST_CODE, 1, PRESENT | WRITE},
    {PAGE_USER_LAST, 1, PRESENT | WRITE | USER},
};
/* clang-format on */

static void set_gate(unsigned vector, uint64_t entry, uint8_t stack, unsigned attributes)
{
    gates[vector] = (struct gate){
        .offset_low = (uint16_t)entry,
        .selector = CODE_64,
        .stack = stack,
        .attributes = (uint8_t)attributes,
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}

void engine_gate(unsigned vector, unsigned dpl, bool present)
{
    set_gate(vector, engine_entries[vector], 1, (present ? 0x8e : 0x0e) | dpl << 5);
}

void engine_handler(unsigned vector, uint64_t handler)
{
    set_gate(vector, handler, 0, 0x8e);
}

void engine_limit_idt(unsigned vectors)
{
    struct pointer pointer = {(uint16_t)(vectors * 16 - 1), (uint64_t)(uintptr_t)gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void engine_map(uint64_t linear, uint64_t physical, uint64_t flags)
{
    engine_set_entry(linear, physical | flags);
}

uint64_t engine_entry(uint64_t linear)
{
    return level1[(linear - ARENA) / 4096];
}

void engine_set_entry(uint64_t linear, uint64_t entry)
{
    *(volatile uint64_t *)&level1[(linear - ARENA) / 4096] = entry;
    __asm__ volatile("invlpg (%0)" : : "r"(linear) : "memory");
}

uint64_t engine_entry_address(uint64_t linear)
{
    return (uint64_t)(uintptr_t)&level1[(linear - ARENA) / 4096];
}

void engine_map_edge(uint64_t linear)
{
    edge[0][511] = (uint64_t)(uintptr_t)edge[1] | PRESENT | WRITE;
    edge[1][511] = (uint64_t)(uintptr_t)edge[2] | PRESENT | WRITE;
    edge[2][511] = engine_entry(linear);
    level4[255] = (uint64_t)(uintptr_t)edge[0] | PRESENT | WRITE;
    __asm__ volatile("mov %0, %%cr3" : : "r"(level4) : "memory");
}

static void begin_paging(void)
{
    level4[0] = (uint64_t)(uintptr_t)level3 | PRESENT | WRITE | USER;
    for (unsigned i = 0; i < 4; i++) {
        level3[i] = (uint64_t)(uintptr_t)level2[i] | PRESENT | WRITE | USER;
        for (unsigned j = 0; j < 512; j++)
            level2[i][j] = ((uint64_t)i << 30 | (uint64_t)j << 21) | LARGE | PRESENT | WRITE;
    }
    level2[ARENA >> 30][0] = (uint64_t)(uintptr_t)level1 | PRESENT | WRITE | USER;
    for (unsigned i = 0; i < COUNT(pages); i++)
        for (unsigned j = 0; j < pages[i].pages; j++) {
            unsigned page = (pages[i].linear - ARENA) / 4096 + j;
            level1[page] = (uint64_t)(uintptr_t)arena[page] | pages[i].flags;
        }
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
    __asm__ volatile("wrmsr" : : "c"(MSR_EFER), "a"(low | EFER_NXE), "d"(high));
    __asm__ volatile("mov %0, %%cr3" : : "r"(level4) : "memory");
}

void engine_begin(void)
{
    uint64_t base = (uint64_t)(uintptr_t)&task;
    task.interrupt_stacks[0] = (uint64_t)(uintptr_t)(interrupt_stack + sizeof interrupt_stack);
    task.stacks[0] = task.interrupt_stacks[0];
    task.permissions = sizeof task;
    descriptors[TASK / 8] = SEGMENT(0x89, 0, sizeof task - 1, base);
    descriptors[TASK / 8 + 1] = base >> 32;
    struct pointer pointer = {sizeof descriptors - 1, (uint64_t)(uintptr_t)descriptors};
    __asm__ volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(TASK));
    for (unsigned vector = 0; vector < 256; vector++)
        engine_gate(vector, vector == VECTOR_DONE ? 3 : 0, true);
    engine_limit_idt(256);
    begin_paging();
    __asm__ volatile("mov %0, %%cr0" : : "r"(CR0_START));
    __asm__ volatile("mov %0, %%cr4" : : "r"(CR4_START));
}
