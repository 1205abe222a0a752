/* SPDX-License-Identifier: MIT */
#include "guest/usb/place.h"

#include "guest/usb/xhci_registers.h"

struct usb_place usb_place_at(const struct usb_place *hub, unsigned port, unsigned speed)
{
    if (hub == NULL)
        return (struct usb_place){.port = port, .root_port = port, .speed = speed};
    return (struct usb_place){
        .hub = hub,
        .port = port,
        .root_port = hub->root_port,
        .depth = hub->depth + 1,
        .route = hub->route | port << 4 * hub->depth,
        .speed = speed,
    };
}

uint32_t usb_translator(const struct usb_place *place)
{
    if (place->speed != SPEED_FULL && place->speed != SPEED_LOW)
        return 0;
    while (place->hub != NULL && place->hub->speed != SPEED_HIGH)
        place = place->hub;
    return place->hub != NULL ? SLOT_TT(place->hub->slot, place->port) : 0;
}

unsigned usb_first_packet(unsigned speed)
{
    return speed >= SPEED_SUPER ? 512 : speed == SPEED_HIGH ? 64 : 8;
}

unsigned usb_interval(unsigned speed, unsigned interval)
{
    unsigned exponent = 3;
    if (speed >= SPEED_HIGH)
        return (interval > 16 ? 16 : interval) - 1;
    while (exponent < 10 && 2u << (exponent - 3) <= interval)
        exponent++;
    return exponent;
}
