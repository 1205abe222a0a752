/* SPDX-License-Identifier: MIT */
/* Keyboards in the boot protocol (HID 1.11, 7.2 and appendix B): the controller asks each for its
 * reports, and a report that has changed comes as a transfer event. */
#include "guest/usb/device.h"

#define PAGE 4096u

#define SET_CONFIGURATION USB_REQUEST(0x00, 9)
#define CLEAR_FEATURE     USB_REQUEST(0x02, 1)
#define SET_REPORT        USB_REQUEST(0x21, 9)
#define SET_IDLE          USB_REQUEST(0x21, 10)
#define SET_PROTOCOL      USB_REQUEST(0x21, 11)
#define FEATURE_HALT      0
#define REPORT_OUTPUT     0x0200
#define PROTOCOL_BOOT     0
#define ERRORS            8u /* in a row: it is broken, or gone */

static unsigned index_of(const struct usb_keyboard *keyboard)
{
    return 2u * keyboard->endpoint.number + 1;
}

static void ask(const struct usb_device *device, struct usb_keyboard *keyboard)
{
    (void)xhci_ring_put(&keyboard->ring, (uintptr_t)keyboard->report, keyboard->endpoint.size,
                        TRB_TYPE(TRB_NORMAL) | TRB_EVENT | TRB_SHORT);
    xhci_ring_doorbell(device->place.slot, index_of(keyboard));
}

static bool configure_endpoints(struct usb_device *device,
                                const struct usb_configuration *configuration)
{
    uint32_t add = 1;
    unsigned last = 1;
    for (unsigned i = 0; i < configuration->keyboards; i++) {
        struct usb_keyboard *keyboard = &device->keyboard[i];
        keyboard->endpoint = configuration->keyboard[i];
        add |= 1u << index_of(keyboard);
        last = index_of(keyboard) > last ? index_of(keyboard) : last;
    }
    volatile uint32_t *slot = usb_input_begin(device, add);
    slot[0] = (slot[0] & ~SLOT_ENTRIES_MASK) | SLOT_ENTRIES(last);
    for (unsigned i = 0; i < configuration->keyboards; i++) {
        struct usb_keyboard *keyboard = &device->keyboard[i];
        const struct usb_endpoint *from = &keyboard->endpoint;
        volatile uint32_t *endpoint = usb_input_endpoint(device, index_of(keyboard));
        xhci_ring_clear(&keyboard->ring);
        if (keyboard->report == NULL)
            keyboard->report = memory_take(PAGE);
        uint64_t ring = xhci_ring_position(&keyboard->ring);
        endpoint[0] = ENDPOINT_INTERVAL(usb_interval(device->place.speed, from->interval));
        endpoint[1] = ENDPOINT_ERRORS | ENDPOINT_INTERRUPT_IN | ENDPOINT_BURST(from->burst) |
                      ENDPOINT_PACKET(from->size);
        endpoint[2] = (uint32_t)ring;
        endpoint[3] = (uint32_t)(ring >> 32);
        endpoint[4] = ENDPOINT_PAYLOAD(KEYS_REPORT, from->size * (from->burst + 1u));
    }
    unsigned code =
        xhci_command((uintptr_t)device->input,
                     TRB_TYPE(TRB_CONFIGURE_ENDPOINT) | TRB_SLOT(device->place.slot), NULL);
    if (!usb_succeeded(code))
        print("port %s: the controller does not take the keyboard's endpoints (code %u)\n",
              usb_port_name(device), code);
    return usb_succeeded(code);
}

bool usb_keyboards_begin(struct usb_device *device, const struct usb_configuration *configuration)
{
    if (!configure_endpoints(device, configuration))
        return false;
    unsigned code = usb_control(device, SET_CONFIGURATION, configuration->value, 0, 0);
    for (unsigned i = 0; i < configuration->keyboards && usb_succeeded(code); i++) {
        uint8_t interface = configuration->keyboard[i].interface;
        code = usb_control(device, SET_PROTOCOL, PROTOCOL_BOOT, interface, 0);
        /* Report only what changes; those that refuse (a stall) repeat themselves. */
        if (usb_succeeded(code))
            (void)usb_control(device, SET_IDLE, 0, interface, 0);
    }
    if (!usb_succeeded(code)) {
        print("port %s: the keyboard does not do as its boot protocol asks (code %u)\n",
              usb_port_name(device), code);
        return false;
    }
    device->keyboards = configuration->keyboards;
    for (unsigned i = 0; i < device->keyboards; i++)
        ask(device, &device->keyboard[i]);
    return true;
}

static void report_arrived(struct usb_keyboard *keyboard, uint32_t rest)
{
    uint8_t report[KEYS_REPORT];
    uint32_t size = rest < keyboard->endpoint.size ? keyboard->endpoint.size - rest : 0;
    for (unsigned i = 0; i < KEYS_REPORT; i++)
        report[i] = keyboard->report[i];
    keyboard->errors = keyboard->recovered = 0;
    if (keys_report(&keyboard->keys, report, size, microseconds(), usb_typed))
        keyboard->lights_due = true;
}

static void report_failed(struct usb_device *device, struct usb_keyboard *keyboard, unsigned code)
{
    if (++keyboard->errors > ERRORS)
        return;
    if (keyboard->errors == ERRORS)
        print("port %s: the keyboard sends nothing but errors (code %u); it is left alone\n",
              usb_port_name(device), code);
}

void usb_transfer_done(unsigned slot, unsigned endpoint, unsigned code, uint32_t rest)
{
    USB_FOR_EACH (device) {
        for (unsigned k = 0; device->place.slot == slot && k < device->keyboards; k++) {
            struct usb_keyboard *keyboard = &device->keyboard[k];
            if (index_of(keyboard) != endpoint)
                continue;
            if (usb_succeeded(code)) {
                report_arrived(keyboard, rest);
                ask(device, keyboard);
            } else if (code < CODE_STOPPED || code > CODE_STOPPED_LAST) {
                report_failed(device, keyboard, code);
            }
        }
    }
}

/* Not from within an event: these wait for events themselves. */
static void service(struct usb_device *device, struct usb_keyboard *keyboard)
{
    keys_tick(&keyboard->keys, microseconds(), usb_typed);
    if (keyboard->errors != keyboard->recovered && keyboard->errors < ERRORS) {
        keyboard->recovered = keyboard->errors;
        usb_endpoint_recover(device, index_of(keyboard), &keyboard->ring, true);
        (void)usb_control(device, CLEAR_FEATURE, FEATURE_HALT, 0x80 | keyboard->endpoint.number, 0);
        ask(device, keyboard);
    }
    if (keyboard->lights_due) {
        keyboard->lights_due = false;
        device->buffer[0] = keys_lights(&keyboard->keys);
        (void)usb_control(device, SET_REPORT, REPORT_OUTPUT, keyboard->endpoint.interface, 1);
    }
}

void usb_keyboards_service(void)
{
    USB_FOR_EACH (device)
        for (unsigned k = 0; k < device->keyboards; k++)
            service(device, &device->keyboard[k]);
}
