/* SPDX-License-Identifier: MIT */
/*
 * What a minimal guest stands on: console, arguments, time, interrupts, its PCI devices. Works as a
 * guest of Bulkhead and, for comparison, on the bare machine (console on 0x3f8 then).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No hypervisor below: everything that the machine has is the program's. */
bool on_bare_machine(void);

/* The program. Its result is the guest's exit status. */
int guest_main(void);

/* --- console --- */
void print(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %d %u %x %llx %s %c */
/* A word for the log, with which exits can be counted between two places. */
void event(uint64_t value);
__attribute__((noreturn)) void guest_exit(int status);

/* --- arguments: "key=value" words --- */
/* The value of a key, copied; false when absent or too long. */
bool argument(const char *key, char *value, size_t size);
/* Decimal or 0x hexadecimal; `otherwise` when absent. */
uint64_t argument_number(const char *key, uint64_t otherwise);
/* Item `index` of a comma-separated list of numbers. */
bool argument_item(const char *key, unsigned index, uint64_t *value);
uint64_t number_parse(const char *text);

/* --- memory: from the end of the image upwards, never freed; zeroed; aligned to 4 KiB --- */
void *memory_take(size_t size);
uint64_t memory_size(void); /* bytes of RAM */

/* --- time --- */
uint64_t microseconds(void);
uint64_t time_stamp(void); /* the TSC; on QEMU with -icount and in Bochs it counts instructions */
void wait_microseconds(uint64_t time);

/* --- interrupts --- */
void interrupt_handle(uint8_t vector, void (*handler)(void));
void interrupts_on(void);
void interrupts_off(void);
/* Sleeps until the next interrupt; interrupts are on meanwhile and off again afterwards. */
void interrupt_wait(void);
uint32_t own_apic_id(void);
/* One interrupt of the local APIC's timer in about so many microseconds. */
void timer_once(uint8_t vector, uint64_t time);
/* Waits by halting, with the local APIC's timer, so that whoever shares the processor can work.
 * Uses vector 0xfe; interrupts are off before and after. */
void sleep_microseconds(uint64_t time);

/* Address of the ACPI table with this signature, its four letters as a number; 0 without one. */
uint64_t acpi_table(uint32_t signature);

/* --- PCI --- */
/* Configuration space of bus 0, from ACPI's MCFG; 0 without one. */
uintptr_t pci_ecam(void);
struct pci_device {
    uintptr_t config; /* its 4 KiB of configuration space */
    uint16_t vendor, device;
    unsigned slot;
    uintptr_t
        bars[6]; /* where its BARs lie, when its registers do not say: VFs on the bare machine */
};
/* The `index`th function on bus 0, found through ACPI's MCFG. */
bool pci_device(unsigned index, struct pci_device *device);
uint32_t config_read(const struct pci_device *device, unsigned offset);
void config_write16(const struct pci_device *device, unsigned offset, uint16_t value);
/* Address of a memory BAR, 0 when there is none. */
uintptr_t pci_bar(const struct pci_device *device, unsigned number);
/* Turns on memory decoding and bus mastering. */
void pci_enable(const struct pci_device *device);
bool pci_is_bus_master(const struct pci_device *device);
/* Routes MSI-X vector `number` to `vector` on this core and enables MSI-X; false without it. */
bool pci_msix(const struct pci_device *device, unsigned number, uint8_t vector);

/* --- registers --- */
static inline uint32_t read32(uintptr_t address)
{
    uint32_t value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void write32(uintptr_t address, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}
