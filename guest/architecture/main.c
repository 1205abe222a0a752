/* SPDX-License-Identifier: MIT */
/*
 * Says what this machine does in many small cases, one line each: on the bare machine and as a
 * guest the lines must be the same, but for those that tests/system/architecture.py says why.
 *
 *   only=N       the subject with this number alone
 *   pace=N       microseconds to wait after each probe
 */
#include "guest/architecture/probes.h"

/* 115200 baud, 8 data bits: not every loader has set the line up. */
static void begin_serial_line(void)
{
    static const struct {
        uint16_t port;
        uint8_t value;
    } writes[] = {{0x3fb, 0x83}, {0x3f8, 1}, {0x3f9, 0}, {0x3fb, 3}, {0x3fa, 1}};
    for (size_t i = 0; i < COUNT(writes); i++)
        __asm__ volatile("outb %0, %1" : : "a"(writes[i].value), "Nd"(writes[i].port));
}

/* Bochs ends for this word on that port; on other machines it is not there. */
static void power_off_bochs(void)
{
    uint8_t status = 0; /* of the serial line: bit 6, all is sent */
    for (unsigned wait = 0; (status & 0x40) == 0 && wait < 1000000; wait++)
        __asm__ volatile("inb %1, %0" : "=a"(status) : "Nd"((uint16_t)0x3fd));
    for (const char *letter = "Shutdown"; *letter != '\0'; letter++)
        __asm__ volatile("outb %0, %1" : : "a"(*letter), "Nd"((uint16_t)0x8900));
}

int guest_main(void)
{
    static void (*const subjects[])(void) = {
        probe_features,          probe_instructions, probe_apic_registers, probe_msrs,
        probe_control_registers, probe_protection,   probe_debug,          probe_memory,
        probe_interrupts,        probe_sibling,      probe_stale_mappings,
    };
    uint32_t vendor[4];
    uint64_t only = argument_number("only", COUNT(subjects));
    cpuid_read(0, 0, vendor);
    on_qemu = vendor[2] == 0x444d4163; /* AuthenticAMD: there is no Intel in TCG here */
    if (on_bare_machine())
        begin_serial_line();
    say_pace = argument_number("pace", 0);
    engine_begin();
    for (unsigned i = 0; i < COUNT(subjects); i++)
        if (only == COUNT(subjects) || only == i)
            subjects[i]();
    print("\narchitecture: %u probes\n", probes_said);
    if (on_bare_machine())
        power_off_bochs();
    return 0;
}
