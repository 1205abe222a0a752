#include "hypervisor/x86/descriptors.h"

#include "hypervisor/x86/cpu.h"

/* SDM 3A 3.4.5. "Accessed" is set beforehand, so that loading a selector writes nothing. */
#define DESCRIPTOR_CODE UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA UINT64_C(0x00cf93000000ffff)
#define TYPE_TSS        UINT64_C(0x89) /* present, 64-bit TSS, available */

struct table_register {
    uint16_t limit; /* 0 */
    uint64_t base;  /* 2 */
} PACKED;
_Static_assert(sizeof(struct table_register) == 10, "SDM 3A 3.5.1");

static struct {
    uint64_t gdt[5]; /* null, code, data, TSS (two entries) */
    struct task_state tss;
} tables[CPU_MAX] __attribute__((aligned(64)));

void descriptors_set_stack(unsigned core, enum exception_stack stack, uintptr_t top)
{
    tables[core].tss.ist[stack - 1] = top;
}

void descriptors_load(unsigned core)
{
    uint64_t *gdt = tables[core].gdt;
    uint64_t tss = (uintptr_t)&tables[core].tss;
    uint64_t limit = sizeof(struct task_state) - 1;
    /* No I/O permission map: the base lies past the limit. */
    tables[core].tss.io_map_base = sizeof(struct task_state);
    gdt[0] = 0;
    gdt[SELECTOR_CODE / 8] = DESCRIPTOR_CODE;
    gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
    gdt[SELECTOR_TSS / 8] =
        limit | FIELD(tss, 23, 0) << 16 | TYPE_TSS << 40 | FIELD(tss, 31, 24) << 56;
    gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;

    struct table_register gdtr = {sizeof tables[core].gdt - 1, (uintptr_t)gdt};
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
