/* SPDX-License-Identifier: MIT */
/*
 * USB keyboards for the hypervisor's prompt: drives the xHCIs that it is given, and passes on
 * what is typed by the guest call that `console_input = yes` grants.
 *
 *   [seconds=N]     ends with 0 after that time; without it, never
 *
 * Ends with 2 without an xHCI, 3 without the grant.
 */
#include "guest/runtime/attempt.h"
#include "guest/usb/device.h"
#include "hypervisor/abi/calls.h"

#define TURN         4000u /* microseconds: no interrupts, nothing is missed in between */
#define PORTS_PERIOD 100000u
#define RETRY_PERIOD 1000000u
#define QUEUE        256u /* a power of two */

static char queue[QUEUE];
static unsigned put, taken; /* free-running */

void usb_typed(const char *text, size_t size)
{
    if (size > QUEUE - (put - taken))
        return; /* nobody takes it: later keys are lost, not earlier ones */
    for (size_t i = 0; i < size; i++)
        queue[put++ % QUEUE] = text[i];
}

static void pass_on(void)
{
    while (taken != put &&
           guest_call(ABI_CONSOLE_INPUT, (uint8_t)queue[taken % QUEUE], 0) != ABI_BUSY)
        taken++;
}

/* It starts over with nothing of before, whatever it was that failed. */
static void begin(void)
{
    usb_devices_forget();
    xhci->runs = xhci_start();
    if (xhci->runs)
        print("xHCI %04x:%04x: %u ports, %u slots\n", xhci->function.vendor, xhci->function.device,
              xhci->ports, xhci->slots);
    else if (!xhci->said)
        print("it is tried again every second\n");
    xhci->said = !xhci->runs;
    xhci->retry_at = microseconds() + RETRY_PERIOD;
}

static void service(void)
{
    if (xhci->runs && xhci_failed()) {
        print("xHCI %04x:%04x has stopped; it is started over\n", xhci->function.vendor,
              xhci->function.device);
        xhci->runs = false;
    }
    if (!xhci->runs && microseconds() >= xhci->retry_at)
        begin();
    if (!xhci->runs)
        return;
    xhci_service();
    usb_keyboards_service();
    if (microseconds() >= xhci->ports_at) {
        usb_ports_service();
        xhci->ports_at = microseconds() + PORTS_PERIOD;
    }
}

int guest_main(void)
{
    uint64_t seconds = argument_number("seconds", 0);
    if (guest_call(ABI_CONSOLE_INPUT, 0, 0) != ABI_BAD_ARGUMENT) { /* no character */
        print("I may not type at the prompt: my section needs console_input = yes\n");
        return 3;
    }
    unsigned count = xhci_find_all();
    if (count == 0) {
        print("there is no xHCI on my bus: my section needs device = NIC, the name of a section "
              "[nic NAME] with the controller's address\n");
        return 2;
    }
    while (seconds == 0 || microseconds() < seconds * 1000000) {
        for (xhci = xhci_all; xhci < xhci_all + count; xhci++)
            service();
        pass_on();
        sleep_microseconds(TURN);
    }
    return 0;
}
