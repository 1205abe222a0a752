/* SPDX-License-Identifier: MIT */
#include "guest/runtime/second.h"

#define SECOND_PAGE  0x8000u /* second.asm */
#define STACK_SIZE   0x4000u
#define MSR_ICR      0x830
#define ICR_INIT     0x4500u
#define ICR_START_UP 0x4600u

struct parameters {
    uint64_t cr3, stack;
    void (*function)(void);
    uint8_t idt[10];
} __attribute__((packed));

extern const uint8_t second_code[], second_code_end[], second_parameters[];

uint32_t second_apic_id(void)
{
    static uint32_t id;
    if (id == 0)
        id = own_apic_id() + 1;
    return id;
}

void second_command(uint32_t low)
{
    __asm__ volatile("wrmsr" : : "c"(MSR_ICR), "a"(low), "d"(second_apic_id()) : "memory");
}

void second_start(void (*function)(void))
{
    volatile uint8_t *page = (volatile uint8_t *)(uintptr_t)SECOND_PAGE;
    for (size_t i = 0; i < (size_t)(second_code_end - second_code); i++)
        page[i] = second_code[i];
    static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
    struct parameters parameters = {.stack = (uint64_t)(uintptr_t)(stack + STACK_SIZE),
                                    .function = function};
    __asm__ volatile("mov %%cr3, %0" : "=r"(parameters.cr3));
    __asm__ volatile("sidt %0" : "=m"(parameters.idt));
    const uint8_t *from = (const uint8_t *)&parameters;
    for (size_t i = 0; i < sizeof parameters; i++)
        page[second_parameters - second_code + (ptrdiff_t)i] = from[i];
    second_command(ICR_INIT);
    wait_microseconds(10000);
    second_command(ICR_START_UP | SECOND_PAGE >> 12);
    wait_microseconds(200);
    second_command(ICR_START_UP | SECOND_PAGE >> 12);
}
