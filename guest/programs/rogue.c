/* SPDX-License-Identifier: MIT */
/*
 * Makes its device read and write memory that is not its own.
 *
 *   targets=ADDRESS,ADDRESS,... [rounds=N] [pause=MICROSECONDS]
 *   rounds=0: until it is stopped
 *
 * A read: a transmit descriptor whose buffer is the target. A write: head write-back, with which
 * the device stores its ring position at the target once a frame has left. Ends when its device no
 * longer masters the bus (exit 0) or when all rounds are over (exit 0 too: that nothing was reached
 * is for the others and the hypervisor to say).
 */
#include "guest/igbvf/igbvf.h"

#define STEP      0x1000u
#define ROUND_MAX 1024 /* then from the target again */

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

/* Whether there is a device to attack with. One that was taken away may come back, as if just
 * switched on. */
static bool device_is_there(void)
{
    struct pci_device any;
    if ((uint16_t)config_read(&vf.pci, 0) != 0xffff && pci_is_bus_master(&vf.pci))
        return true;
    return pci_device(0, &any) && igbvf_open(&vf);
}

/* 0 or 2: the device is off the bus, and stays off or not. */
static int taken_off(unsigned accesses)
{
    print("my device was taken off the bus after %u accesses\n", accesses);
    pci_enable(&vf.pci);
    if (!pci_is_bus_master(&vf.pci))
        return 0;
    print("... and I could put it back\n");
    return 2;
}

int guest_main(void)
{
    uint64_t rounds = argument_number("rounds", 4);
    uint64_t pause = argument_number("pause", 20000);
    bool endless = rounds == 0;
    unsigned accesses = 0;
    uint64_t target;
    if (!argument_item("targets", 0, &target)) {
        print("usage: targets=ADDRESS,... [rounds=N] [pause=MICROSECONDS]; rounds=0: no end\n");
        return 1;
    }
    if (!igbvf_open(&vf))
        return 1;
    for (uint64_t round = 0; endless || round < rounds; round++) {
        for (unsigned i = 0; argument_item("targets", i, &target); i++) {
            target += round % ROUND_MAX * STEP;
            for (unsigned write = 0; write < 2; write++) {
                if (endless && !device_is_there()) {
                    sleep_microseconds(pause);
                    continue;
                }
                if (!pci_is_bus_master(&vf.pci))
                    return taken_off(accesses);
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
