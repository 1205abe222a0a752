/* SPDX-License-Identifier: MIT */
/*
 * Tries everything there is of one kind and looks at what came of it. What a guest does not have,
 * must answer as if it did not exist; nothing here ends the guest.
 *
 *   what=msr|port|call|instruction|command|config|msix [seed=N]
 *
 * Exits with 0 when every answer was as it should be, with 1 otherwise.
 */
#include "guest/igbvf/igbvf.h"
#include "guest/runtime/attempt.h"
#include "hypervisor/abi/calls.h"

#define MSR_ICR 0x830
#define CR4_PAE 5 /* its number */
#define CR4_MCE (UINT64_C(1) << 6)

#define RECEIVE_BASE        0x2800 /* RDBAL of queue 0: holds what is written to it */
#define CONFIG_MSIX_CONTROL 0x40   /* where Bulkhead puts it */

static unsigned wrong;

static void expect(bool right, const char *what, uint64_t which)
{
    if (right)
        return;
    if (wrong++ < 8)
        print("wrong: %s 0x%llx\n", what, (unsigned long long)which);
}

/* --- model-specific registers --- */

static void sweep_msrs(void)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0, 0x1fff}, {0x40000000, 0x400000ff}, {0xc0000000, 0xc0001fff}, {0xc0010000, 0xc0011fff}};
    unsigned readable = 0, writable = 0;
    for (unsigned range = 0; range < sizeof ranges / sizeof ranges[0]; range++) {
        for (uint32_t msr = ranges[range].first; msr <= ranges[range].last; msr++) {
            uint64_t value = 0;
            bool there = attempt_read_msr(msr, &value);
            readable += there;
            writable += attempt_write_msr(msr, there ? value : 0);
            (void)attempt_write_msr(msr, ~UINT64_C(0));
            (void)attempt_write_msr(msr, random_number());
            if (there)
                (void)attempt_write_msr(msr, value);
        }
    }
    print("%u registers can be read, %u written; %u faults\n", readable, writable, attempt_faults);
    uint64_t value = 0;
    expect(readable > 20 && readable < 200, "count of readable registers", readable);
    expect(attempt_read_msr(0xc0000080, &value) && (value & 0xd00) == 0x500, "EFER", value);
    expect(!attempt_read_msr(0xc0010117, &value), "VM_HSAVE_PA can be read", value);
    expect(!attempt_read_msr(0x480, &value), "VMX_BASIC can be read", value);
    expect(!attempt_write_msr(0x79, 0), "microcode can be loaded", 0x79);
}

/* --- ports --- */

static void sweep_ports(void)
{
    static const struct {
        uint16_t port, value;
        uint8_t width;
    } deadly[] = {
        {0xcf9, 0x06, 1},    {0x64, 0xfe, 1}, {0x92, 0x01, 1}, {0x604, 0x3c00, 2},
        {0xb004, 0x2000, 2}, {0xf4, 0x11, 4}, {0xcf8, 0, 4},   {0x70, 0x80, 1},
    };
    for (uint32_t port = 0; port < 0x10000; port++) {
        unsigned width = 1u << (port % 3);
        uint32_t ones = width == 4 ? ~0u : (1u << (width * 8)) - 1;
        expect(port_read((uint16_t)port, width) == ones, "port", port);
        port_write((uint16_t)port, width, (uint32_t)random_number());
    }
    for (unsigned i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        port_write(deadly[i].port, deadly[i].width, deadly[i].value);
    unsigned before = attempt_faults;
    uint8_t byte = 0;
    void *target = &byte;
    attempt_skip = 1;
    __asm__ volatile("insb" : "+D"(target) : "d"((uint16_t)0x3f8) : "memory");
    expect(attempt_faults == before + 1, "INS did not fault", 0x3f8);
    print("every port was read and written\n");
}

/* --- guest calls --- */

static void sweep_calls(void)
{
    uint64_t end = memory_size();
    expect(guest_call(ABI_CONSOLE_WRITE, end, 0) == ABI_OK, "nothing at the end of memory", end);
    expect(guest_call(ABI_CONSOLE_WRITE, end - 4, 4) == ABI_OK, "the last bytes", end - 4);
    expect(guest_call(ABI_CONSOLE_WRITE, end - 4, 5) == ABI_BAD_ADDRESS, "one byte too many",
           end - 4);
    expect(guest_call(ABI_CONSOLE_WRITE, end + 1, 0) == ABI_BAD_ADDRESS, "behind the end", end + 1);
    expect(guest_call(ABI_CONSOLE_WRITE, ~UINT64_C(0), 2) == ABI_BAD_ADDRESS, "wrapping round", 0);
    expect(guest_call(ABI_CONSOLE_WRITE, 0, 4097) == ABI_BAD_ARGUMENT, "more than a page", 4097);
    expect(guest_call(ABI_CONSOLE_WRITE, 0, ~UINT64_C(0)) == ABI_BAD_ARGUMENT, "everything", 0);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t number = random_number() >> (random_number() % 64);
        uint64_t address = random_number() | UINT64_C(1) << 40;
        uint64_t size = random_number() >> (random_number() % 64);
        if (number == ABI_EXIT || number == ABI_EVENT)
            number = ABI_CONSOLE_WRITE;
        int64_t right = number == ABI_CONSOLE_INPUT   ? ABI_DENIED
                        : number != ABI_CONSOLE_WRITE ? ABI_NO_SUCH_CALL
                        : size > 4096                 ? ABI_BAD_ARGUMENT
                                                      : ABI_BAD_ADDRESS;
        expect(guest_call(number, address, size) == right, "answer to call", number);
    }
    print("20000 calls made\n");
}

/* --- instructions that are not for guests --- */

#define TRY(length, bytes, wanted)                                                                 \
    do {                                                                                           \
        unsigned before = attempt_faults;                                                          \
        ATTEMPT(length, bytes);                                                                    \
        expect((attempt_faults == before + 1) == (wanted), "instruction " bytes, before);          \
    } while (0)

/* Bits of CR4 that a guest may set: those which every 64-bit CPU has, those which CPUID names. */
static uint64_t cr4_allowed(void)
{
    uint32_t a = 1, b, c = 0, d, seven = 7, structured, extended = 0;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    __asm__ volatile("cpuid" : "+a"(seven), "=b"(structured), "+c"(extended), "=d"(d));
    return 0x7ffu | (uint64_t)(extended >> 2 & 1) << 11 | (uint64_t)(structured & 1) << 16 |
           (uint64_t)(c >> 17 & 1) << 17 | (uint64_t)(c >> 26 & 1) << 18 |
           (uint64_t)(structured >> 7 & 1) << 20 | (uint64_t)(structured >> 20 & 1) << 21;
}

/* Under SVM, QEMU (9.1 to 10.1 at least) looks at the intercept of CR0 when CR4 is read: the guest
 * sees the MCE that it runs with. */
static uint64_t cr4_shown(void)
{
    uint32_t a = ABI_CPUID_FEATURES, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c == ABI_CALL_VMMCALL ? ~CR4_MCE : ~UINT64_C(0);
}

/* Each bit alone: it is there, MCE included, or raises #GP. PAE does not go in long mode. */
static void sweep_cr4(void)
{
    uint64_t cr4, seen, allowed = cr4_allowed(), shown = cr4_shown();
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t tried = cr4 ^ UINT64_C(1) << bit;
        bool takes = (allowed >> bit & 1) != 0 && bit != CR4_PAE;
        unsigned faults = attempt_faults;
        attempt_skip = 3;
        __asm__ volatile("mov %0, %%cr4" : : "a"(tried) : "memory");
        __asm__ volatile("mov %%cr4, %0" : "=r"(seen));
        __asm__ volatile("mov %0, %%cr4" : : "a"(cr4) : "memory");
        expect((faults == attempt_faults) == takes, "fault for a bit of CR4", bit);
        expect((seen & shown) == ((takes ? tried : cr4) & shown), "CR4 after writing one bit", bit);
    }
}

static void sweep_instructions(void)
{
    TRY(3, "0x0f, 0x01, 0xd8", true); /* VMRUN */
    TRY(3, "0x0f, 0x01, 0xda", true); /* VMLOAD */
    TRY(3, "0x0f, 0x01, 0xdb", true); /* VMSAVE */
    TRY(3, "0x0f, 0x01, 0xdc", true); /* STGI */
    TRY(3, "0x0f, 0x01, 0xdd", true); /* CLGI */
    TRY(3, "0x0f, 0x01, 0xde", true); /* SKINIT */
    TRY(3, "0x0f, 0x01, 0xdf", true); /* INVLPGA */
    TRY(3, "0x0f, 0x01, 0xc2", true); /* VMLAUNCH */
    TRY(3, "0x0f, 0x01, 0xc3", true); /* VMRESUME */
    TRY(3, "0x0f, 0x01, 0xc4", true); /* VMXOFF */
    TRY(3, "0x0f, 0x01, 0xc8", true); /* MONITOR */
    TRY(3, "0x0f, 0x01, 0xc9", true); /* MWAIT */
    TRY(3, "0x0f, 0x01, 0xd1", true); /* XSETBV with nothing at all */
    TRY(2, "0x0f, 0xaa", true);       /* RSM */
    TRY(2, "0x0f, 0x37", true);       /* GETSEC */
    TRY(2, "0x0f, 0x33", true);       /* RDPMC */
    TRY(2, "0x0f, 0x08", false);      /* INVD */
    TRY(2, "0x0f, 0x09", false);      /* WBINVD */
    sweep_cr4();
    for (uint32_t leaf = 0; leaf < 0x40; leaf++) {
        for (uint32_t half = 0; half < 3; half++) {
            static const uint32_t bases[] = {0, ABI_CPUID_SIGNATURE, 0x80000000u};
            uint32_t a = bases[half] + leaf, b, c = leaf % 5, d;
            __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
            if (half == 0 && leaf == 1)
                expect((c & (1u << 5)) == 0 && (c & (1u << 31)) != 0, "CPUID 1 ECX", c);
            if (half == 2 && leaf == 1)
                expect((c & (1u << 2)) == 0, "CPUID 80000001 ECX", c);
        }
    }
    print("%u faults taken\n", attempt_faults);
}

/* --- interrupt commands --- */

static void sweep_commands(void)
{
    static const uint8_t vectors[] = {0, 2, 8, 15, 16, 0x30, 0x41, 0x50, 0xf0, 0xfe, 0xff};
    uint64_t own = own_apic_id();
    unsigned sent = 0;
    for (uint64_t destination = 0; destination < 20; destination++) {
        uint64_t target = destination < 16    ? destination
                          : destination == 16 ? 0xffffffff
                                              : random_number();
        for (uint64_t flags = 0; flags < 256; flags++) {
            uint64_t mode = flags & 7, shorthand = flags >> 6;
            /* An INIT or NMI that reaches oneself is one's own business. */
            bool self = shorthand == 1 || shorthand == 2 || (flags & 8) != 0 || target == own ||
                        target == 0xffffffff;
            if ((mode == 4 || mode == 5) && self && shorthand != 3)
                continue;
            for (unsigned i = 0; i < sizeof vectors; i++) {
                uint64_t command = target << 32 | shorthand << 18 | (flags >> 4 & 3) << 14 |
                                   (flags >> 3 & 1) << 11 | mode << 8 | vectors[i];
                expect(attempt_write_msr(MSR_ICR, command), "command", command);
                sent++;
            }
        }
    }
    print("%u commands written\n", sent);
}

/* --- configuration space --- */

static void sweep_config(void)
{
    struct pci_device device;
    uint32_t before[64];
    if (!pci_device(0, &device)) {
        expect(false, "no device", 0);
        return;
    }
    for (unsigned i = 0; i < 64; i++)
        before[i] = config_read(&device, i * 4);
    uintptr_t registers = pci_bar(&device, 0);
    write32(registers + RECEIVE_BASE, 0x12345680);
    static const uint32_t values[] = {~0u, 0, 0x55555555, 0xfec00000, 0xfee00000};
    for (unsigned offset = 0; offset < 0x1000; offset++) {
        if ((offset & ~3u) == CONFIG_MSIX_CONTROL)
            continue; /* what=msix */
        for (unsigned width = 1; width <= 4; width *= 2)
            if (offset % width == 0)
                for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
                    memory_write(device.config + offset, width, values[i]);
    }
    for (unsigned bar = 0; bar < 6; bar++)
        memory_write(device.config + 0x10 + bar * 4, 4, 0);
    for (unsigned i = 0; i < 64; i++)
        if (i != 1)
            expect(config_read(&device, i * 4) == before[i], "register changed", i * 4);
    for (unsigned offset = 0x100; offset < 0x1000; offset += 4)
        expect(config_read(&device, offset) == 0, "extended space", offset);
    expect((config_read(&device, 4) & 0xffff & ~0x406u) == 0, "command", config_read(&device, 4));
    expect(read32(registers + RECEIVE_BASE) == 0x12345680, "its registers moved", registers);
    unsigned functions = 0;
    for (uintptr_t other = device.config & ~0xfffffull; other < (device.config | 0xfffff);
         other += 0x1000) {
        if (other == device.config)
            continue;
        functions++;
        write32(other + 4, ~0u);
        expect(read32(other) == ~0u && read32(other + 4) == ~0u, "another function", other);
    }
    print("%u other functions are not there\n", functions);
}

/* --- MSI-X --- */

static volatile unsigned interrupts;

static void count_interrupt(void)
{
    interrupts = interrupts + 1;
}

static void sweep_msix(void)
{
    struct pci_device device;
    if (!pci_device(0, &device) || !pci_msix(&device, 0, 0x40)) {
        expect(false, "no device with MSI-X", 0);
        return;
    }
    interrupt_handle(0x40, count_interrupt);
    unsigned capability = config_read(&device, 0x34) & 0xfc;
    uint32_t where = config_read(&device, capability + 4);
    uintptr_t entry = pci_bar(&device, where & 7) + (where & ~7u) + 16; /* the second vector */
    uint32_t own = own_apic_id();
    unsigned tried = 0;
    for (uint32_t core = 0; core < 16; core++) {
        for (uint32_t mode = 0; mode < 8; mode++) {
            for (uint32_t vector = 0; vector < 64; vector += 8) {
                if (core == own && vector >= 16 && mode < 2)
                    continue;
                if (mode > 1 && vector != 8)
                    continue;
                write32(entry + 12, 1);
                write32(entry, 0xfee00000u | core << 12);
                write32(entry + 4, 0);
                write32(entry + 8, mode << 8 | vector);
                write32(entry + 12, 0);
                tried++;
            }
        }
    }
    static const uint32_t addresses[][2] = {
        {0x00100000, 0}, {0xfee00010, 0}, {0xfee00018, 0}, {0xfec00000, 0}, {0xfee00000, 1}};
    for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        write32(entry + 12, 1);
        write32(entry, addresses[i][0] | (addresses[i][0] >> 20 == 0xfee ? own << 12 : 0));
        write32(entry + 4, addresses[i][1]);
        write32(entry + 8, i == 1 || i == 2 ? 5 : 0x40);
        write32(entry + 12, 0);
        tried++;
    }
    expect(read32(entry + 12) == 0, "its own view of the mask", read32(entry + 12));
    print("%u messages tried\n", tried);
    event(tried);
    wait_microseconds(argument_number("hold", 0) * 1000);
}

int guest_main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } sweeps[] = {
        {"msr", sweep_msrs},         {"port", sweep_ports},
        {"call", sweep_calls},       {"instruction", sweep_instructions},
        {"command", sweep_commands}, {"config", sweep_config},
        {"msix", sweep_msix},
    };
    char what[16];
    random_begin(argument_number("seed", 1));
    attempt_begin();
    if (!argument("what", what, sizeof what))
        what[0] = '\0';
    for (unsigned i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++) {
        const char *name = sweeps[i].name;
        size_t at = 0;
        while (name[at] != '\0' && name[at] == what[at])
            at++;
        if (name[at] != what[at])
            continue;
        sweeps[i].run();
        print("%s: %u wrong\n", name, wrong);
        return wrong == 0 ? 0 : 1;
    }
    print("no such sweep: %s\n", what);
    return 2;
}
