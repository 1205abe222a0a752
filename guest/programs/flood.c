/* SPDX-License-Identifier: MIT */
/*
 * Does one thing with its virtual function as often as it can.
 *
 *   act=faults target=ADDRESS count=N [calm=N]  has its device fetch N descriptors from there, and
 *              [pause=MICROSECONDS]             before that `calm` from its own memory; these, and
 *                                               as many of the others, with pauses between
 *   act=interrupts count=N                      has its device interrupt it N times
 *   act=wire frames=N count=N                   sends frames with another's address, with a VLAN
 *                                               that it has not, and pause frames; then puts N
 *                                               requests into the mailbox
 *
 * Begins `after` milliseconds, when the others are at work. Event 1 comes before and event 3 after
 * it, event 2 behind what is only preparation. Exits with 0 when the device works still, with 3
 * when it was taken off the bus, with 1 when the other side gave up.
 */
#include "guest/igbvf/igbvf.h"

#define MEMORY  0x800u /* VMBMEM, 82576 8.26 */
#define MAILBOX 0xc40u /* V2PMAILBOX */
#define REQUEST (1u << 0)
#define VF_OWNS (1u << 2)
#define SET_MAC 2u
#define VECTOR  0x50
#define RING    4096u /* descriptors */

enum { EXIT_SILENCED = 1, EXIT_USAGE, EXIT_OFF_THE_BUS };

static struct igbvf vf;
static volatile uint64_t interrupts;

/* An empty descriptor is fetched and skipped, and so is one that cannot be read: what the device
 * does differs in the address only. */
static void fetch(uint64_t ring, uint64_t count, uint64_t paced, uint64_t pause)
{
    igbvf_ring_elsewhere(&vf, ring, RING);
    for (uint64_t i = 1; i <= count; i++) {
        igbvf_ring_end(&vf, (unsigned)(i % RING));
        if (i <= paced)
            wait_microseconds(pause);
    }
}

static int flood_faults(uint64_t count)
{
    uint64_t target, calm = argument_number("calm", 0), pause = argument_number("pause", 0);
    if (!argument_item("target", 0, &target))
        return EXIT_USAGE;
    fetch((uint64_t)(uintptr_t)memory_take(RING * sizeof(struct igbvf_descriptor)), calm, calm,
          pause);
    event(2);
    fetch(target, count, calm, pause);
    return pci_is_bus_master(&vf.pci) ? 0 : EXIT_OFF_THE_BUS;
}

static void count_interrupt(void)
{
    interrupts = interrupts + 1;
}

static int flood_interrupts(uint64_t count)
{
    interrupt_handle(VECTOR, count_interrupt);
    if (!igbvf_interrupts(&vf, VECTOR))
        return EXIT_USAGE;
    event(2);
    interrupts_on();
    for (uint64_t i = 0; i < count; i++) {
        igbvf_raise_interrupt(&vf);
        igbvf_interrupt_done(&vf);
    }
    wait_microseconds(1000);
    interrupts_off();
    print("%llu interrupts asked for, %llu came\n", (unsigned long long)count,
          (unsigned long long)interrupts);
    return interrupts >= count / 2 ? 0 : EXIT_SILENCED; /* pending ones do not come twice */
}

static void send(const uint8_t *frame, size_t size)
{
    while (!igbvf_send(&vf, frame, size))
        __asm__ volatile("pause");
}

static bool flood_frames(uint64_t count)
{
    static uint8_t forged[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static uint8_t tagged[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x81, 0x00, 0x00, 0x05};
    /* IEEE 802.3 annex 31B: to the MAC control address, opcode 1, as long as can be asked for */
    static uint8_t pause[60] = {
        0x01, 0x80, 0xc2, 0x00, 0x00, 0x01, [12] = 0x88, 0x08, 0x00, 0x01, 0xff, 0xff};
    for (unsigned i = 0; i < 6; i++)
        forged[6 + i] = tagged[6 + i] = pause[6 + i] = vf.mac[i];
    forged[8] ^= 2; /* VF 0's, when this is VF 2: they differ in this byte */
    for (uint64_t i = 0; i < count; i++) {
        send(forged, sizeof forged);
        send(tagged, sizeof tagged);
        send(pause, sizeof pause);
    }
    uint64_t end = microseconds() + 1000000;
    while (!igbvf_sent_all(&vf) && microseconds() < end)
        __asm__ volatile("pause");
    return igbvf_sent_all(&vf);
}

static int flood_wire(uint64_t count)
{
    bool sent = flood_frames(argument_number("frames", 0));
    event(2);
    for (uint64_t i = 0; i < count; i++) {
        write32(vf.registers + MAILBOX, VF_OWNS);
        write32(vf.registers + MEMORY, SET_MAC);
        write32(vf.registers + MEMORY + 4, (uint32_t)i);
        write32(vf.registers + MAILBOX, REQUEST);
    }
    bool again = igbvf_open(&vf);
    print("after %llu messages the PF %s\n", (unsigned long long)count,
          again ? "still answers" : "is silent");
    return sent && again ? 0 : EXIT_SILENCED;
}

int guest_main(void)
{
    char act[16];
    uint64_t count = argument_number("count", 1000);
    if (!argument("act", act, sizeof act) || !igbvf_open(&vf))
        return EXIT_USAGE;
    sleep_microseconds(argument_number("after", 0) * 1000);
    event(1);
    int status = act[0] == 'w'   ? flood_wire(count)
                 : act[0] == 'i' ? flood_interrupts(count)
                                 : flood_faults(count);
    event(3);
    return status;
}
