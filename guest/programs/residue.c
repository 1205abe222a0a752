/* SPDX-License-Identifier: MIT */
/*
 * Says what its device's registers hold, as the last owner left them, then writes all of them.
 *
 * Every word that is not zero is printed: BAR, offset, value. Counters of time and of traffic are
 * left out. Exits with 0 when it could do that.
 */
#include "guest/runtime/runtime.h"

#define BAR_SIZE 0x4000u /* both BARs of an 82576 VF */
#define VTSTATUS 0x0008u
#define LINK_UP  (1u << 1)
#define FRTIMER  0x1048u

/* 82576 8.26: VFGPRC to VFGOTLBC can be written by nobody. */
static bool counts(unsigned bar, uint32_t offset)
{
    return bar == 0 && (offset == FRTIMER || (offset >= 0xf10 && offset <= 0xf50));
}

static void print_all(unsigned bar, uintptr_t base)
{
    for (uint32_t offset = 0; offset < BAR_SIZE; offset += 4) {
        uint32_t value = counts(bar, offset) ? 0 : read32(base + offset);
        if (value != 0)
            print("BAR %u 0x%x holds 0x%x\n", bar, offset, value);
    }
}

static void write_all(uintptr_t base, uint32_t value)
{
    for (uint32_t offset = 0; offset < BAR_SIZE; offset += 4)
        write32(base + offset, value != 0 ? value : offset * 0x9e3779b1u);
}

int guest_main(void)
{
    static const unsigned bars[] = {0, 3};
    struct pci_device device;
    if (!pci_device(0, &device))
        return 1;
    pci_enable(&device);
    /* The link is the port's: its state is not the owner's doing. */
    uint64_t end = microseconds() + 3000000;
    while ((read32(pci_bar(&device, 0) + VTSTATUS) & LINK_UP) == 0 && microseconds() < end)
        __asm__ volatile("pause");
    for (unsigned i = 0; i < 2; i++)
        print_all(bars[i], pci_bar(&device, bars[i]));
    print("that is all\n");
    for (unsigned i = 0; i < 2; i++) {
        write_all(pci_bar(&device, bars[i]), 0);
        write_all(pci_bar(&device, bars[i]), ~0u);
        write_all(pci_bar(&device, bars[i]), 0);
    }
    return 0;
}
