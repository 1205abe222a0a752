/* SPDX-License-Identifier: MIT */
/*
 * Does one thing that no guest comes back from.
 *
 *   act=read|write|execute|tables address=PHYSICAL   memory that it does not have
 *   act=triple                                       an exception without a handler
 *   act=storm                                        a debug exception after every instruction
 *   act=spin|halt|cpuid                              never ends, with interrupts off
 *   act=flood                                        writes to the console without end
 *   act=vectors                                      leaves interrupts with the numbers of
 * exceptions pending and resets its own core by INIT
 *
 * Returns only if the hypervisor let it: exit 1.
 */
#include "guest/runtime/runtime.h"

#define PAGE_BITS    (UINT64_C(0x83)) /* present, writable, large */
#define PAGE_2M      (UINT64_C(1) << 21)
#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)
#define WINDOW       UINT64_C(0xe0000000) /* an address of no device: its page table entry is used */
#define VECTOR_DEBUG 1
#define TRAP_FLAG    0x100
#define MSR_ICR      0x830
#define MSR_SELF_IPI 0x83f
#define ICR_INIT     0x4500u

struct frame {
    uint64_t rip, cs, flags, rsp, ss;
};

static bool act_is(const char *act, const char *name)
{
    while (*act != '\0' && *act == *name) {
        act++;
        name++;
    }
    return *act == *name;
}

static uint64_t *table(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & ADDRESS_MASK);
}

/* Where the physical address can be reached. The guest's own tables end at 4 GiB, what it is after
 * does not. */
static uintptr_t window(uint64_t physical)
{
    uint64_t root;
    __asm__ volatile("mov %%cr3, %0" : "=r"(root));
    uint64_t *directories = table(table(root)[0]);
    uint64_t *directory = table(directories[WINDOW >> 30]);
    directory[WINDOW >> 21 & 511] = (physical & ~(PAGE_2M - 1)) | PAGE_BITS;
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
    return (uintptr_t)(WINDOW | (physical & (PAGE_2M - 1)));
}

static void load_idt(uint16_t limit, const void *base)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {limit, (uint64_t)(uintptr_t)base};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void triple_fault(void)
{
    load_idt(0, NULL);
    __asm__ volatile("ud2");
}

__attribute__((interrupt)) static void again(volatile struct frame *frame)
{
    frame->flags |= TRAP_FLAG;
}

static void storm(void)
{
    static uint64_t gates[4] __attribute__((aligned(16)));
    uint64_t handler = (uint64_t)(uintptr_t)again;
    gates[VECTOR_DEBUG * 2] = (handler & 0xffff) | UINT64_C(8) << 16 | UINT64_C(0x8e00) << 32 |
                              (handler >> 16 & 0xffff) << 48;
    gates[VECTOR_DEBUG * 2 + 1] = handler >> 32;
    load_idt(sizeof gates - 1, gates);
    __asm__ volatile("pushf; orl %0, (%%rsp); popf; 1: jmp 1b" : : "i"(TRAP_FLAG) : "memory");
}

static void endless_cpuid(void)
{
    for (;;) {
        uint32_t a = 0, c = 0;
        __asm__ volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx");
    }
}

/* Vectors 16 to 31 are legal (SDM 3A 11.5.2). */
static void leave_vectors(void)
{
    for (uint32_t vector = 16; vector < 32; vector++)
        __asm__ volatile("wrmsr" : : "c"(MSR_SELF_IPI), "a"(vector), "d"(0) : "memory");
    __asm__ volatile("wrmsr" : : "c"(MSR_ICR), "a"(ICR_INIT), "d"(own_apic_id()) : "memory");
    for (;;)
        __asm__ volatile("hlt");
}

int guest_main(void)
{
    char act[16];
    uint64_t address = argument_number("address", 0);
    if (!argument("act", act, sizeof act))
        return 2;
    interrupts_off();
    event(address);
    if (act_is(act, "read")) {
        (void)read32(window(address));
    } else if (act_is(act, "write")) {
        write32(window(address), 0xbadc0de);
    } else if (act_is(act, "execute")) {
        __asm__ volatile("call *%0" : : "r"(window(address)) : "memory");
    } else if (act_is(act, "tables")) {
        __asm__ volatile("mov %0, %%cr3" : : "r"(address) : "memory");
    } else if (act_is(act, "triple")) {
        triple_fault();
    } else if (act_is(act, "storm")) {
        storm();
    } else if (act_is(act, "spin")) {
        for (;;)
            __asm__ volatile("");
    } else if (act_is(act, "halt")) {
        for (;;)
            __asm__ volatile("hlt");
    } else if (act_is(act, "cpuid")) {
        endless_cpuid();
    } else if (act_is(act, "flood")) {
        for (;;)
            print("one more line of no use to anybody\n");
    } else if (act_is(act, "vectors")) {
        leave_vectors();
    } else {
        print("no such act: %s\n", act);
        return 2;
    }
    print("nothing stopped me\n");
    return 1;
}
