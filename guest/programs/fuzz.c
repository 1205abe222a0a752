/* SPDX-License-Identifier: MIT */
/*
 * Does at random what a guest can do to its hypervisor, many times over: each number of the
 * sequence is an instruction for the interpreter below, so that a run can be repeated by its seed.
 *
 *   seed=N count=OPERATIONS [what=config]
 *
 * what=config makes all of them accesses to configuration space, and checks that its device's
 * registers stay where they are. Exits with 0 after `count` operations, with 1 when something is
 * not as it was.
 */
#include "guest/igbvf/igbvf.h"
#include "guest/runtime/attempt.h"
#include "hypervisor/abi/calls.h"

#define FIRST_VECTOR 32
#define LAST_VECTOR  254
#define MSR_APIC     0x800
#define MSR_ICR      0x830
#define CR4_OSFXSR   (UINT64_C(1) << 9)
#define RECEIVE_BASE 0x2800
#define MARK         0x12345680

static struct pci_device device;
static bool has_device;
static unsigned taken; /* interrupts */

static void take(void)
{
    taken++;
}

/* One of `count` values as often as any value at all. */
static uint64_t often(const uint64_t *values, unsigned count)
{
    uint64_t number = random_number();
    return number & 1 ? values[(number >> 8) % count] : random_number() >> (number >> 8) % 64;
}

#define OFTEN(...)                                                                                 \
    often((const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void cpuid(void)
{
    uint32_t a =
        (uint32_t)OFTEN(0, 1, 4, 7, 0xb, 0xd, 0x40000000, 0x40000100, 0x80000001, 0x8000001f);
    uint32_t b, c = (uint32_t)random_number() % 8, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static uint32_t any_msr(void)
{
    static const uint32_t bases[] = {0, 0x400, MSR_APIC, 0x40000000, 0xc0000000, 0xc0010000};
    uint64_t number = random_number();
    return bases[number % 6] + (uint32_t)(number >> 8) % 0x400;
}

static void msr(void)
{
    uint64_t value = 0;
    uint32_t number = any_msr();
    bool there = attempt_read_msr(number, &value);
    /* The interrupt command has an operation of its own; segment bases and the like are the
     * guest's own business, and what it stands on. */
    if (number == MSR_ICR)
        return;
    /* QEMU's local APIC delivers vectors 0 to 15, which are exceptions with error codes. */
    uint64_t legal = number >= MSR_APIC && number <= MSR_APIC + 0xff ? 0x10 : 0;
    (void)attempt_write_msr(number,
                            OFTEN(0, 1, ~UINT64_C(0), value ^ 1, UINT64_C(1) << 63) | legal);
    if (there)
        (void)attempt_write_msr(number, value);
}

static void port(void)
{
    uint16_t number = (uint16_t)OFTEN(0xcf8, 0xcfc, 0xcf9, 0x64, 0x92, 0x3f8, 0xb2, 0x604, 0x70);
    unsigned width = 1u << random_number() % 3;
    if (random_number() & 1)
        port_write(number, width, (uint32_t)random_number());
    else
        (void)port_read(number, width);
}

static void call(void)
{
    uint64_t number = OFTEN(ABI_CONSOLE_WRITE, 0, 4, 5, UINT32_MAX);
    uint64_t address = OFTEN(0, memory_size(), memory_size() - 1, ~UINT64_C(0));
    /* What would end the run, or fill the log. */
    if (number == ABI_EXIT || number == ABI_EVENT || address < memory_size())
        return;
    (void)guest_call(number, address, OFTEN(1, 4096, 4097));
}

static void interrupt_command(void)
{
    uint64_t destination = OFTEN(0, 1, 2, 3, 4, 5, 0x100, 0xffff) & 0xffffffff;
    uint64_t mode = random_number() % 8, shorthand = random_number() % 4;
    bool self = destination == own_apic_id() || destination == 0xffffffff || shorthand != 0 ||
                (random_number() & 1);
    if ((mode == 4 || mode == 5) && self)
        return;
    uint64_t vector = FIRST_VECTOR + random_number() % (LAST_VECTOR - FIRST_VECTOR + 1);
    (void)attempt_write_msr(MSR_ICR, destination << 32 | shorthand << 18 |
                                         (random_number() & 0xc000) | mode << 8 | vector);
}

static void instruction(void)
{
    uint64_t cr4;
    switch (random_number() % 20) {
    case 0:
        ATTEMPT(3, "0x0f, 0x01, 0xd8"); /* VMRUN */
        break;
    case 1:
        ATTEMPT(3, "0x0f, 0x01, 0xda"); /* VMLOAD */
        break;
    case 2:
        ATTEMPT(3, "0x0f, 0x01, 0xdc"); /* STGI */
        break;
    case 3:
        ATTEMPT(3, "0x0f, 0x01, 0xdd"); /* CLGI */
        break;
    case 4:
        ATTEMPT(3, "0x0f, 0x01, 0xc2"); /* VMLAUNCH */
        break;
    case 5:
        ATTEMPT(3, "0x0f, 0x01, 0xc4"); /* VMXOFF */
        break;
    case 6:
        ATTEMPT(3, "0x0f, 0x01, 0xc8"); /* MONITOR */
        break;
    case 7:
        ATTEMPT(3, "0x0f, 0x01, 0xc9"); /* MWAIT */
        break;
    case 8:
        ATTEMPT(3, "0x0f, 0x01, 0xd1"); /* XSETBV */
        break;
    case 9:
        ATTEMPT(2, "0x0f, 0x37"); /* GETSEC */
        break;
    case 10:
        ATTEMPT(2, "0x0f, 0x33"); /* RDPMC */
        break;
    case 11:
        ATTEMPT(2, "0x0f, 0x08"); /* INVD */
        break;
    case 12:
        ATTEMPT(2, "0x0f, 0x09"); /* WBINVD */
        break;
    case 13:
        ATTEMPT(3, "0x0f, 0x01, 0xdf"); /* INVLPGA */
        break;
    case 14:
        ATTEMPT(2, "0x0f, 0xaa"); /* RSM */
        break;
    default:
        __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
        attempt_skip = 3;
        /* Never what the program stands on: PAE; LA57, which QEMU's CPU lets change. */
        __asm__ volatile("mov %0, %%cr4"
                         :
                         : "a"(cr4 ^ (random_number() & ~UINT64_C(0x1020) & ~CR4_OSFXSR))
                         : "memory");
        __asm__ volatile("mov %0, %%cr4" : : "a"(cr4) : "memory");
        break;
    }
}

static void configuration(void)
{
    if (pci_ecam() == 0)
        return;
    uint64_t number = random_number();
    unsigned width = 1u << number % 3;
    uintptr_t offset = (number >> 4) % 0x100000;
    if (has_device && (number >> 32) % 4 != 0)
        offset =
            (device.config & 0xff000) | (number >> 4) % ((number >> 34) % 4 != 0 ? 0x100 : 0x1000);
    offset &= ~(uintptr_t)(width - 1);
    if ((number >> 40) & 1)
        memory_write(pci_ecam() + offset, width, (uint32_t)random_number());
    else
        (void)memory_read(pci_ecam() + offset, width);
}

static bool registers_stay(uintptr_t registers)
{
    if (!has_device)
        return true;
    for (unsigned bar = 0; bar < 6; bar++)
        memory_write(device.config + 0x10 + bar * 4, 4, 0);
    pci_enable(&device); /* decoding may have been switched off */
    return pci_bar(&device, 0) == registers && read32(registers + RECEIVE_BASE) == MARK;
}

int guest_main(void)
{
    static void (*const operations[])(void) = {
        cpuid, msr, port, call, interrupt_command, instruction, configuration, msr};
    char what[8];
    bool only_configuration = argument("what", what, sizeof what);
    uint64_t count = argument_number("count", 1000000), seed = argument_number("seed", 1);
    uintptr_t registers = 0;

    random_begin(seed);
    attempt_begin();
    attempt_take_strays();
    for (unsigned vector = FIRST_VECTOR; vector <= LAST_VECTOR; vector++)
        interrupt_handle((uint8_t)vector, take);
    has_device = pci_device(0, &device);
    if (has_device) {
        pci_enable(&device);
        registers = pci_bar(&device, 0);
        write32(registers + RECEIVE_BASE, MARK);
    }
    event(1);
    for (uint64_t done = 0; done < count; done++) {
        if (only_configuration)
            configuration();
        else
            operations[random_number() % (sizeof operations / sizeof operations[0])]();
        if (done % 1024 == 0) {
            interrupts_on();
            interrupts_off();
        }
    }
    event(2);
    bool stay = registers_stay(registers);
    print("%u operations of seed %u: %u faults, %u interrupts%s\n", (unsigned)count, (unsigned)seed,
          attempt_faults, taken + attempt_strays, stay ? "" : "; the registers moved");
    return stay ? 0 : 1;
}
