/* SPDX-License-Identifier: MIT */
// SOURCES: guest/programs/thief.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/base/status.c
/* L8, steps 6 and 7: the attacker, on a modelled card with a switch, beside a neighbour whose
 * memory either can be reached or cannot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/igbvf/igbvf.h"
#include "tests/labs/checks/check.h"
#include "tests/labs/checks/guest_print.h"
#include "tests/unit/support/host.h"

typedef unsigned long long number;

#define NEIGHBOUR      UINT64_C(0x2000000) /* where its memory begins for the device */
#define NEIGHBOUR_SIZE 0x400000u
#define SECRET         0xe0000u
#define PLACE          0x280000u
#define FRAMES         8u

static uint8_t memory[NEIGHBOUR_SIZE]; /* the neighbour's */
static bool confined,
    zeros; /* a unit is on the way; and the device sends zeros where it is blocked */
static uint64_t now, waited_while_armed;
static unsigned opened, sent, sent_plainly, blocked_reads, blocked_writes, writes, looks;
static uint64_t armed; /* head write-back, 0: off */
static uint32_t head;
static char arguments[160], said[2048];

/* --- what arrives at the second function --- */

static struct frame {
    uint8_t bytes[2048];
    size_t size;
} queue[FRAMES];
static unsigned first, count;

static void deliver(const void *bytes, size_t size)
{
    expect(count < FRAMES, "%u frames wait at the second function, and nobody takes them", count);
    struct frame *frame = &queue[(first + count++) % FRAMES];
    memcpy(frame->bytes, bytes, size);
    frame->size = size;
}

/* Somebody else's broadcast, as on any network: nothing that the thief has asked for. */
static void deliver_foreign(size_t size)
{
    uint8_t other[256] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0x99, 0, 1, 0x08, 0x06};
    memset(other + 14, 'x', sizeof other - 14);
    deliver(other, size);
}

/* --- the card --- */

static const uint8_t macs[2][6] = {{2, 0, 0, 0x10, 0, 1}, {2, 0, 0, 0x12, 0, 1}};

/* What the thief sent itself, for an earlier target, and what comes only now. */
static void deliver_late(void)
{
    uint8_t late[80];
    memset(late, 'y', sizeof late);
    memcpy(late, macs[1], 6);
    memcpy(late + 6, macs[0], 6);
    memcpy(late + 12, "\x88\xb5\xff\xff", 4);
    deliver(late, sizeof late);
}

static bool neighbours(uint64_t address)
{
    return address >= NEIGHBOUR && address - NEIGHBOUR < NEIGHBOUR_SIZE;
}

static const char *name_of(const uint8_t *mac)
{
    return memcmp(mac, macs[0], 6) == 0   ? "the first function"
           : memcmp(mac, macs[1], 6) == 0 ? "the second function"
                                          : "nobody here";
}

/* Puts it together as the device does. False: a part could not be read. */
static bool gather(uint8_t *frame, const struct igbvf_part *parts, unsigned parts_count)
{
    for (unsigned i = 0; i < parts_count; i++) {
        const void *from = (const void *)(uintptr_t)parts[i].address;
        if (neighbours(parts[i].address)) {
            from = memory + (parts[i].address - NEIGHBOUR);
            if (confined)
                blocked_reads++;
            if (confined && !zeros)
                return false;
        } else {
            expect(parts[i].address >= UINT64_C(0x100000000),
                   "part %u of the frame is at %#llx, which is neither the target nor memory of "
                   "the thief's own",
                   i, (number)parts[i].address);
        }
        if (neighbours(parts[i].address) && confined)
            memset(frame, 0, parts[i].size);
        else
            memcpy(frame, from, parts[i].size);
        frame += parts[i].size;
    }
    return true;
}

static void write_head(void)
{
    head++;
    if (armed == 0)
        return;
    expect(neighbours(armed), "the ring position is stored at %#llx, and the target was %#llx",
           (number)armed, (number)(NEIGHBOUR + PLACE));
    writes++;
    if (confined)
        blocked_writes++;
    else
        memcpy(memory + (armed - NEIGHBOUR), &head, sizeof head);
}

static void transmit(struct igbvf *vf, const struct igbvf_part *parts, unsigned parts_count)
{
    uint8_t frame[2048];
    size_t size = 0;
    for (unsigned i = 0; i < parts_count; i++)
        size += parts[i].size;
    expect(vf->mac[3] == macs[0][3] || vf->mac[3] == macs[1][3],
           "a device that was not opened sends");
    expect(size >= 60 && size <= IGBVF_FRAME_MAX,
           "a frame of %zu bytes: the smallest is 60, the largest %u", size, IGBVF_FRAME_MAX);
    bool whole = gather(frame, parts, parts_count);
    write_head();
    if (!whole)
        return;
    expect(memcmp(frame + 6, vf->mac, 6) == 0,
           "the frame's source is %02x:%02x:%02x:%02x:%02x:%02x (%s), and %s sends it: the switch "
           "drops what does not carry its sender's address. %s",
           frame[6], frame[7], frame[8], frame[9], frame[10], frame[11], name_of(frame + 6),
           name_of(vf->mac),
           memcmp(frame + 6, macs[0], 6) == 0
               ? "sender.mac is the source that write_header() gives, so the first function sends"
               : "A frame begins with destination, source and type: is the header the first part?");
    if (memcmp(frame, macs[1], 6) == 0 && vf->mac[3] == macs[0][3])
        deliver(frame, size);
}

void igbvf_send_parts(struct igbvf *vf, const struct igbvf_part *parts, unsigned parts_count)
{
    sent++;
    expect(parts_count >= 1 && parts_count < IGBVF_RING, "a frame of %u parts", parts_count);
    transmit(vf, parts, parts_count);
}

void igbvf_send_from(struct igbvf *vf, uint64_t address, size_t size)
{
    const struct igbvf_part part = {address, size};
    sent_plainly++;
    transmit(vf, &part, 1);
}

bool igbvf_send(struct igbvf *vf, const void *frame, size_t size)
{
    igbvf_send_from(vf, (uint64_t)(uintptr_t)frame, size);
    return true;
}

size_t igbvf_receive(struct igbvf *vf, void *frame, size_t size)
{
    expect(++looks < 100000, "the thief looks for a frame that does not come, again and again: a "
                             "read that is blocked brings none, so LIMIT must end the wait");
    if (vf->mac[3] != macs[1][3] || count == 0)
        return 0;
    struct frame *next = &queue[first++ % FRAMES];
    count--;
    size_t length = next->size < size ? next->size : size;
    memcpy(frame, next->bytes, length);
    return length;
}

void igbvf_head_write_back(struct igbvf *vf, uint64_t address)
{
    expect(vf->mac[3] == macs[0][3], "head write-back is set in the second function, and the first "
                                     "one sends");
    armed = address & ~UINT64_C(3);
}

void igbvf_head_write_back_off(struct igbvf *vf)
{
    expect(vf->mac[3] == macs[0][3],
           "head write-back is turned off in the second function; the first one has it, and goes "
           "on storing");
    armed = 0;
}

bool igbvf_open_number(struct igbvf *vf, unsigned index)
{
    memset(vf, 0, sizeof *vf);
    memcpy(vf->mac, macs[index], 6);
    opened++;
    return index < 2;
}

bool igbvf_sent_all(struct igbvf *vf)
{
    return true;
}

/* --- the runtime --- */

uint64_t microseconds(void)
{
    return now += 10;
}

void sleep_microseconds(uint64_t time)
{
    now += time;
    waited_while_armed += armed != 0 ? time : 0;
}

void wait_microseconds(uint64_t time)
{
    sleep_microseconds(time);
}

bool argument_item(const char *key, unsigned index, uint64_t *value)
{
    const char *at = strstr(arguments, key);
    for (at = at == NULL ? NULL : at + strlen(key) + 1; at != NULL && index > 0; index--) {
        at += strcspn(at, ", ");
        at = *at == ',' ? at + 1 : NULL;
    }
    if (at != NULL)
        *value = strtoull(at, NULL, 0);
    return at != NULL;
}

uint64_t argument_number(const char *key, uint64_t otherwise)
{
    return otherwise;
}

uint64_t memory_size(void)
{
    return NEIGHBOUR;
}

void print(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const char *line = printed(format, list);
    va_end(list);
    if (line != NULL)
        snprintf(said + strlen(said), sizeof said - strlen(said), "%s", line);
}

/* --- the questions --- */

static void run(const char *what)
{
    asking("guest_main() with %s", what);
    snprintf(arguments, sizeof arguments, "%s", what);
    said[0] = '\0';
    sent = sent_plainly = blocked_reads = blocked_writes = writes = looks = opened = 0;
    armed = waited_while_armed = 0;
    first = count = 0;
}

static unsigned secret;

static void fresh(void)
{
    for (unsigned i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)(i * 11 + (i >> 12));
    secret = seeded("secret", 1000, 9999, 1234);
    memset(memory + SECRET, 0, 128);
    snprintf((char *)memory + SECRET, 64, "ticks=900 secret=heron-%u", secret);
    confined = zeros = false;
}

static void expect_said(const char *text, const char *why)
{
    expect(strstr(said, text) != NULL, "the thief does not say \"%s\": %s; it says: %s", text, why,
           said[0] != '\0' ? said : "nothing");
}

static void steals(void)
{
    char wanted[80];
    snprintf(wanted, sizeof wanted, "'ticks=900 secret=heron-%u'", secret);
    run("read=0x20e0000");
    int status = guest_main();
    expect(sent > 0,
           "nothing was sent with igbvf_send_parts(): what is to be read is the last part "
           "of a frame, and the device fetches it");
    expect(strstr(said, "nothing came from") == NULL || count == 0,
           "the frame with the neighbour's memory lies at the second function, and the thief says "
           "that nothing came: what it takes for its own frame is HEADER + SIZE bytes with this "
           "attempt's header");
    expect(strstr(said, "nothing came from") == NULL,
           "nothing came from the neighbour's memory, which can be reached: does the header go to "
           "the second function, is the target the second part, and does the second function "
           "receive it?");
    expect_said(wanted, "what follows the header is what was at the target");
    expect(status == 0, "the thief ends with status %d", status);

    run("read=0x20e0000");
    deliver_foreign(80); /* as long as the stolen frame */
    deliver_foreign(64);
    (void)guest_main();
    expect_said(wanted,
                "other frames arrive as well, some as long as the one it waits for; its own "
                "is told by the header");
    expect(strstr(said, "xxxx") == NULL,
           "a frame that somebody else sent is taken for stolen memory");
    run("read=0x20e0000");
    deliver_late();
    (void)guest_main();
    expect_said(wanted, "a frame of an earlier attempt may come late; the attempt's number at the "
                        "end of the header tells them apart");
}

static void steals_several(void)
{
    run("read=0x20e0000,0x2000010");
    (void)guest_main();
    char wanted[40];
    uint64_t word;
    memcpy(&word, memory + 0x10, sizeof word);
    snprintf(wanted, sizeof wanted, "from 0x2000010: %016llx", (number)word);
    expect_said(wanted, "each target has bytes of its own");
    expect(memcmp(memory + SECRET, "ticks=900", 9) == 0 && writes == 0,
           "reading has changed the neighbour's memory");
}

static void is_blocked(void)
{
    confined = true;
    run("read=0x20e0000");
    (void)guest_main();
    expect_said("nothing came from 0x20e0000",
                "the read was blocked, no frame comes, and steal() is false then");
    expect(blocked_reads > 0, "the thief did not even try to read");
    zeros = true;
    run("read=0x20e0000");
    (void)guest_main();
    expect_said("nothing came from 0x20e0000", "the device sent zeros");
}

static void overwrites(void)
{
    uint32_t before, after;
    fresh();
    memcpy(&before, memory + PLACE, sizeof before);
    run("write=0x2280000");
    (void)guest_main();
    expect(sent + sent_plainly > 0,
           "no frame was sent: the device stores its ring position when a frame has left");
    expect(writes > 0,
           "nothing was stored at %#llx: igbvf_head_write_back() says where, before the "
           "frame is sent",
           (number)(NEIGHBOUR + PLACE));
    memcpy(&after, memory + PLACE, sizeof after);
    expect(before != after, "the neighbour's memory at %#llx is what it was",
           (number)(NEIGHBOUR + PLACE));
    expect(writes == 1, "the ring position was stored %u times, once was asked for", writes);
    expect(armed == 0,
           "head write-back is still on: every frame that is sent from now on writes to "
           "%#llx as well (igbvf_head_write_back_off())",
           (number)armed);
    expect(waited_while_armed >= 1000,
           "head write-back goes off at once: the device has not sent the frame yet, and stores "
           "nothing when it does");
    memcpy(memory + PLACE, &before, sizeof before);
    for (unsigned i = 0; i < sizeof memory; i++)
        expect(i - SECRET < 128 || memory[i] == (uint8_t)(i * 11 + (i >> 12)),
               "byte %#x of the neighbour's memory was changed, and nobody has asked for that", i);
    confined = true;
    run("write=0x2280000");
    (void)guest_main();
    expect(blocked_writes > 0, "the thief did not even try to write");
}

void lab_check(void)
{
    fresh();
    steals();
    steals_several();
    is_blocked();
    overwrites();
}
