/* SPDX-License-Identifier: MIT */
/*
 * Descriptors as a device sends them (USB 2.0 chapter 9, USB 3.2 chapter 9): where among the
 * interfaces of a configuration the keyboards are. Bytes from outside: any may be wrong.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USB_DEVICE_DESCRIPTOR_SIZE 18u
#define USB_CONFIG_DESCRIPTOR_SIZE 9u
#define USB_CLASS_HUB              9u
#define USB_KEYBOARDS              2u /* of one device; more are left alone */

struct usb_endpoint {
    uint8_t interface; /* bInterfaceNumber */
    uint8_t number;    /* 1 to 15, towards the host */
    uint16_t size;     /* bytes of a packet, 8 to 1024 */
    uint8_t interval;  /* bInterval, 1 to 255: its unit depends on the speed */
    uint8_t burst;     /* packets in a row beyond the first: SuperSpeed */
};

struct usb_configuration {
    uint8_t value; /* for SET_CONFIGURATION */
    unsigned keyboards;
    struct usb_endpoint keyboard[USB_KEYBOARDS];
};

static inline uint16_t usb_word(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Of a configuration descriptor with all that follows it. False when it is none. Keyboards are the
 * interfaces of class 3 with the boot protocol 1 (HID 1.11, 4.1 to 4.3) that have an interrupt
 * endpoint towards the host; only the first alternate setting of each is looked at. */
bool usb_configuration_read(const uint8_t *bytes, size_t size,
                            struct usb_configuration *configuration);
