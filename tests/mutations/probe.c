/* SPDX-License-Identifier: MIT */
/*
 * One act that a protection forbids, chosen by `do=`; the mutation tests take the protection away
 * and see it succeed.
 *
 *   hole      reads and writes the first byte behind its own memory
 *   loop      never returns and never leaves guest mode, not for an NMI of its own either
 *   remember  looks for what an earlier start left behind, then leaves it for the next one
 *   linger    owns a VF with one MSI-X vector and waits (seconds=)
 *   call      asks for 64 bytes of console output from address `at=`
 *   aim       routes its MSI-X vector to the core with APIC id `core=`
 */
#include "guest/igbvf/igbvf.h"
#include "guest/runtime/attempt.h"
#include "hypervisor/abi/calls.h"

#define VECTOR   0x40
#define TRACE    0x7472616365ull
#define TRACE_AT (16u << 20)

enum { EXIT_USAGE = 1, EXIT_REACHED = 9 };

static struct igbvf vf;

static bool text_is(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right)
        left++, right++;
    return *left == *right;
}

static void ignore(void)
{
}

static int hole(void)
{
    uint32_t value = read32((uintptr_t)memory_size());
    write32((uintptr_t)memory_size(), ~value);
    print("read %x behind my memory\n", value);
    return EXIT_REACHED;
}

static int loop(void)
{
    interrupts_off();
    attempt_take_strays();
    for (volatile bool forever = true; forever;)
        __asm__ volatile("pause");
    return 0;
}

static int remember(void)
{
    volatile uint64_t *place = (volatile uint64_t *)(uintptr_t)TRACE_AT;
    if (*place == TRACE) {
        print("somebody's memory is still here\n");
        return EXIT_REACHED;
    }
    *place = TRACE;
    return 0;
}

static int linger(void)
{
    uint64_t until = microseconds() + argument_number("seconds", 5) * 1000000;
    interrupt_handle(VECTOR, ignore);
    if (!igbvf_open(&vf) || !igbvf_interrupts(&vf, VECTOR))
        return EXIT_USAGE;
    event(1);
    while (microseconds() < until)
        wait_microseconds(1000);
    return 0;
}

static int call(void)
{
    int64_t result = ABI_CONSOLE_WRITE;
    __asm__ volatile("vmmcall"
                     : "+a"(result)
                     : "D"(argument_number("at", 0)), "S"(64ull)
                     : "memory");
    if (result == ABI_BAD_ADDRESS)
        return 0;
    print("the call gave %llx\n", (unsigned long long)result);
    return EXIT_REACHED;
}

static int aim(void)
{
    uint32_t core = (uint32_t)argument_number("core", 0);
    struct pci_device device;
    if (!pci_device(0, &device) || !pci_msix(&device, 0, VECTOR))
        return EXIT_USAGE;
    uintptr_t table = pci_bar(&device, 3);
    write32(table, 0xfee00000u | core << 12);
    event(1);
    wait_microseconds(200000);
    return 0;
}

int guest_main(void)
{
    static const struct {
        const char *name;
        int (*act)(void);
    } acts[] = {
        {"hole", hole},     {"loop", loop}, {"remember", remember},
        {"linger", linger}, {"call", call}, {"aim", aim},
    };
    char wanted[16];
    if (argument("do", wanted, sizeof wanted))
        for (unsigned i = 0; i < sizeof acts / sizeof acts[0]; i++)
            if (text_is(wanted, acts[i].name))
                return acts[i].act();
    print("usage: do=hole|loop|remember|linger|call|aim\n");
    return EXIT_USAGE;
}
