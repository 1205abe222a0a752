/* SPDX-License-Identifier: MIT */
/*
 * Owns the PF of an 82576 and lets the card fetch for one of its VFs: a transmit ring of VF `vf`
 * that begins at `address`. The request carries the VF's requester id, so it is judged by the
 * tables of that VF's guest, not by this one's.
 *
 *   vf=N address=GUEST_PHYSICAL limit=SECONDS
 *
 * Repeats that for so long, since the VF's guest has to let its function master the bus first.
 * Exits with 0; 1 without the card.
 */
#include "guest/runtime/runtime.h"

/* Registers of the PF, 82576 datasheet 8.2 to 8.14 */
#define TCTL         0x0400u
#define VFTE         0x0c90u
#define MRQC         0x5818u
#define TDBAL(queue) (0xe000u + 0x40 * (queue))
#define TDBAH(queue) (0xe004u + 0x40 * (queue))
#define TDLEN(queue) (0xe008u + 0x40 * (queue))
#define TDH(queue)   (0xe010u + 0x40 * (queue))
#define TDT(queue)   (0xe018u + 0x40 * (queue))
#define TXDCTL(q)    (0xe028u + 0x40 * (q))

#define TCTL_ENABLE   (1u << 1)
#define MRQC_POOLS    3u /* VMDq: a queue belongs to pool `queue` % 8 */
#define TXDCTL_ENABLE (1u << 25)
#define RING_SIZE     128u

int guest_main(void)
{
    struct pci_device device;
    uint32_t vf = (uint32_t)argument_number("vf", 0);
    uint64_t address = argument_number("address", 0);
    uint64_t end = microseconds() + argument_number("limit", 5) * 1000000;
    if (!pci_device(0, &device) || device.device != 0x10c9) {
        print("there is no 82576 on my bus\n");
        return 1;
    }
    uintptr_t registers = pci_bar(&device, 0);
    pci_enable(&device);
    write32(registers + MRQC, MRQC_POOLS);
    write32(registers + TCTL, TCTL_ENABLE);
    while (microseconds() < end) {
        write32(registers + VFTE, 0xff); /* the VF's reset clears its bit */
        write32(registers + TXDCTL(vf), 0);
        write32(registers + TDBAL(vf), (uint32_t)address);
        write32(registers + TDBAH(vf), (uint32_t)(address >> 32));
        write32(registers + TDLEN(vf), RING_SIZE);
        write32(registers + TDH(vf), 0);
        write32(registers + TXDCTL(vf), TXDCTL_ENABLE);
        write32(registers + TDT(vf), 1);
        sleep_microseconds(100000);
    }
    print("let VF %u fetch at 0x%llx\n", vf, (unsigned long long)address);
    return 0;
}
