/* SPDX-License-Identifier: MIT */
/*
 * Makes its device read and write memory that is not its own.
 *
 *   targets=ADDRESS,ADDRESS,... [rounds=N] [pause=MICROSECONDS]
 *
 * A read: a transmit descriptor whose buffer is the target. A write: head write-back, with which
 * the device stores its ring position at the target once a frame has left. Ends when its device no
 * longer masters the bus (exit 0) or when all rounds are over (exit 0 too: that nothing was reached
 * is for the others and the hypervisor to say).
 */
#include "guest/igbvf/igbvf.h"

#define STEP 0x1000u

static struct igbvf vf;

static void attack_read(uint64_t target)
{
    igbvf_send_from(&vf, target, 64);
}

static void attack_write(uint64_t target)
{
    static uint8_t frame[60]; /* to nobody: a locally administered address that no one has */
    frame[0] = 0x02;
    frame[5] = 0xee;
    frame[6] = vf.mac[0];
    igbvf_head_write_back(&vf, target);
    igbvf_send_from(&vf, (uint64_t)(uintptr_t)frame, sizeof frame);
}

int guest_main(void)
{
    uint64_t rounds = argument_number("rounds", 4);
    uint64_t pause = argument_number("pause", 20000);
    unsigned accesses = 0;
    uint64_t target;
    if (!argument_item("targets", 0, &target)) {
        print("usage: targets=ADDRESS,... [rounds=N] [pause=MICROSECONDS]\n");
        return 1;
    }
    if (!igbvf_open(&vf))
        return 1;
    for (uint64_t round = 0; round < rounds; round++) {
        for (unsigned i = 0; argument_item("targets", i, &target); i++) {
            target += round * STEP;
            for (unsigned write = 0; write < 2; write++) {
                if (!pci_is_bus_master(&vf.pci)) {
                    print("my device was taken off the bus after %u accesses\n", accesses);
                    pci_enable(&vf.pci);
                    if (pci_is_bus_master(&vf.pci)) {
                        print("... and I could put it back\n");
                        return 2;
                    }
                    return 0;
                }
                if (write != 0)
                    attack_write(target);
                else
                    attack_read(target);
                accesses++;
                sleep_microseconds(
                    pause); /* a unit keeps one record a requester until it is read */
            }
        }
    }
    print("%u accesses made\n", accesses);
    return 0;
}
