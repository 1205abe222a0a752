/* SPDX-License-Identifier: MIT */
/* Where a device is, as contexts have it (xHCI 1.2, 6.2). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define USB_MAX_DEPTH 5u /* hubs one behind the other */

struct usb_place {
    const struct usb_place *hub; /* NULL: at a root port */
    unsigned port;               /* of the hub, 1 to 15, or the root port */
    unsigned root_port;
    unsigned depth; /* hubs above */
    uint32_t route;
    unsigned speed, slot;
};

/* Behind that port of the hub, or at that root port. Its slot is not known yet. */
struct usb_place usb_place_at(const struct usb_place *hub, unsigned port, unsigned speed);
/* The translator of slow devices: slot and port of the nearest hub of high speed above; 0: none. */
uint32_t usb_translator(const struct usb_place *place);
/* The largest packet of endpoint 0 until the device has told. */
unsigned usb_first_packet(unsigned speed);
/* bInterval of an interrupt endpoint as a power of two of 125 us (6.2.3.6). */
unsigned usb_interval(unsigned speed, unsigned interval);
