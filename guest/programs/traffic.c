/* SPDX-License-Identifier: MIT */
/*
 * Measures its two virtual functions, one the generator of packets and one the sink, with the TSC:
 * where that counts instructions (QEMU with -icount, Bochs) the same image on the bare machine and
 * as a guest tells what a hypervisor costs.
 *
 *   sizes=64,1500 [apic_count=N]        polling first, then with MSI-X
 *   neighbour=idle | neighbour=exits    beside one that measures: sleeps, or only takes exits
 *
 * Prints `measure what=... mode=... size=... count=... min=... median=... max=...`: batch, a batch
 * of packets sent and received; trip, one packet there and back; then device and timer, from the
 * instruction that makes the device or the timer interrupt to the handler, and software, the same
 * way by INT. Exits can be counted between events 1 and 2 (packets, once for each mode), 3 and 4
 * (timer ticks), the second 4 and 5 (a second of idleness).
 */
#include "guest/igbvf/igbvf.h"

#define BATCH   32u
#define SAMPLES 101u
#define TICKS   100u
#define SECOND  UINT64_C(1000000)
#define TICK    UINT64_C(10000)

#define VECTOR_SINK      0x50
#define VECTOR_GENERATOR 0x51
#define VECTOR_TIMER     0x52
#define VECTOR_SOFTWARE  0x53
#define MSR_LVT_TIMER    0x832
#define MSR_INITIAL      0x838
#define MSR_DIVIDE       0x83e
#define DIVIDE_BY_1      0xb

enum { EXIT_NO_DEVICE = 1, EXIT_LOST };

static struct igbvf generator, sink;
static bool msix;
static volatile unsigned generator_interrupts, sink_interrupts;
static volatile uint64_t handled_at;
static uint64_t samples[SAMPLES];
static uint8_t frame[IGBVF_FRAME_MAX], received[IGBVF_FRAME_MAX];

static void write_msr(uint32_t msr, uint32_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(value), "d"(0) : "memory");
}

static void sink_interrupt(void)
{
    handled_at = time_stamp();
    sink_interrupts++;
    igbvf_interrupt_done(&sink);
}

static void generator_interrupt(void)
{
    generator_interrupts++;
    igbvf_interrupt_done(&generator);
}

static void plain_interrupt(void)
{
    handled_at = time_stamp();
}

static void report(const char *what, unsigned size)
{
    for (unsigned i = 1; i < SAMPLES; i++)
        for (unsigned k = i; k != 0 && samples[k - 1] > samples[k]; k--) {
            uint64_t swapped = samples[k];
            samples[k] = samples[k - 1];
            samples[k - 1] = swapped;
        }
    print("measure what=%s mode=%s size=%u count=%u min=%llu median=%llu max=%llu\n", what,
          msix ? "msix" : "poll", size, SAMPLES, (unsigned long long)samples[0],
          (unsigned long long)samples[SAMPLES / 2], (unsigned long long)samples[SAMPLES - 1]);
}

static void address(const struct igbvf *from, const struct igbvf *to)
{
    for (unsigned i = 0; i < 6; i++) {
        frame[i] = to->mac[i];
        frame[6 + i] = from->mac[i];
    }
    frame[12] = 0x88; /* local experimental EtherType (IEEE 802) */
    frame[13] = 0xb5;
}

static void send(struct igbvf *from, size_t size)
{
    while (!igbvf_send(from, frame, size))
        ;
}

/* One packet; with MSI-X not before its interrupt. False when it is not what was sent. */
static bool receive(struct igbvf *at, const volatile unsigned *interrupts, unsigned seen,
                    size_t size)
{
    while (msix && *interrupts == seen)
        interrupt_wait();
    size_t length;
    while ((length = igbvf_receive(at, received, sizeof received)) == 0)
        ;
    return length == size && received[size - 1] == frame[size - 1];
}

/* Polling, a batch is sent and then received; with MSI-X each packet has its interrupt. */
static bool batch(size_t size)
{
    bool well = true;
    for (unsigned i = 0; i < BATCH; i++) {
        unsigned seen = sink_interrupts;
        send(&generator, size);
        if (msix)
            well = receive(&sink, &sink_interrupts, seen, size) && well;
    }
    for (unsigned i = 0; i < BATCH && !msix; i++)
        well = receive(&sink, &sink_interrupts, 0, size) && well;
    return well;
}

static bool trip(size_t size)
{
    unsigned seen = sink_interrupts;
    address(&generator, &sink);
    send(&generator, size);
    bool well = receive(&sink, &sink_interrupts, seen, size);
    seen = generator_interrupts;
    address(&sink, &generator);
    send(&sink, size);
    return receive(&generator, &generator_interrupts, seen, size) && well;
}

static bool measure(const char *what, bool (*one)(size_t size), size_t size)
{
    bool well = true;
    address(&generator, &sink);
    frame[size - 1] = (uint8_t)(size * 7 + 1);
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t from = time_stamp();
        well = one(size) && well;
        samples[i] = time_stamp() - from;
    }
    report(what, (unsigned)size);
    return well;
}

static void by_device(uint32_t unused)
{
    (void)unused;
    igbvf_ask_interrupt(&sink);
}

static void by_timer(uint32_t count)
{
    write_msr(MSR_INITIAL, count);
}

static void by_software(uint32_t unused)
{
    (void)unused;
    __asm__ volatile("int %0" : : "i"(VECTOR_SOFTWARE) : "memory");
}

/* `after`: what the cause itself waits before it interrupts. */
static void latency(const char *what, void (*cause)(uint32_t), uint32_t after)
{
    interrupts_on();
    for (unsigned i = 0; i < SAMPLES; i++) {
        handled_at = 0;
        uint64_t from = time_stamp();
        cause(after);
        while (handled_at == 0)
            ;
        samples[i] = handled_at - from - after;
    }
    interrupts_off();
    report(what, 0);
}

static void latencies(void)
{
    uint32_t count = (uint32_t)argument_number("apic_count", 20000);
    interrupt_handle(VECTOR_TIMER, plain_interrupt);
    interrupt_handle(VECTOR_SOFTWARE, plain_interrupt);
    latency("software", by_software, 0);
    latency("device", by_device, 0);
    write_msr(MSR_DIVIDE, DIVIDE_BY_1);
    write_msr(MSR_LVT_TIMER, VECTOR_TIMER);
    latency("timer", by_timer, count);
}

static void ticks_and_idleness(void)
{
    timer_once(VECTOR_TIMER, TICK); /* measures the timer before exits are counted */
    interrupt_wait();
    event(3);
    for (unsigned i = 0; i < TICKS; i++) {
        timer_once(VECTOR_TIMER, TICK);
        interrupt_wait();
    }
    event(4);
    sleep_microseconds(TICK); /* its vector goes into the timer's LVT entry, which exits */
    event(4);
    sleep_microseconds(SECOND);
    event(5);
}

static bool all_sizes(void)
{
    uint64_t size;
    bool well = true;
    event(1);
    for (unsigned i = 0; argument_item("sizes", i, &size); i++) {
        if (size < 60 || size > IGBVF_FRAME_MAX - 4) {
            print("sizes are from 60 to %u\n", IGBVF_FRAME_MAX - 4);
            return false;
        }
        well = measure("batch", batch, size) && well;
        well = measure("trip", trip, size) && well;
    }
    event(2);
    return well;
}

__attribute__((noreturn)) static void be_neighbour(bool idle)
{
    for (;;) {
        if (idle)
            sleep_microseconds(SECOND);
        else
            __asm__ volatile("cpuid" : : "a"(0), "c"(0) : "rbx", "rdx");
    }
}

int guest_main(void)
{
    char neighbour[8];
    if (argument("neighbour", neighbour, sizeof neighbour))
        be_neighbour(neighbour[0] == 'i');
    if (!igbvf_open_number(&generator, 0) || !igbvf_open_number(&sink, 1))
        return EXIT_NO_DEVICE;
    bool well = all_sizes();
    interrupt_handle(VECTOR_SINK, sink_interrupt);
    interrupt_handle(VECTOR_GENERATOR, generator_interrupt);
    msix = igbvf_interrupts(&generator, VECTOR_GENERATOR) && igbvf_interrupts(&sink, VECTOR_SINK);
    if (!msix) {
        print("no MSI-X\n");
        return EXIT_NO_DEVICE;
    }
    well = all_sizes() && well;
    latencies();
    ticks_and_idleness();
    print("%llu frames out, %llu in\n", (unsigned long long)(generator.sent + sink.sent),
          (unsigned long long)(generator.received + sink.received));
    return well ? 0 : EXIT_LOST;
}
