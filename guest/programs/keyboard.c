/* SPDX-License-Identifier: MIT */
/*
 * USB keyboards for the hypervisor's prompt: drives the xHCI that it is given, and passes on what
 * is typed by the guest call that `console_input = yes` grants.
 *
 *   [seconds=N]     ends with 0 after that time; without it, never
 *
 * Ends with 2 without an xHCI, 3 without the grant.
 */
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
    while (taken != put && console_input((uint8_t)queue[taken % QUEUE]) != ABI_BUSY)
        taken++;
}

/* The controller starts over with nothing of before, whatever it was that failed. */
static void begin(void)
{
    static bool said;
    usb_devices_forget();
    while (!xhci_start()) {
        if (!said)
            print("it is tried again every second\n");
        said = true;
        sleep_microseconds(RETRY_PERIOD);
    }
    said = false;
    print("xHCI %04x:%04x: %u ports, %u slots\n", xhci.function.vendor, xhci.function.device,
          xhci.ports, xhci.slots);
}

int guest_main(void)
{
    uint64_t seconds = argument_number("seconds", 0), ports = 0;
    if (console_input(0) != ABI_BAD_ARGUMENT) { /* no character */
        print("I may not type at the prompt: my section needs console_input = yes\n");
        return 3;
    }
    if (!xhci_find()) {
        print("there is no xHCI on my bus: my section needs device = NIC, the name of a section "
              "[nic NAME] with the controller's address\n");
        return 2;
    }
    begin();
    while (seconds == 0 || microseconds() < seconds * 1000000) {
        if (xhci_failed()) {
            print("the xHCI has stopped; it is started over\n");
            begin();
        }
        xhci_service();
        usb_keyboards_service();
        if (microseconds() >= ports) {
            usb_ports_service();
            ports = microseconds() + PORTS_PERIOD;
        }
        pass_on();
        sleep_microseconds(TURN);
    }
    return 0;
}
