/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/descriptors.h"

#include "hypervisor/setup/cpu.h"
#include "hypervisor/x86/exceptions.h"

#define VECTOR_ENTRY_SIZE 16   /* vectors.asm */
#define GATE_INTERRUPT    0x8e /* present, interrupt gate: IF is cleared */

extern const uint8_t vector_entries[];
extern const uint8_t discard_entry[];

/* SDM 3A 3.4.5. "Accessed" is set beforehand, so that loading a selector writes nothing. */
#define DESCRIPTOR_CODE UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA UINT64_C(0x00cf93000000ffff)
#define TYPE_TSS        UINT64_C(0x89) /* present, 64-bit TSS, available */

struct table_register {
    uint16_t limit; /* 0 */
    uint64_t base;  /* 2 */
} PACKED;
_Static_assert(sizeof(struct table_register) == 10, "SDM 3A 3.5.1");

static struct core_tables *tables_of(unsigned core)
{
    return (struct core_tables *)core_tables[core];
}

void descriptors_set_stack(unsigned core, enum exception_stack stack, uintptr_t top)
{
    tables_of(core)->tss.ist[stack - 1] = top;
}

void descriptors_load(unsigned core)
{
    struct core_tables *tables = tables_of(core);
    uint64_t *gdt = tables->gdt;
    uint64_t tss = (uintptr_t)&tables->tss;
    uint64_t limit = sizeof(struct task_state) - 1;
    /* No I/O permission map: the base lies past the limit. */
    tables->tss.io_map_base = sizeof(struct task_state);
    gdt[0] = 0;
    gdt[SELECTOR_CODE / 8] = DESCRIPTOR_CODE;
    gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
    gdt[SELECTOR_TSS / 8] =
        limit | FIELD(tss, 23, 0) << 16 | TYPE_TSS << 40 | FIELD(tss, 31, 24) << 56;
    gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;

    struct table_register gdtr = {sizeof tables->gdt - 1, (uintptr_t)gdt};
    /* FS and GS get no selector: loading one would clear the base that cpu_current() uses. */
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%ss\n\t"
                     "lldt %w3\n\t"
                     "ltr %w4"
                     :
                     : "m"(gdtr), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(0), "r"(SELECTOR_TSS)
                     : "rax", "memory");
}

static void set_gate(struct gate *gate, uintptr_t entry, enum exception_stack stack)
{
    *gate = (struct gate){
        .offset_low = (uint16_t)entry,
        .selector = SELECTOR_CODE,
        .stack = (uint8_t)stack,
        .type = GATE_INTERRUPT,
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}

void idt_init(void)
{
    static const uint8_t stacks[FIRST_INTERRUPT_VECTOR] = {
        [VECTOR_NMI] = STACK_NMI,
        [VECTOR_DOUBLE_FAULT] = STACK_DOUBLE_FAULT,
        [VECTOR_MACHINE_CHECK] = STACK_MACHINE_CHECK,
    };
    struct gate *gates = (struct gate *)idt, *discard = (struct gate *)discard_idt;
    for (unsigned vector = 0; vector < IDT_ENTRIES; vector++) {
        uintptr_t entry = (uintptr_t)vector_entries + (uintptr_t)vector * VECTOR_ENTRY_SIZE;
        set_gate(&gates[vector], entry,
                 vector < ARRAY_SIZE(stacks) ? stacks[vector] : STACK_CURRENT);
        discard[vector] = gates[vector];
        if (vector >= 16)
            set_gate(&discard[vector], (uintptr_t)discard_entry, STACK_CURRENT);
    }
}

void idt_load(void)
{
    struct {
        uint16_t limit; /* 0 */
        uint64_t base;  /* 2 */
    } PACKED idtr = {sizeof idt - 1, (uintptr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idtr));
}
