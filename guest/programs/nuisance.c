/* SPDX-License-Identifier: MIT */
/*
 * Talks nonsense to its NIC: messages that the PF must refuse, more messages than anybody reads,
 * and any value in any of its virtual function's registers.
 *
 *   act=messages|registers [seed=N] [count=N]
 *
 * Exits with 0 when every message was answered as it should be (registers: always).
 */
#include "guest/igbvf/igbvf.h"

#define MEMORY       0x800u /* VMBMEM, 82576 8.26 */
#define MAILBOX      0xc40u /* V2PMAILBOX */
#define REQUEST      (1u << 0)
#define ACKNOWLEDGE  (1u << 1)
#define VF_OWNS      (1u << 2)
#define PF_SENT      (1u << 4)
#define ANSWERED_NO  (1u << 30)
#define SET_MAC      2u
#define SET_VLAN     4u
#define SET_LENGTH   5u
#define REGISTERS    0x4000u
#define ANSWER_LIMIT UINT64_C(5000000) /* microseconds */

static struct igbvf vf;
static uint64_t seed;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static bool put_message(uint32_t first, uint32_t second, uint32_t third)
{
    uint64_t end = microseconds() + ANSWER_LIMIT;
    do {
        if (microseconds() > end)
            return false;
        write32(vf.registers + MAILBOX, VF_OWNS);
    } while ((read32(vf.registers + MAILBOX) & VF_OWNS) == 0);
    write32(vf.registers + MEMORY, first);
    write32(vf.registers + MEMORY + 4, second);
    write32(vf.registers + MEMORY + 8, third);
    write32(vf.registers + MAILBOX, REQUEST);
    return true;
}

static bool refused(uint32_t first, uint32_t second, uint32_t third)
{
    uint64_t end = microseconds() + ANSWER_LIMIT;
    if (!put_message(first, second, third))
        return false;
    while ((read32(vf.registers + MAILBOX) & PF_SENT) == 0) {
        if (microseconds() > end)
            return false;
        wait_microseconds(100);
    }
    uint32_t answer = read32(vf.registers + MEMORY);
    write32(vf.registers + MAILBOX, ACKNOWLEDGE);
    if ((answer & ANSWERED_NO) != 0)
        return true;
    print("message 0x%x was answered with 0x%x\n", first, answer);
    return false;
}

static int messages(uint64_t count)
{
    uint32_t low = (uint32_t)vf.mac[0] | (uint32_t)vf.mac[1] << 8 | (uint32_t)vf.mac[2] << 16 |
                   (uint32_t)vf.mac[3] << 24;
    uint32_t high = (uint32_t)vf.mac[4] | (uint32_t)vf.mac[5] << 8;
    bool right = refused(SET_MAC, low ^ 1u << 16, high) && refused(SET_MAC, ~0u, ~0u) &&
                 refused(SET_VLAN | 1u << 16, 5000, 0) && refused(SET_LENGTH, 10, 0) &&
                 refused(SET_LENGTH, 100000, 0) && refused(6, 0, 0) && refused(0xff, 0, 0) &&
                 refused(0xffff, 1, 2);
    print("what must be refused was %s\n", right ? "refused" : "not refused");
    for (uint64_t i = 0; i < count; i++) {
        write32(vf.registers + MAILBOX, VF_OWNS);
        for (uint32_t word = 0; word < 16; word++)
            write32(vf.registers + MEMORY + word * 4, (uint32_t)random_number());
        write32(vf.registers + MAILBOX, (uint32_t)random_number() | REQUEST);
    }
    bool again = igbvf_open(&vf);
    print("after %u messages the PF %s\n", (unsigned)count, again ? "still answers" : "is silent");
    return right && again ? 0 : 1;
}

static int registers(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t offset = (uint32_t)random_number() % REGISTERS & ~3u;
        write32(vf.registers + offset, (uint32_t)random_number());
        (void)read32(vf.registers + offset);
    }
    print("%u registers written\n", (unsigned)count);
    return 0;
}

int guest_main(void)
{
    char act[16];
    seed = argument_number("seed", 1) | UINT64_C(1) << 63;
    if (!argument("act", act, sizeof act) || !igbvf_open(&vf))
        return 2;
    uint64_t count = argument_number("count", 2000);
    return act[0] == 'm' ? messages(count) : registers(count);
}
