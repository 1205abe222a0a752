/* SPDX-License-Identifier: MIT */
/* Ports: the controller's own (xHCI 1.2 4.19) and those of hubs (USB 2.0 11.24, USB 3.2 10.16).
 * Both are looked at every so often; nothing depends on an event that may be lost. */
#include "guest/usb/device.h"

#define SET_CONFIGURATION  USB_REQUEST(0x00, 9)
#define GET_HUB_DESCRIPTOR USB_REQUEST(0xa0, 6)
#define SET_HUB_DEPTH      USB_REQUEST(0x20, 12)
#define GET_PORT_STATUS    USB_REQUEST(0xa3, 0)
#define CLEAR_PORT_FEATURE USB_REQUEST(0x23, 1)
#define SET_PORT_FEATURE   USB_REQUEST(0x23, 3)
#define DESCRIPTOR_HUB     0x2900
#define DESCRIPTOR_HUB_3   0x2a00
#define HUB_DESCRIPTOR     8u
#define FEATURE_RESET      4
#define FEATURE_POWER      8
#define FEATURE_CONNECTION 16 /* C_PORT_CONNECTION */
#define FEATURE_RESET_DONE 20 /* C_PORT_RESET */
#define STATUS_CONNECTED   0x001u
#define STATUS_ENABLED     0x002u
#define STATUS_LOW_SPEED   0x200u
#define STATUS_HIGH_SPEED  0x400u
#define CHANGE_CONNECTION  0x001u
#define CHANGE_RESET       0x010u
#define THINK_TIME(word)   ((word) >> 5 & 3u)

#define LINK_INACTIVE   6u
#define LINK_COMPLIANCE 10u
#define DEBOUNCE_TIME   100000u /* USB 2.0 7.1.7.3 */
#define RESET_TIME      500000u
#define RECOVERY_TIME   10000u /* USB 2.0 7.1.7.5 */
#define POWER_UNIT      2000u  /* of bPwrOn2PwrGood */
#define HUB_PERIOD      250000u

/* --- the controller's ports --- */

static uintptr_t register_of(unsigned port)
{
    return xhci->operational + XHCI_PORTSC(port);
}

/* Sets bits, or clears changes, and leaves all else as it is. */
static void write_port(unsigned port, uint32_t set)
{
    write32(register_of(port), (read32(register_of(port)) & PORTSC_KEEP) | set);
}

/* A USB 3 port trains by itself; a USB 2 port is enabled by a reset, 4.3.1. */
static bool reset_port(unsigned port)
{
    uint32_t status = read32(register_of(port));
    if ((status & PORTSC_ENABLED) != 0)
        return true;
    bool stuck = PORTSC_LINK(status) == LINK_INACTIVE || PORTSC_LINK(status) == LINK_COMPLIANCE;
    write_port(port, xhci->revision[port] >= 3 && stuck ? PORTSC_WARM_RESET : PORTSC_RESET);
    (void)WAIT_FOR((read32(register_of(port)) & PORTSC_RESET_CHANGE) != 0, RESET_TIME);
    write_port(port, PORTSC_CHANGES);
    sleep_microseconds(RECOVERY_TIME);
    return (read32(register_of(port)) & PORTSC_ENABLED) != 0;
}

static void service_root_port(unsigned port)
{
    uint32_t status = read32(register_of(port));
    struct usb_device *device = usb_device_at(NULL, port);
    if ((status & PORTSC_CHANGES) != 0)
        write_port(port, status & PORTSC_CHANGES);
    bool connected = (status & PORTSC_CONNECTED) != 0;
    if (device != NULL && (!connected || (status & PORTSC_CONNECT_CHANGE) != 0)) {
        usb_device_remove(device);
        device = NULL;
    }
    if (device != NULL || !connected)
        return;
    sleep_microseconds(DEBOUNCE_TIME);
    if ((read32(register_of(port)) & PORTSC_CONNECTED) == 0)
        return;
    write_port(port, PORTSC_CONNECT_CHANGE);
    bool up = reset_port(port);
    usb_device_add(NULL, port, up ? PORTSC_SPEED(read32(register_of(port))) : 0);
}

/* --- hubs --- */

/* Hubs with a translator for each port work with one for all as well, until they are told. */
bool usb_hub_begin(struct usb_device *device, uint8_t configuration)
{
    bool super = device->place.speed >= SPEED_SUPER;
    if (device->place.depth == USB_MAX_DEPTH) {
        print("port %s: a hub behind five others; it is left alone\n", usb_port_name(device));
        return false;
    }
    unsigned code = usb_control(device, SET_CONFIGURATION, configuration, 0, 0);
    if (usb_succeeded(code) && super)
        code = usb_control(device, SET_HUB_DEPTH, (uint16_t)device->place.depth, 0, 0);
    if (usb_succeeded(code))
        code = usb_control(device, GET_HUB_DESCRIPTOR, super ? DESCRIPTOR_HUB_3 : DESCRIPTOR_HUB, 0,
                           HUB_DESCRIPTOR);
    unsigned ports = device->buffer[2] < USB_HUB_PORTS ? device->buffer[2] : USB_HUB_PORTS;
    unsigned think = THINK_TIME(usb_word(device->buffer + 3));
    uint64_t power = device->buffer[5] * (uint64_t)POWER_UNIT;
    if (usb_succeeded(code) && ports != 0) {
        volatile uint32_t *slot = usb_input_begin(device, 1);
        slot[0] |= SLOT_HUB;
        slot[1] |= SLOT_HUB_PORTS(ports);
        if (device->place.speed == SPEED_HIGH)
            slot[2] |= SLOT_TT_THINK(think);
        code = xhci_command((uintptr_t)device->input,
                            TRB_TYPE(TRB_CONFIGURE_ENDPOINT) | TRB_SLOT(device->place.slot), NULL);
    }
    if (!usb_succeeded(code) || ports == 0) {
        print("port %s: a hub that cannot be used (code %u, %u ports)\n", usb_port_name(device),
              code, ports);
        return false;
    }
    device->hub_ports = ports;
    for (unsigned port = 1; port <= ports; port++)
        (void)usb_control(device, SET_PORT_FEATURE, FEATURE_POWER, (uint16_t)port, 0);
    sleep_microseconds(power);
    return true;
}

/* The status, and what changed; false when the hub does not answer. */
static bool read_status(struct usb_device *hub, unsigned port, unsigned *status, unsigned *change)
{
    if (!usb_succeeded(usb_control(hub, GET_PORT_STATUS, 0, (uint16_t)port, 4)))
        return false;
    *status = usb_word(hub->buffer);
    *change = usb_word(hub->buffer + 2);
    return true;
}

static bool reset_done(struct usb_device *hub, unsigned port)
{
    unsigned status, change;
    return !read_status(hub, port, &status, &change) || (change & CHANGE_RESET) != 0;
}

static unsigned speed_of(const struct usb_device *hub, unsigned status)
{
    if (hub->place.speed >= SPEED_SUPER)
        return hub->place.speed;
    return (status & STATUS_LOW_SPEED) != 0    ? SPEED_LOW
           : (status & STATUS_HIGH_SPEED) != 0 ? SPEED_HIGH
                                               : SPEED_FULL;
}

static void service_hub_port(struct usb_device *hub, unsigned port)
{
    unsigned status, change;
    struct usb_device *device = usb_device_at(hub, port);
    if (!read_status(hub, port, &status, &change))
        return;
    if ((change & CHANGE_CONNECTION) != 0)
        (void)usb_control(hub, CLEAR_PORT_FEATURE, FEATURE_CONNECTION, (uint16_t)port, 0);
    bool connected = (status & STATUS_CONNECTED) != 0;
    if (device != NULL && (!connected || (change & CHANGE_CONNECTION) != 0)) {
        usb_device_remove(device);
        device = NULL;
    }
    if (device != NULL || !connected)
        return;
    sleep_microseconds(DEBOUNCE_TIME);
    if (hub->place.speed < SPEED_SUPER || (status & STATUS_ENABLED) == 0) {
        (void)usb_control(hub, SET_PORT_FEATURE, FEATURE_RESET, (uint16_t)port, 0);
        (void)WAIT_FOR(reset_done(hub, port), RESET_TIME);
        (void)usb_control(hub, CLEAR_PORT_FEATURE, FEATURE_RESET_DONE, (uint16_t)port, 0);
        sleep_microseconds(RECOVERY_TIME);
    }
    bool up = read_status(hub, port, &status, &change) && (status & STATUS_ENABLED) != 0;
    usb_device_add(hub, port, up ? speed_of(hub, status) : 0);
}

void usb_ports_service(void)
{
    for (unsigned port = 1; port <= xhci->ports; port++)
        service_root_port(port);
    if (microseconds() < xhci->hubs_at)
        return;
    xhci->hubs_at = microseconds() + HUB_PERIOD;
    USB_FOR_EACH (device)
        for (unsigned port = 1; device->used && port <= device->hub_ports; port++)
            service_hub_port(device, port);
}
