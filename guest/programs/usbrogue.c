/* SPDX-License-Identifier: MIT */
/*
 * Owns an xHCI and has it read and write memory that is not its own: events go to each target, and
 * commands come from there.
 *
 *   targets=ADDRESS,ADDRESS,...
 *
 * Exits with 0 when the controller worked each time before that.
 */
#include "guest/usb/device.h"

#define NO_OP 23u /* a command, xHCI 6.4.3.1 */
#define PAUSE 50000u

void usb_typed(const char *text, size_t size)
{
    (void)text, (void)size;
}

static void write_address(uintptr_t at, uint64_t value)
{
    write32(at, (uint32_t)value);
    write32(at + 4, (uint32_t)(value >> 32));
}

/* Its event about a command is written to the target. */
static void write_to(uint64_t target)
{
    xhci->segments[0].base = target;
    write_address(xhci->runtime + XHCI_ERDP, target);
    write_address(xhci->runtime + XHCI_ERSTBA, (uintptr_t)xhci->segments);
    (void)xhci_ring_put(&xhci->commands, 0, 0, TRB_TYPE(NO_OP));
    xhci_ring_doorbell(0, 0);
    sleep_microseconds(PAUSE);
}

/* Its next command is read there. */
static void read_from(uint64_t target)
{
    write_address(xhci->operational + XHCI_CRCR, target | CRCR_CYCLE);
    xhci_ring_doorbell(0, 0);
    sleep_microseconds(PAUSE);
}

int guest_main(void)
{
    uint64_t target;
    unsigned tried = 0, answered = 0;
    if (xhci_find_all() == 0)
        return 2;
    for (unsigned i = 0; argument_item("targets", i, &target); i++, tried++) {
        if (!xhci_start())
            return 2;
        answered += xhci_command(0, TRB_TYPE(NO_OP), NULL) == CODE_SUCCESS;
        write_to(target);
        if (!xhci_start())
            return 2;
        read_from(target);
    }
    print("%u targets tried, a controller that works %u times\n", tried, answered);
    return answered != tried;
}
