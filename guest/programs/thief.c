/* SPDX-License-Identifier: MIT */
/*
 * Has two virtual functions that reach for memory which is not this guest's, and says what it got.
 *
 *   read=ADDRESS,... [write=ADDRESS,...] [settle=MICROSECONDS] [pause=MICROSECONDS]
 *
 * A read: the first function sends a frame to the second, whose last part is what is at the target.
 * A write: head write-back, with which the first function stores its ring position at the target.
 * Both work wherever the function's DMA is not confined. Ends with 0: whether something was reached
 * is for the reader of its output, the others and the hypervisor to say.
 */
#include "guest/igbvf/igbvf.h"

#define HEADER 16u /* both MAC addresses, type, number of the attempt */
#define SIZE   64u
#define FRAME  60u              /* the smallest */
#define LIMIT  UINT64_C(200000) /* microseconds for a frame from one function to the other */

void *memcpy(void *restrict destination, const void *restrict source, size_t size);
int memcmp(const void *left, const void *right, size_t size);

static struct igbvf sender, receiver;

/* The begin of a frame from the one to the other. No two are the same. */
static void write_header(uint8_t header[HEADER])
{
    static uint16_t attempt;
    attempt++;
    memcpy(header, receiver.mac, 6);
    memcpy(header + 6, sender.mac, 6);
    header[12] = 0x88; /* local experimental EtherType (IEEE 802) */
    header[13] = 0xb5;
    memcpy(header + 14, &attempt, sizeof attempt);
}

/* SIZE bytes from `target`; false when they did not come in LIMIT. */
static bool steal(uint64_t target, uint8_t stolen[SIZE])
{
    static uint8_t header[HEADER], frame[IGBVF_FRAME_MAX];
    write_header(header);
    const struct igbvf_part parts[] = {{(uint64_t)(uintptr_t)header, HEADER}, {target, SIZE}};
    igbvf_send_parts(&sender, parts, 2);
    uint64_t end = microseconds() + LIMIT;
    while (microseconds() < end) {
        if (igbvf_receive(&receiver, frame, sizeof frame) != HEADER + SIZE ||
            memcmp(frame, header, HEADER) != 0)
            continue;
        memcpy(stolen, frame + HEADER, SIZE);
        return true;
    }
    return false;
}

/* Four bytes at `target`, once. */
static void overwrite(uint64_t target)
{
    static uint8_t frame[FRAME];
    write_header(frame);
    igbvf_head_write_back(&sender, target);
    igbvf_send_from(&sender, (uint64_t)(uintptr_t)frame, sizeof frame);
    sleep_microseconds(LIMIT);
    igbvf_head_write_back_off(&sender);
}

/* Devices that go on after a blocked read send zeros. */
static bool is_empty(const uint8_t stolen[SIZE])
{
    unsigned used = 0;
    for (unsigned i = 0; i < SIZE; i++)
        used += stolen[i] != 0;
    return used == 0;
}

static void show(uint64_t target, const uint8_t stolen[SIZE])
{
    char text[SIZE + 1] = "";
    uint64_t words[2];
    memcpy(words, stolen, sizeof words);
    for (unsigned i = 0; i < SIZE && stolen[i] >= ' ' && stolen[i] <= '~'; i++)
        text[i] = (char)stolen[i];
    print("stole from 0x%llx: %016llx %016llx '%s'\n", (unsigned long long)target,
          (unsigned long long)words[0], (unsigned long long)words[1], text);
}

int guest_main(void)
{
    uint64_t pause = argument_number("pause", 60000), target;
    uint8_t stolen[SIZE];
    if (!argument_item("read", 0, &target) && !argument_item("write", 0, &target)) {
        print("usage: read=ADDRESS,... [write=ADDRESS,...] [settle=MICROSECONDS] "
              "[pause=MICROSECONDS]\n");
        return 1;
    }
    if (!igbvf_open_number(&sender, 0) || !igbvf_open_number(&receiver, 1))
        return 1;
    sleep_microseconds(argument_number("settle", 300000)); /* whoever is robbed begins meanwhile */
    for (unsigned i = 0; argument_item("read", i, &target); i++) {
        if (steal(target, stolen) && !is_empty(stolen))
            show(target, stolen);
        else
            print("nothing came from 0x%llx\n", (unsigned long long)target);
        sleep_microseconds(pause); /* a unit keeps one record a requester until it is read */
    }
    for (unsigned i = 0; argument_item("write", i, &target); i++) {
        overwrite(target);
        print("wrote to 0x%llx, if my device may\n", (unsigned long long)target);
        sleep_microseconds(pause);
    }
    return 0;
}
