/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/names.h"

#include "hypervisor/base/string.h"
#include "hypervisor/monitor/console.h"

static bool digit_of(char character, unsigned base, unsigned *digit)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    for (*digit = 0; *digit < base; ++*digit)
        if (character == lower[*digit] || character == upper[*digit])
            return true;
    return false;
}

/* Reads digits up to something else; false without any or past `limit`. */
static bool digits(const char **text, unsigned base, uint64_t limit, uint64_t *value)
{
    const char *start = *text;
    unsigned digit;
    *value = 0;
    for (; digit_of(**text, base, &digit); (*text)++) {
        if (*value > (limit - digit) / base)
            return false;
        *value = *value * base + digit;
    }
    return *text != start;
}

static bool is_hexadecimal(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

bool read_number(const char *text, uint64_t *value)
{
    unsigned base = is_hexadecimal(text) ? 16 : 10;
    text += base == 16 ? 2 : 0;
    return digits(&text, base, UINT64_MAX, value) && *text == '\0';
}

bool read_rid(const char *text, rid_t *rid)
{
    uint64_t segment = 0, bus, device, function;
    unsigned colons = 0;
    for (const char *at = text; *at != '\0'; at++)
        colons += *at == ':';
    if (colons == 2 && (!digits(&text, 16, 0xffff, &segment) || *text++ != ':'))
        return false;
    if (!digits(&text, 16, 0xff, &bus) || *text++ != ':' || !digits(&text, 16, 0x1f, &device) ||
        *text++ != '.' || !digits(&text, 8, 7, &function) || *text != '\0')
        return false;
    *rid = RID(segment, bus, device, function);
    return true;
}

bool ask_number(const char *text, const char *what, uint64_t *value)
{
    bool read = read_number(text, value);
    if (!read)
        console_printf("%s: %s is 0x and hexadecimal digits, or decimal; at most 64 bits\n", text,
                       what);
    else if (*value > 9 && !is_hexadecimal(text))
        console_printf("%s is decimal: %#lx\n", text, *value);
    return read;
}

bool ask_device(const char *text, rid_t *rid)
{
    const struct pci_function *function;
    if (read_rid(text, rid))
        return true;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        *rid = function->rid;
        if (text_equal(text, function->name) && !text_equal(text, "-"))
            return true;
    }
    console_printf("%s: no such device; a device is a name that `devices` shows, or bb:dd.f\n",
                   text);
    return false;
}

struct guest *ask_guest(const char *text)
{
    struct guest *guest = guest_find(text);
    if (guest == NULL)
        console_printf("%s: no such guest; `guests` lists them\n", text);
    return guest;
}

const char *owner_name(owner_t owner)
{
    const struct guest *guest = guest_of_owner(owner);
    return guest != NULL ? guest->name : owner_kind(owner);
}
