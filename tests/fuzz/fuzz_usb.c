/* SPDX-License-Identifier: MIT */
// Any bytes as a configuration descriptor, then as a keyboard's reports: what is found can be, and
// what is typed are characters.
// SOURCES: guest/usb/descriptors.c guest/usb/keys.c
#include "guest/usb/descriptors.h"
#include "guest/usb/keys.h"
#include "tests/fuzz/fuzz.h"

static void typed(const char *text, size_t size)
{
    fuzz_check(size >= 1 && size <= 4);
    for (size_t i = 0; i < size; i++)
        fuzz_check(text[i] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usb_configuration found;
    struct keys keys = {.modifiers = 0};
    if (usb_configuration_read(data, size, &found)) {
        fuzz_check(found.keyboards <= USB_KEYBOARDS);
        for (unsigned i = 0; i < found.keyboards; i++) {
            const struct usb_endpoint *endpoint = &found.keyboard[i];
            fuzz_check(endpoint->number >= 1 && endpoint->number <= 15);
            fuzz_check(endpoint->size >= KEYS_REPORT && endpoint->size <= 1024);
            fuzz_check(endpoint->interval != 0 && endpoint->burst <= 15);
        }
    }
    for (size_t at = 0; at < size; at += KEYS_REPORT) {
        (void)keys_report(&keys, data + at, size - at, at * 100000, typed);
        keys_tick(&keys, at * 100000 + 600000, typed);
    }
    return 0;
}
