/* SPDX-License-Identifier: MIT */
/*
 * USB devices behind the xHCI: from a port with something in it to an address, a configuration and
 * what of it is of use here, keyboards and hubs (USB 2.0 chapter 9, xHCI 1.2 4.3).
 */
#pragma once

#include "guest/usb/descriptors.h"
#include "guest/usb/keys.h"
#include "guest/usb/place.h"
#include "guest/usb/xhci.h"

#define USB_DEVICES   16u /* at a time; others find no room until one is gone */
#define USB_HUB_PORTS 15u /* a route has four bits for each */

struct usb_keyboard {
    struct usb_endpoint endpoint;
    struct xhci_ring ring;
    volatile uint8_t *report;
    struct keys keys;
    unsigned errors, recovered; /* in a row; of which the endpoint has been made to go on */
    bool lights_due;            /* Caps Lock changed */
};

struct usb_device {
    bool used, failed; /* failed: it stays in the table, so that it is not tried again and again */
    const struct xhci *controller;
    struct usb_place place;
    unsigned hub_ports; /* 0: it is not a hub */
    unsigned keyboards;
    struct usb_keyboard keyboard[USB_KEYBOARDS];
    struct xhci_ring control;
    uint8_t *buffer;                   /* a page, for control transfers */
    volatile uint32_t *input, *output; /* contexts */
};

/* Of all controllers. */
extern struct usb_device usb_devices[USB_DEVICES];
#define USB_FOR_EACH(device)                                                                       \
    for (struct usb_device *device = usb_devices; device < usb_devices + USB_DEVICES; device++)    \
        if (device->used && device->controller == xhci)

/* What is in the port, or NULL; `hub` NULL: a root port. */
struct usb_device *usb_device_at(const struct usb_device *hub, unsigned port);
/* Takes the device in: it was connected and reset, and has this speed (xHCI 7.2.2.1.1); 0: it did
 * not come out of its reset. What it is and what goes wrong is printed. */
void usb_device_add(struct usb_device *hub, unsigned port, unsigned speed);
/* It is gone, and what is behind it. */
void usb_device_remove(struct usb_device *device);
/* All of them, when the controller was started over. */
void usb_devices_forget(void);

/* A control transfer with the buffer; its completion code. `request` is bmRequestType and bRequest
 * in the low and high byte. */
#define USB_REQUEST(type, request) ((uint16_t)((type) | (request) << 8))
unsigned usb_control(struct usb_device *device, uint16_t request, uint16_t value, uint16_t index,
                     uint16_t length);
bool usb_succeeded(unsigned code);
/* After an endpoint has halted, or an answer is missing: it begins anew at the ring's end. */
void usb_endpoint_recover(struct usb_device *device, unsigned endpoint,
                          const struct xhci_ring *ring, bool halted);
/* Starts an input context: what it adds, and a copy of the slot context. Returns that copy. */
volatile uint32_t *usb_input_begin(struct usb_device *device, uint32_t add);
volatile uint32_t *usb_input_endpoint(struct usb_device *device, unsigned endpoint);
/* Controller, port, hub's port: "1-5.3". */
const char *usb_port_name(const struct usb_device *device);

/* hub.c */
bool usb_hub_begin(struct usb_device *device, uint8_t configuration);
/* Looks at the ports of all hubs, and at the root ports. */
void usb_ports_service(void);

/* keyboard.c */
bool usb_keyboards_begin(struct usb_device *device, const struct usb_configuration *configuration);
/* Lights and repeated keys. */
void usb_keyboards_service(void);
/* The program's: what was typed, on whichever keyboard. */
keys_sink usb_typed;
