/* SPDX-License-Identifier: MIT */
#include "guest/usb/descriptors.h"

#define TYPE_CONFIGURATION 2
#define TYPE_INTERFACE     4
#define TYPE_ENDPOINT      5
#define TYPE_COMPANION     48 /* SuperSpeed Endpoint Companion, behind the endpoint */
#define INTERFACE_SIZE     9
#define ENDPOINT_SIZE      7
#define COMPANION_SIZE     6
#define CLASS_HID          3
#define SUBCLASS_BOOT      1
#define PROTOCOL_KEYBOARD  1
#define ENDPOINT_IN        0x80u
#define ENDPOINT_INTERRUPT 3u
#define SIZE_MASK          0x7ffu
#define REPORT_SIZE        8u
#define LARGEST            1024u
#define BURST_LIMIT        15u

static bool is_keyboard(const uint8_t *interface)
{
    return interface[3] == 0 && interface[5] == CLASS_HID && interface[6] == SUBCLASS_BOOT &&
           interface[7] == PROTOCOL_KEYBOARD;
}

static bool read_endpoint(const uint8_t *bytes, uint8_t interface, struct usb_endpoint *endpoint)
{
    uint16_t size = usb_word(bytes + 4) & SIZE_MASK;
    if ((bytes[2] & ENDPOINT_IN) == 0 || (bytes[2] & 0xf) == 0 ||
        (bytes[3] & 3) != ENDPOINT_INTERRUPT || size < REPORT_SIZE || size > LARGEST)
        return false;
    *endpoint = (struct usb_endpoint){
        .interface = interface,
        .number = bytes[2] & 0xf,
        .size = size,
        .interval = bytes[6] != 0 ? bytes[6] : 1,
    };
    return true;
}

static bool has_endpoint(const struct usb_configuration *configuration, uint8_t number)
{
    for (unsigned i = 0; i < configuration->keyboards; i++)
        if (configuration->keyboard[i].number == number)
            return true;
    return false;
}

bool usb_configuration_read(const uint8_t *bytes, size_t size,
                            struct usb_configuration *configuration)
{
    *configuration = (struct usb_configuration){0};
    if (size < USB_CONFIG_DESCRIPTOR_SIZE || bytes[0] < USB_CONFIG_DESCRIPTOR_SIZE ||
        bytes[1] != TYPE_CONFIGURATION)
        return false;
    if (usb_word(bytes + 2) < size)
        size = usb_word(bytes + 2);
    configuration->value = bytes[5];
    bool wanted = false; /* an interface that is a keyboard and has no endpoint yet */
    uint8_t interface = 0;
    struct usb_endpoint *last = NULL;
    for (size_t at = bytes[0]; at + 2 <= size && bytes[at] >= 2 && at + bytes[at] <= size;
         at += bytes[at]) {
        const uint8_t *part = bytes + at;
        if (part[1] == TYPE_INTERFACE && part[0] >= INTERFACE_SIZE) {
            wanted = is_keyboard(part) && configuration->keyboards < USB_KEYBOARDS;
            interface = part[2];
            last = NULL;
        } else if (part[1] == TYPE_ENDPOINT && part[0] >= ENDPOINT_SIZE && wanted) {
            struct usb_endpoint found;
            if (!read_endpoint(part, interface, &found) ||
                has_endpoint(configuration, found.number))
                continue;
            last = &configuration->keyboard[configuration->keyboards++];
            *last = found;
            wanted = false;
        } else if (part[1] == TYPE_COMPANION && part[0] >= COMPANION_SIZE && last != NULL) {
            last->burst = part[2] <= BURST_LIMIT ? part[2] : BURST_LIMIT;
            last = NULL;
        }
    }
    return true;
}
