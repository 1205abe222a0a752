/* SPDX-License-Identifier: MIT */
#include "guest/usb/xhci.h"

#define CLASS_REVISION 0x08
#define CLASS_XHCI     0x0c0330u
#define COMMAND        0x04
#define COMMAND_MEMORY 0x2u

#define PAGE           4096u
#define RING_TRBS      (PAGE / sizeof(struct xhci_trb))
#define MAX_PAGE_SHIFT 16u /* pages of 64 KiB at most are prepared for */
#define CAPABILITIES   64u /* a list that goes on is a loop */

#define HALT_TIME    100000u /* 16 ms by the specification */
#define RESET_TIME   1000000u
#define RESET_QUIET  1000u /* Intel's must not be touched for a millisecond */
#define COMMAND_TIME 1000000u
#define POWER_TIME   20000u

struct xhci xhci_all[XHCI_MAX];
struct xhci *xhci = xhci_all;

static uint32_t operational(unsigned offset)
{
    return read32(xhci->operational + offset);
}

static void write_operational(unsigned offset, uint32_t value)
{
    write32(xhci->operational + offset, value);
}

/* Low half first: controllers without 64-bit registers ignore the other. */
static void write_address(uintptr_t at, uint64_t value)
{
    write32(at, (uint32_t)value);
    write32(at + 4, (uint32_t)(value >> 32));
}

unsigned xhci_find_all(void)
{
    struct pci_device function;
    unsigned count = 0;
    for (unsigned index = 0; count < XHCI_MAX && pci_device(index, &function); index++)
        if (config_read(&function, CLASS_REVISION) >> 8 == CLASS_XHCI)
            xhci_all[count++].function = function;
    return count;
}

/* --- rings --- */

void xhci_ring_clear(struct xhci_ring *ring)
{
    if (ring->trbs == NULL)
        ring->trbs = memory_take(PAGE);
    for (unsigned i = 0; i < RING_TRBS; i++)
        ring->trbs[i] = (struct xhci_trb){0, 0, 0};
    ring->next = 0;
    ring->cycle = TRB_CYCLE;
}

uint64_t xhci_ring_position(const struct xhci_ring *ring)
{
    return (uint64_t)(uintptr_t)&ring->trbs[ring->next] | ring->cycle;
}

uint64_t xhci_ring_put(struct xhci_ring *ring, uint64_t parameter, uint32_t status,
                       uint32_t control)
{
    volatile struct xhci_trb *trb = &ring->trbs[ring->next];
    trb->parameter = parameter;
    trb->status = status;
    trb->control = control | ring->cycle; /* last: it is the controller's now */
    if (++ring->next == RING_TRBS - 1) {
        volatile struct xhci_trb *link = &ring->trbs[ring->next];
        link->parameter = (uint64_t)(uintptr_t)ring->trbs;
        link->control = TRB_TYPE(TRB_LINK) | TRB_TOGGLE | ring->cycle;
        ring->next = 0;
        ring->cycle ^= TRB_CYCLE;
    }
    return (uint64_t)(uintptr_t)trb;
}

void xhci_ring_doorbell(unsigned slot, unsigned endpoint)
{
    write32(xhci->doorbells + 4 * slot, endpoint);
}

/* --- events --- */

static bool next_event(struct xhci_trb *event)
{
    volatile struct xhci_trb *at = &xhci->events[xhci->next_event];
    if ((at->control & TRB_CYCLE) != xhci->event_cycle)
        return false;
    *event = (struct xhci_trb){at->parameter, at->status, at->control};
    if (++xhci->next_event == RING_TRBS) {
        xhci->next_event = 0;
        xhci->event_cycle ^= TRB_CYCLE;
    }
    write_address(xhci->runtime + XHCI_ERDP,
                  (uint64_t)(uintptr_t)&xhci->events[xhci->next_event] | ERDP_BUSY);
    return true;
}

static void pass_on(const struct xhci_trb *event)
{
    if (TRB_TYPE_OF(event->control) == TRB_TRANSFER_EVENT)
        usb_transfer_done(TRB_SLOT_OF(event->control), TRB_ENDPOINT_OF(event->control),
                          TRB_CODE_OF(event->status), TRB_REST_OF(event->status));
}

void xhci_service(void)
{
    struct xhci_trb event;
    for (unsigned i = 0; i < RING_TRBS && next_event(&event); i++)
        pass_on(&event);
}

static bool command_done(uint64_t command, struct xhci_trb *event)
{
    while (next_event(event)) {
        if (TRB_TYPE_OF(event->control) == TRB_COMMAND_EVENT && event->parameter == command)
            return true;
        pass_on(event);
    }
    return false;
}

unsigned xhci_command(uint64_t parameter, uint32_t control, unsigned *slot)
{
    struct xhci_trb event;
    uint64_t command = xhci_ring_put(&xhci->commands, parameter, 0, control);
    xhci_ring_doorbell(0, 0);
    if (!WAIT_FOR(command_done(command, &event), COMMAND_TIME))
        return CODE_NONE;
    if (slot != NULL)
        *slot = TRB_SLOT_OF(event.control);
    return TRB_CODE_OF(event.status);
}

static bool transfer_done(unsigned slot, unsigned endpoint, struct xhci_trb *event)
{
    while (next_event(event)) {
        if (TRB_TYPE_OF(event->control) == TRB_TRANSFER_EVENT &&
            TRB_SLOT_OF(event->control) == slot && TRB_ENDPOINT_OF(event->control) == endpoint)
            return true;
        pass_on(event);
    }
    return false;
}

unsigned xhci_transfer_wait(unsigned slot, unsigned endpoint, uint64_t time)
{
    struct xhci_trb event;
    return WAIT_FOR(transfer_done(slot, endpoint, &event), time) ? TRB_CODE_OF(event.status)
                                                                 : CODE_NONE;
}

/* --- the start, 4.2 --- */

static bool refuse(const char *why)
{
    print("the xHCI %04x:%04x %s\n", xhci->function.vendor, xhci->function.device, why);
    return false;
}

/* Which ports are USB 2 and which USB 3, 7.2. */
static void read_protocols(uint32_t parameters)
{
    __builtin_memset(xhci->revision, 0, sizeof xhci->revision);
    uintptr_t at = xhci->base + XHCI_EXTENDED(parameters);
    for (unsigned i = 0; at != xhci->base && i < CAPABILITIES; i++) {
        uint32_t header = read32(at);
        if (EXTENDED_ID(header) == EXTENDED_PROTOCOL) {
            uint32_t ports = read32(at + PROTOCOL_PORTS);
            unsigned first = PROTOCOL_FIRST(ports), count = PROTOCOL_COUNT(ports);
            for (unsigned port = first; port < first + count && port <= xhci->ports; port++)
                xhci->revision[port] = (uint8_t)PROTOCOL_MAJOR(header);
        }
        if (EXTENDED_NEXT(header) == 0)
            break;
        at += EXTENDED_NEXT(header);
    }
}

static bool reset(void)
{
    /* Its DMA begins when there is something that it may read. */
    config_write16(&xhci->function, COMMAND, COMMAND_MEMORY);
    xhci->base = pci_bar(&xhci->function, 0);
    if (xhci->base == 0 || read32(xhci->base) == UINT32_MAX)
        return refuse("has no registers that answer");
    xhci->operational = xhci->base + (read32(xhci->base + XHCI_CAPLENGTH) & 0xff);
    xhci->runtime = xhci->base + (read32(xhci->base + XHCI_RTSOFF) & ~0x1fu);
    xhci->doorbells = xhci->base + (read32(xhci->base + XHCI_DBOFF) & ~3u);
    if (!WAIT_FOR((operational(XHCI_USBSTS) & USBSTS_NOT_READY) == 0, RESET_TIME))
        return refuse("does not get ready within a second");
    write_operational(XHCI_USBCMD, operational(XHCI_USBCMD) & ~USBCMD_RUN);
    if (!WAIT_FOR((operational(XHCI_USBSTS) & USBSTS_HALTED) != 0, HALT_TIME))
        print("the xHCI does not halt; it is reset all the same\n");
    write_operational(XHCI_USBCMD, USBCMD_RESET);
    sleep_microseconds(RESET_QUIET);
    if (!WAIT_FOR((operational(XHCI_USBCMD) & USBCMD_RESET) == 0 &&
                      (operational(XHCI_USBSTS) & USBSTS_NOT_READY) == 0,
                  RESET_TIME))
        return refuse("does not end its reset within a second");
    return true;
}

static bool prepare_scratchpads(unsigned count)
{
    uint32_t sizes = operational(XHCI_PAGESIZE);
    unsigned shift = 12;
    while (shift < MAX_PAGE_SHIFT && (sizes & 1) == 0) {
        sizes >>= 1;
        shift++;
    }
    if ((sizes & 1) == 0)
        return refuse("wants pages of more than 64 KiB");
    if (xhci->scratchpads == NULL && count != 0) {
        uintptr_t size = (uintptr_t)1 << shift;
        xhci->scratchpads = memory_take(count * sizeof *xhci->scratchpads);
        uintptr_t pages = ((uintptr_t)memory_take((count + 1) * size) + size - 1) & ~(size - 1);
        for (unsigned i = 0; i < count; i++)
            xhci->scratchpads[i] = pages + i * size;
        xhci->scratchpad_count = count;
    }
    if (count > xhci->scratchpad_count)
        return refuse("wants more memory than before its reset");
    return true;
}

static void prepare_memory(void)
{
    if (xhci->contexts == NULL) {
        xhci->contexts = memory_take(PAGE);
        xhci->events = memory_take(PAGE);
        xhci->segments = memory_take(PAGE);
    }
    for (unsigned i = 0; i <= xhci->slots; i++)
        xhci->contexts[i] = 0;
    xhci->contexts[0] = (uintptr_t)xhci->scratchpads;
    for (unsigned i = 0; i < RING_TRBS; i++)
        xhci->events[i] = (struct xhci_trb){0, 0, 0};
    xhci->next_event = 0;
    xhci->event_cycle = TRB_CYCLE;
    xhci->segments[0] = (struct xhci_segment){(uintptr_t)xhci->events, RING_TRBS, 0};
    xhci_ring_clear(&xhci->commands);
}

static void power_ports(void)
{
    for (unsigned port = 1; port <= xhci->ports; port++) {
        uint32_t status = operational(XHCI_PORTSC(port)) & PORTSC_KEEP;
        write_operational(XHCI_PORTSC(port), status | PORTSC_POWER);
    }
    sleep_microseconds(POWER_TIME);
}

bool xhci_start(void)
{
    if (!reset())
        return false;
    uint32_t structure = read32(xhci->base + XHCI_HCSPARAMS1);
    uint32_t parameters = read32(xhci->base + XHCI_HCCPARAMS1);
    xhci->slots = XHCI_SLOTS(structure);
    xhci->ports = XHCI_PORTS(structure);
    xhci->context_size = XHCI_CONTEXT_64(parameters) ? 64 : 32;
    if (xhci->slots == 0 || xhci->ports == 0)
        return refuse("has no slots, or no ports");
    read_protocols(parameters);
    if (!prepare_scratchpads(XHCI_SCRATCHPADS(read32(xhci->base + XHCI_HCSPARAMS2))))
        return false;
    prepare_memory();
    pci_enable(&xhci->function);
    write_operational(XHCI_CONFIG, xhci->slots);
    write_address(xhci->operational + XHCI_DCBAAP, (uintptr_t)xhci->contexts);
    write_address(xhci->operational + XHCI_CRCR, (uintptr_t)xhci->commands.trbs | CRCR_CYCLE);
    write32(xhci->runtime + XHCI_ERSTSZ, 1);
    write_address(xhci->runtime + XHCI_ERDP, (uintptr_t)xhci->events);
    write_address(xhci->runtime + XHCI_ERSTBA, (uintptr_t)xhci->segments);
    write_operational(XHCI_USBCMD, USBCMD_RUN);
    if (!WAIT_FOR((operational(XHCI_USBSTS) & USBSTS_HALTED) == 0, HALT_TIME))
        return refuse("does not start");
    if (XHCI_PORT_POWER(parameters))
        power_ports();
    return true;
}

bool xhci_failed(void)
{
    return (operational(XHCI_USBSTS) & (USBSTS_FAILED | USBSTS_HALTED)) != 0;
}
