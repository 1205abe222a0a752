/* SPDX-License-Identifier: MIT */
#include "guest/usb/device.h"

#define PAGE 4096u

/* Requests, USB 2.0 table 9-4 */
#define GET_DESCRIPTOR    USB_REQUEST(0x80, 6)
#define DESCRIPTOR_DEVICE 0x0100
#define DESCRIPTOR_CONFIG 0x0200

#define CONTROL_TIME  1000000u
#define ADDRESS_PAUSE 10000u /* 2 ms by USB 2.0 9.2.6.3 */
#define ENDPOINT_0    1u     /* its number in contexts and doorbells */
#define NAME_SIZE     24u

struct usb_device usb_devices[USB_DEVICES];

bool usb_succeeded(unsigned code)
{
    return code == CODE_SUCCESS || code == CODE_SHORT;
}

const char *usb_port_name(const struct usb_device *device)
{
    static char name[NAME_SIZE];
    char digits[NAME_SIZE];
    unsigned count = 0, used = 0;
    for (const struct usb_place *at = &device->place; at != NULL; at = at->hub) {
        unsigned port = at->port;
        do
            digits[count++] = (char)('0' + port % 10);
        while ((port /= 10) != 0);
        digits[count++] = at->hub != NULL ? '.' : '-';
    }
    digits[count++] = (char)('1' + (device->controller - xhci_all));
    while (count > 0)
        name[used++] = digits[--count];
    name[used] = '\0';
    return name;
}

struct usb_device *usb_device_at(const struct usb_device *hub, unsigned port)
{
    const struct usb_place *above = hub != NULL ? &hub->place : NULL;
    USB_FOR_EACH (device)
        if (device->place.hub == above && device->place.port == port)
            return device;
    return NULL;
}

/* --- contexts, 6.2 --- */

static volatile uint32_t *context(volatile uint32_t *contexts, unsigned index)
{
    return contexts + index * (xhci->context_size / 4);
}

static void clear_page(volatile void *page)
{
    volatile uint64_t *words = page;
    for (unsigned i = 0; i < PAGE / 8; i++)
        words[i] = 0;
}

volatile uint32_t *usb_input_begin(struct usb_device *device, uint32_t add)
{
    clear_page(device->input);
    device->input[1] = add;
    volatile uint32_t *slot = context(device->input, 1);
    for (unsigned i = 0; i < 4; i++)
        slot[i] = context(device->output, 0)[i];
    return slot;
}

volatile uint32_t *usb_input_endpoint(struct usb_device *device, unsigned endpoint)
{
    return context(device->input, endpoint + 1);
}

/* --- control transfers, 4.11.2.2 --- */

void usb_endpoint_recover(struct usb_device *device, unsigned endpoint,
                          const struct xhci_ring *ring, bool halted)
{
    uint32_t target = TRB_SLOT(device->place.slot) | TRB_ENDPOINT(endpoint);
    (void)xhci_command(0, TRB_TYPE(halted ? TRB_RESET_ENDPOINT : TRB_STOP_ENDPOINT) | target, NULL);
    (void)xhci_command(xhci_ring_position(ring), TRB_TYPE(TRB_SET_DEQUEUE) | target, NULL);
}

unsigned usb_control(struct usb_device *device, uint16_t request, uint16_t value, uint16_t index,
                     uint16_t length)
{
    bool in = (request & 0x80) != 0;
    uint32_t stage = length == 0 ? 0 : in ? TRB_SETUP_IN : TRB_SETUP_OUT;
    uint64_t setup =
        request | (uint64_t)value << 16 | (uint64_t)index << 32 | (uint64_t)length << 48;
    if (in)
        clear_page(device->buffer);
    (void)xhci_ring_put(&device->control, setup, 8, TRB_TYPE(TRB_SETUP) | TRB_IMMEDIATE | stage);
    if (length != 0)
        (void)xhci_ring_put(&device->control, (uintptr_t)device->buffer, length,
                            TRB_TYPE(TRB_DATA) | (in ? TRB_IN : 0));
    (void)xhci_ring_put(&device->control, 0, 0,
                        TRB_TYPE(TRB_STATUS) | TRB_EVENT | (in && length != 0 ? 0 : TRB_IN));
    xhci_ring_doorbell(device->place.slot, ENDPOINT_0);
    unsigned code = xhci_transfer_wait(device->place.slot, ENDPOINT_0, CONTROL_TIME);
    if (!usb_succeeded(code))
        usb_endpoint_recover(device, ENDPOINT_0, &device->control, code != CODE_NONE);
    return code;
}

/* --- a new device, 4.3 --- */

static bool refuse(struct usb_device *device, const char *what, unsigned code)
{
    device->failed = true;
    print("port %s: %s (%s %u); it is tried again when it is plugged in again\n",
          usb_port_name(device), what, code == CODE_NONE ? "no answer, code" : "code", code);
    return false;
}

static void take_memory(struct usb_device *device)
{
    if (device->buffer == NULL) {
        device->buffer = memory_take(PAGE);
        device->input = memory_take(PAGE);
        device->output = memory_take(PAGE);
    }
    clear_page(device->output);
    xhci_ring_clear(&device->control);
}

static bool address(struct usb_device *device)
{
    unsigned code = xhci_command(0, TRB_TYPE(TRB_ENABLE_SLOT), &device->place.slot);
    if (!usb_succeeded(code) || device->place.slot == 0 || device->place.slot > xhci->slots) {
        device->place.slot = 0;
        return refuse(device, "the controller has no slot left", code);
    }
    xhci->contexts[device->place.slot] = (uintptr_t)device->output;
    volatile uint32_t *slot = usb_input_begin(device, 3); /* the slot and endpoint 0 */
    slot[0] = SLOT_ROUTE(device->place.route) | SLOT_SPEED(device->place.speed) | SLOT_ENTRIES(1);
    slot[1] = SLOT_ROOT_PORT(device->place.root_port);
    slot[2] = usb_translator(&device->place);
    volatile uint32_t *endpoint = usb_input_endpoint(device, ENDPOINT_0);
    uint64_t ring = xhci_ring_position(&device->control);
    endpoint[1] =
        ENDPOINT_ERRORS | ENDPOINT_CONTROL | ENDPOINT_PACKET(usb_first_packet(device->place.speed));
    endpoint[2] = (uint32_t)ring;
    endpoint[3] = (uint32_t)(ring >> 32);
    endpoint[4] = ENDPOINT_PAYLOAD(8, 0);
    code = xhci_command((uintptr_t)device->input,
                        TRB_TYPE(TRB_ADDRESS_DEVICE) | TRB_SLOT(device->place.slot), NULL);
    if (!usb_succeeded(code))
        return refuse(device, "the device takes no address", code);
    sleep_microseconds(ADDRESS_PAUSE);
    return true;
}

/* Its first bytes say how large packets may be. */
static bool adapt_packets(struct usb_device *device)
{
    unsigned code = usb_control(device, GET_DESCRIPTOR, DESCRIPTOR_DEVICE, 0, 8);
    if (!usb_succeeded(code))
        return refuse(device, "the device does not describe itself", code);
    unsigned size = device->buffer[7];
    if (device->place.speed >= SPEED_SUPER || size == usb_first_packet(device->place.speed))
        return true;
    if (size != 8 && size != 16 && size != 32 && size != 64)
        return refuse(device, "its largest packet cannot be; in bytes", size);
    (void)usb_input_begin(device, 2);
    volatile uint32_t *endpoint = usb_input_endpoint(device, ENDPOINT_0);
    endpoint[1] = ENDPOINT_ERRORS | ENDPOINT_CONTROL | ENDPOINT_PACKET(size);
    code = xhci_command((uintptr_t)device->input,
                        TRB_TYPE(TRB_EVALUATE_CONTEXT) | TRB_SLOT(device->place.slot), NULL);
    return usb_succeeded(code) || refuse(device, "its packet size is not accepted", code);
}

static void configure(struct usb_device *device)
{
    struct usb_configuration configuration;
    unsigned code =
        usb_control(device, GET_DESCRIPTOR, DESCRIPTOR_DEVICE, 0, USB_DEVICE_DESCRIPTOR_SIZE);
    uint8_t class = device->buffer[4];
    uint16_t vendor = usb_word(device->buffer + 8), product = usb_word(device->buffer + 10);
    if (usb_succeeded(code))
        code =
            usb_control(device, GET_DESCRIPTOR, DESCRIPTOR_CONFIG, 0, USB_CONFIG_DESCRIPTOR_SIZE);
    uint16_t size = usb_word(device->buffer + 2);
    if (size > PAGE)
        size = PAGE; /* what lies beyond is not looked at */
    if (usb_succeeded(code))
        code = usb_control(device, GET_DESCRIPTOR, DESCRIPTOR_CONFIG, 0, size);
    if (!usb_succeeded(code) || !usb_configuration_read(device->buffer, size, &configuration)) {
        (void)refuse(device, "the device does not describe its configuration", code);
        return;
    }
    if (class == USB_CLASS_HUB) {
        if (usb_hub_begin(device, configuration.value))
            print("port %s: a hub with %u ports (%04x:%04x)\n", usb_port_name(device),
                  device->hub_ports, vendor, product);
    } else if (configuration.keyboards != 0) {
        if (usb_keyboards_begin(device, &configuration))
            print("port %s: a keyboard (%04x:%04x)\n", usb_port_name(device), vendor, product);
    } else {
        print("port %s: no keyboard (%04x:%04x); it is left alone\n", usb_port_name(device), vendor,
              product);
    }
}

static struct usb_device *free_device(void)
{
    for (unsigned i = 0; i < USB_DEVICES; i++)
        if (!usb_devices[i].used)
            return &usb_devices[i];
    return NULL;
}

/* What stays is the memory. */
static void clear(struct usb_device *device)
{
    struct usb_device kept = {.control.trbs = device->control.trbs,
                              .buffer = device->buffer,
                              .input = device->input,
                              .output = device->output};
    for (unsigned i = 0; i < USB_KEYBOARDS; i++) {
        kept.keyboard[i].ring.trbs = device->keyboard[i].ring.trbs;
        kept.keyboard[i].report = device->keyboard[i].report;
    }
    *device = kept;
}

void usb_device_add(struct usb_device *hub, unsigned port, unsigned speed)
{
    static bool said;
    struct usb_device *device = free_device();
    if (device == NULL) {
        if (!said)
            print("there are more than %u USB devices; the others are left alone\n", USB_DEVICES);
        said = true;
        return;
    }
    clear(device);
    device->used = true;
    device->controller = xhci;
    device->place = usb_place_at(hub != NULL ? &hub->place : NULL, port, speed);
    take_memory(device);
    if (speed == 0)
        (void)refuse(device, "the device does not come up after its reset", CODE_NONE);
    else if (address(device) && adapt_packets(device))
        configure(device);
}

void usb_device_remove(struct usb_device *device)
{
    USB_FOR_EACH (behind)
        if (behind->place.hub == &device->place)
            usb_device_remove(behind);
    print("port %s: it is gone\n", usb_port_name(device));
    if (device->place.slot != 0) {
        (void)xhci_command(0, TRB_TYPE(TRB_DISABLE_SLOT) | TRB_SLOT(device->place.slot), NULL);
        xhci->contexts[device->place.slot] = 0;
    }
    device->used = false;
}

void usb_devices_forget(void)
{
    USB_FOR_EACH (device)
        device->used = false;
}
