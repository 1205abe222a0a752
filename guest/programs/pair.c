/* SPDX-License-Identifier: MIT */
/*
 * Starts its second vCPU in real mode, twice (starts=N: so often), the way the MultiProcessor
 * specification (B.4) says: INIT, start-up IPI. What runs there counts in memory and takes a VM
 * exit of its own.
 *
 * Exits with 0 when both starts were counted, and nobody else's core answered to this.
 */
#include "guest/runtime/counter.h"
#include "guest/runtime/runtime.h"

#define TRAMPOLINE   0x8000u
#define COUNTER      0x8100u   /* CS:0x100 over there */
#define LIMIT        20000000u /* microseconds: a busy computer starts a core late */
#define MSR_ICR      0x830
#define ICR_INIT     0x4500u
#define ICR_START_UP 0x4600u
#define FOREIGN      64 /* APIC ids that are tried */

static const uint8_t trampoline[] = {
    0x31, 0xc0,                         /* xor ax, ax */
    0x0f, 0xa2,                         /* cpuid: an exit from real mode */
    0xf0, 0x2e, 0xff, 0x06, 0x00, 0x01, /* lock inc word [cs:0x100] */
    0xf4,                               /* hlt */
    0xeb, 0xfd,                         /* jmp to the hlt */
};

static void command(uint32_t apic_id, uint32_t low)
{
    __asm__ volatile("wrmsr" : : "c"(MSR_ICR), "a"(low), "d"(apic_id) : "memory");
}

int guest_main(void)
{
    uint32_t own = own_apic_id(), other = own + 1;
    for (size_t i = 0; i < sizeof trampoline; i++)
        ((volatile uint8_t *)TRAMPOLINE)[i] = trampoline[i];
    *(volatile uint16_t *)COUNTER = 0;
    unsigned starts = (unsigned)argument_number("starts", 2);
    for (unsigned start = 1; start <= starts; start++) {
        command(other, ICR_INIT);
        command(other, ICR_START_UP | TRAMPOLINE >> 12);
        command(other, ICR_START_UP | TRAMPOLINE >> 12);
        if (!count_reaches(COUNTER, start, LIMIT)) {
            print("start %u was not counted\n", start);
            return 1;
        }
    }
    for (uint32_t id = 0; id < FOREIGN; id++) {
        if (id == own || id == other)
            continue;
        command(id, ICR_INIT);
        command(id, ICR_START_UP | TRAMPOLINE >> 12);
    }
    wait_microseconds(20000);
    if (!count_reaches(COUNTER, starts, LIMIT)) {
        print("somebody else started here\n");
        return 2;
    }
    print("the second vCPU started %u times\n", starts);
    return 0;
}
