/* SPDX-License-Identifier: MIT */
/*
 * Exchanges ICMP echoes with another guest over its virtual function and checks every byte.
 *
 *   ip=10.0.0.1 peer=10.0.0.2 count=1000 [size=64..1400] [mode=poll|msix] [limit=SECONDS]
 *   [questions=any] [gap=MICROSECONDS]
 *
 * Both sides run the same program: each asks `count` times and answers the other's questions. With
 * questions=any somebody, the other side or a third, asks as often by some other program: of these
 * questions only length and checksums are looked at. With count=0 it goes on until it is stopped,
 * whatever the limit, and says once in a thousand answers how it is. A region of its memory holds a
 * pattern that nobody else may change: it is checked at the end.
 */
#include "guest/igbvf/igbvf.h"

void *memcpy(void *restrict destination, const void *restrict source, size_t size);
int memcmp(const void *left, const void *right, size_t size);

#define ETHERTYPE_IP  0x0800
#define ETHERTYPE_ARP 0x0806
#define ARP_REQUEST   1
#define ARP_REPLY     2
#define PROTOCOL_ICMP 1
#define ECHO_REQUEST  8
#define ECHO_REPLY    0
#define HEADERS       42 /* Ethernet, IPv4, ICMP */
#define CANARY_SIZE   (4u << 20)
#define VECTOR_QUEUE  0x40
#define VECTOR_TIMER  0x41
#define TICK          UINT64_C(20000) /* microseconds */
#define LINGER        UINT64_C(500000)
#define REPORT        1000 /* answers */

enum { EXIT_NO_DEVICE = 1, EXIT_TIME, EXIT_BYTES, EXIT_CANARY };

static struct igbvf vf;
static bool msix, any_question;
static uint32_t own_ip, peer_ip;
static uint8_t peer_mac[6];
static bool peer_known;
static uint64_t gap; /* from an answer to the next question: microseconds */
static unsigned count, payload, asked, answered, served, wrong;
static uint64_t last_served;
static uint8_t frame[IGBVF_FRAME_MAX];

/* --- numbers on the wire are big-endian --- */

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint32_t parse_ip(const char *text)
{
    uint32_t address = 0, part = 0;
    for (;; text++) {
        if (*text >= '0' && *text <= '9') {
            part = part * 10 + (uint32_t)(*text - '0');
        } else {
            address = address << 8 | (part & 0xff);
            part = 0;
            if (*text == '\0')
                return address;
        }
    }
}

/* RFC 1071 */
static unsigned checksum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += get16(bytes + i);
    if (size & 1)
        sum += (uint32_t)bytes[size - 1] << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static void send(const uint8_t *bytes, size_t size)
{
    uint64_t end = microseconds() + 1000000;
    while (!igbvf_send(&vf, bytes, size))
        if (microseconds() > end)
            return;
}

/* --- ARP (RFC 826) --- */

static void send_arp(unsigned operation, const uint8_t *to_mac, uint32_t to_ip)
{
    uint8_t arp[60] = {0};
    for (unsigned i = 0; i < 6; i++)
        arp[i] = operation == ARP_REQUEST ? 0xff : to_mac[i];
    memcpy(arp + 6, vf.mac, 6);
    put16(arp + 12, ETHERTYPE_ARP);
    put16(arp + 14, 1); /* Ethernet */
    put16(arp + 16, ETHERTYPE_IP);
    arp[18] = 6;
    arp[19] = 4;
    put16(arp + 20, operation);
    memcpy(arp + 22, vf.mac, 6);
    put32(arp + 28, own_ip);
    if (operation == ARP_REPLY)
        memcpy(arp + 32, to_mac, 6);
    put32(arp + 38, to_ip);
    send(arp, sizeof arp);
}

static void handle_arp(const uint8_t *arp, size_t size)
{
    if (size < 42 || get32(arp + 38) != own_ip)
        return;
    uint32_t sender = get32(arp + 28);
    if (sender == peer_ip) {
        memcpy(peer_mac, arp + 22, 6);
        peer_known = true;
    }
    if (get16(arp + 20) == ARP_REQUEST && (sender == peer_ip || any_question))
        send_arp(ARP_REPLY, arp + 22, sender);
}

/* --- ICMP echo (RFC 792) --- */

/* Every byte of every packet is predictable and differs from packet to packet. */
static uint8_t pattern(unsigned sequence, unsigned index, uint32_t asker)
{
    return (uint8_t)(sequence * 31 + index * 7 + (index >> 8) + asker);
}

static void send_request(void)
{
    uint8_t *packet = frame;
    size_t size = HEADERS + payload;
    memcpy(packet, peer_mac, 6);
    memcpy(packet + 6, vf.mac, 6);
    put16(packet + 12, ETHERTYPE_IP);
    uint8_t *ip = packet + 14;
    ip[0] = 0x45;
    ip[1] = 0;
    put16(ip + 2, 28 + payload);
    put16(ip + 4, asked);
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = PROTOCOL_ICMP;
    put16(ip + 10, 0);
    put32(ip + 12, own_ip);
    put32(ip + 16, peer_ip);
    put16(ip + 10, checksum(ip, 20));
    uint8_t *icmp = packet + 34;
    icmp[0] = ECHO_REQUEST;
    icmp[1] = 0;
    put16(icmp + 2, 0);
    put16(icmp + 4, 0xb01c);
    put16(icmp + 6, asked);
    for (unsigned i = 0; i < payload; i++)
        icmp[8 + i] = pattern(asked, i, own_ip);
    put16(icmp + 2, checksum(icmp, 8 + payload));
    send(packet, size);
}

static bool valid(const uint8_t *packet, size_t size, uint32_t asker)
{
    const uint8_t *ip = packet + 14, *icmp = packet + 34;
    if (size < HEADERS + payload || get16(ip + 2) != 28 + payload || checksum(ip, 20) != 0 ||
        checksum(icmp, 8 + payload) != 0)
        return false;
    bool own_pattern = asker == own_ip || !any_question;
    for (unsigned i = 0; i < payload && own_pattern; i++)
        if (icmp[8 + i] != pattern(get16(icmp + 6), i, asker))
            return false;
    return true;
}

static void answer(uint8_t *packet, size_t size)
{
    uint8_t *ip = packet + 14, *icmp = packet + 34;
    uint32_t asker = get32(ip + 12);
    if (!valid(packet, size, asker)) {
        wrong++;
        return;
    }
    memcpy(packet, packet + 6, 6);
    memcpy(packet + 6, vf.mac, 6);
    put32(ip + 12, own_ip);
    put32(ip + 16, asker);
    icmp[0] = ECHO_REPLY;
    put16(icmp + 2, 0);
    put16(icmp + 2, checksum(icmp, 8 + payload));
    send(packet, HEADERS + payload);
    served++;
    last_served = microseconds();
}

static void handle(uint8_t *packet, size_t size)
{
    if (size >= 42 && get16(packet + 12) == ETHERTYPE_ARP) {
        handle_arp(packet, size);
        return;
    }
    if (size < HEADERS || get16(packet + 12) != ETHERTYPE_IP || packet[23] != PROTOCOL_ICMP ||
        get32(packet + 30) != own_ip)
        return;
    bool from_peer = get32(packet + 26) == peer_ip;
    if (packet[34] == ECHO_REQUEST && (from_peer || any_question)) {
        answer(packet, size);
    } else if (packet[34] == ECHO_REPLY && from_peer && get16(packet + 40) == (asked & 0xffff) &&
               answered < asked + 1) {
        if (valid(packet, size, own_ip))
            answered = asked + 1;
        else
            wrong++;
    }
}

static void queue_interrupt(void)
{
    igbvf_interrupt_done(&vf);
}

static void tick(void)
{
}

static void receive_some(void)
{
    uint8_t packet[IGBVF_FRAME_MAX];
    size_t size;
    while ((size = igbvf_receive(&vf, packet, sizeof packet)) != 0)
        handle(packet, size);
}

/* One turn: in MSI-X mode sleep until the device or the timer has something. */
static void turn(void)
{
    receive_some();
    if (msix) {
        timer_once(VECTOR_TIMER, TICK);
        interrupt_wait();
        receive_some();
    } else {
        __asm__ volatile("pause");
    }
}

static bool meet_peer(uint64_t end)
{
    uint64_t next = 0;
    while (!peer_known) {
        if (microseconds() > end)
            return false;
        if (microseconds() > next) {
            send_arp(ARP_REQUEST, NULL, peer_ip);
            next = microseconds() + 100000;
        }
        turn();
    }
    return true;
}

static void say_how_it_is(void)
{
    print("%u of %u echoes answered, %u served, %u wrong; %llu frames out, %llu in\n", answered,
          count != 0 ? count : asked, served, wrong, (unsigned long long)vf.sent,
          (unsigned long long)vf.received);
}

static bool ask_all(uint64_t end)
{
    for (asked = 0; count == 0 || asked < count; asked++) {
        if (count == 0 && asked != 0 && asked % REPORT == 0)
            say_how_it_is();
        uint64_t again = 0;
        while (answered != asked + 1) {
            if (microseconds() > end)
                return false;
            if (microseconds() >
                again) { /* the peer may not be up yet; a lost frame is asked again */
                send_request();
                again = microseconds() + 200000;
            }
            turn();
        }
        for (uint64_t next = microseconds() + gap; microseconds() < next;) {
            if (microseconds() > end)
                return false;
            turn();
        }
    }
    return true;
}

/* The other side may still be asking. */
static bool serve_rest(uint64_t end)
{
    while (served < count || microseconds() < last_served + LINGER) {
        if (microseconds() > end)
            return served >= count;
        turn();
    }
    return true;
}

static uint8_t canary_byte(size_t index)
{
    return (uint8_t)(index * 13 + (index >> 12) + own_ip);
}

int guest_main(void)
{
    char text[32];
    own_ip = argument("ip", text, sizeof text) ? parse_ip(text) : 0;
    peer_ip = argument("peer", text, sizeof text) ? parse_ip(text) : 0;
    count = (unsigned)argument_number("count", 1000);
    payload = (unsigned)argument_number("size", 56);
    gap = argument_number("gap", 0);
    if (payload > 1400)
        payload = 1400;
    uint64_t end = microseconds() + argument_number("limit", 60) * 1000000;
    if (count == 0)
        end = UINT64_MAX;
    if (own_ip == 0 || peer_ip == 0) {
        print("usage: ip=A.B.C.D peer=A.B.C.D [count=N] [size=N] [mode=poll|msix] [limit=SECONDS] "
              "[questions=any] [gap=MICROSECONDS]\n");
        return EXIT_NO_DEVICE;
    }
    uint8_t *canary = memory_take(CANARY_SIZE);
    for (size_t i = 0; i < CANARY_SIZE; i++)
        canary[i] = canary_byte(i);
    if (!igbvf_open(&vf))
        return EXIT_NO_DEVICE;
    any_question = argument("questions", text, sizeof text);
    msix = argument("mode", text, sizeof text) && text[0] == 'm';
    interrupt_handle(VECTOR_QUEUE, queue_interrupt);
    interrupt_handle(VECTOR_TIMER, tick);
    if (msix && !igbvf_interrupts(&vf, VECTOR_QUEUE)) {
        print("no MSI-X\n");
        return EXIT_NO_DEVICE;
    }
    print("mac %02x:%02x:%02x:%02x:%02x:%02x, %s, asking %s\n", vf.mac[0], vf.mac[1], vf.mac[2],
          vf.mac[3], vf.mac[4], vf.mac[5], msix ? "MSI-X" : "polling",
          argument("peer", text, sizeof text) ? text : "");
    if (msix)
        timer_once(VECTOR_TIMER, TICK); /* measures the timer before exits are counted */
    if (!meet_peer(end)) {
        print("no answer to ARP\n");
        return EXIT_TIME;
    }
    event(1);
    bool done = ask_all(end) && serve_rest(end);
    event(2);
    say_how_it_is();
    if (!done)
        return EXIT_TIME;
    for (size_t i = 0; i < CANARY_SIZE; i++) {
        if (canary[i] != canary_byte(i)) {
            print("memory changed at 0x%llx\n", (unsigned long long)(uintptr_t)(canary + i));
            return EXIT_CANARY;
        }
    }
    print("memory intact\n");
    return wrong == 0 ? 0 : EXIT_BYTES;
}
