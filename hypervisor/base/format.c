/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/format.h"

#include "hypervisor/base/string.h"

struct sink {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, whether it fits or not */
};

struct conversion {
    bool left;
    bool zeros;
    bool prefix;
    bool wide; /* the integer argument has 64 bits, else 32 */
    int width;
};

static void put(struct sink *sink, char byte)
{
    if (sink->length + 1 < sink->size)
        sink->buffer[sink->length] = byte;
    sink->length++;
}

static void put_repeated(struct sink *sink, char byte, int count)
{
    while (count-- > 0)
        put(sink, byte);
}

static void put_field(struct sink *sink, const struct conversion *conversion, const char *prefix,
                      const char *text, size_t length)
{
    int padding = conversion->width - (int)(strlen(prefix) + length);
    if (!conversion->left && !conversion->zeros)
        put_repeated(sink, ' ', padding);
    while (*prefix != '\0')
        put(sink, *prefix++);
    if (!conversion->left && conversion->zeros)
        put_repeated(sink, '0', padding);
    while (length-- > 0)
        put(sink, *text++);
    if (conversion->left)
        put_repeated(sink, ' ', padding);
}

static void put_integer(struct sink *sink, const struct conversion *conversion, uint64_t value,
                        unsigned base, const char *prefix)
{
    char digits[20];
    char *first = digits + sizeof digits;
    do
        *--first = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    put_field(sink, conversion, prefix, first, (size_t)(digits + sizeof digits - first));
}

/* A va_list wrapped so that it can be passed on by reference (it is an array type on x86-64). */
struct arguments {
    va_list list;
};

/* `kind` is the conversion's last character; false when it is none that we know. */
static bool put_conversion(struct sink *sink, struct conversion *conversion, char kind,
                           struct arguments *arguments)
{
    switch (kind) {
    case 'd': {
        int64_t value =
            conversion->wide ? va_arg(arguments->list, int64_t) : va_arg(arguments->list, int);
        uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
        put_integer(sink, conversion, magnitude, 10, value < 0 ? "-" : "");
        return true;
    }
    case 'u':
    case 'x': {
        uint64_t value = conversion->wide ? va_arg(arguments->list, uint64_t)
                                          : va_arg(arguments->list, unsigned);
        put_integer(sink, conversion, value, kind == 'u' ? 10 : 16,
                    kind == 'x' && conversion->prefix && value != 0 ? "0x" : "");
        return true;
    }
    case 'c': {
        char byte = (char)va_arg(arguments->list, int);
        put_field(sink, conversion, "", &byte, 1);
        return true;
    }
    case 's': {
        const char *text = va_arg(arguments->list, const char *);
        text = text != NULL ? text : "(null)";
        put_field(sink, conversion, "", text, strlen(text));
        return true;
    }
    case '%':
        put(sink, '%');
        return true;
    default:
        return false;
    }
}

static struct conversion read_conversion(const char **format)
{
    struct conversion conversion = {0};
    for (;; (*format)++) {
        if (**format == '-')
            conversion.left = true;
        else if (**format == '0')
            conversion.zeros = true;
        else if (**format == '#')
            conversion.prefix = true;
        else
            break;
    }
    while (**format >= '0' && **format <= '9' && conversion.width < 100000)
        conversion.width = conversion.width * 10 + (*(*format)++ - '0');
    for (; **format == 'l' || **format == 'z'; (*format)++)
        conversion.wide = true;
    return conversion;
}

size_t format_text_list(char *buffer, size_t size, const char *format, va_list list)
{
    struct sink sink = {buffer, size, 0};
    struct arguments arguments;
    va_copy(arguments.list, list);
    while (*format != '\0') {
        if (*format != '%') {
            put(&sink, *format++);
            continue;
        }
        const char *start = format++;
        struct conversion conversion = read_conversion(&format);
        if (*format != '\0' && put_conversion(&sink, &conversion, *format, &arguments)) {
            format++;
            continue;
        }
        /* Unknown: shown as it stands. The arguments after it would be misread, so stop there. */
        while (*start != '\0')
            put(&sink, *start++);
        break;
    }
    va_end(arguments.list);
    if (size > 0)
        buffer[MIN(sink.length, size - 1)] = '\0';
    return sink.length;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_list(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

struct short_text size_text(uint64_t bytes)
{
    struct short_text result;
    const char *unit = "";
    static const struct {
        uint64_t size;
        const char *name;
    } units[] = {{GIB(1), "G"}, {MIB(1), "M"}, {KIB(1), "K"}};
    for (size_t i = 0; i < ARRAY_SIZE(units) && bytes != 0; i++) {
        if (bytes % units[i].size != 0)
            continue;
        bytes /= units[i].size;
        unit = units[i].name;
        break;
    }
    format_text(result.text, sizeof result.text, "%lu%s", bytes, unit);
    return result;
}

struct short_text rid_text(uint32_t rid)
{
    struct short_text result = {""};
    unsigned segment = rid >> 16, bus = rid >> 8 & 0xff, device = rid >> 3 & 0x1f;
    size_t used = 0;
    if (segment != 0)
        used = format_text(result.text, sizeof result.text, "%04x:", segment);
    format_text(result.text + used, sizeof result.text - used, "%02x:%02x.%x", bus, device,
                rid & 7);
    return result;
}

void quote_text(char *destination, size_t size, const char *source, size_t source_size)
{
    size_t used = 0;
    if (size == 0)
        return;
    for (size_t i = 0; i < source_size; i++) {
        uint8_t byte = (uint8_t)source[i];
        char piece[5];
        size_t length;
        if (byte == '"' || byte == '\\')
            length = format_text(piece, sizeof piece, "\\%c", byte);
        else if (byte < 0x20 || byte > 0x7e)
            length = format_text(piece, sizeof piece, "\\x%02x", byte);
        else
            length = format_text(piece, sizeof piece, "%c", byte);
        /* An escape is written whole or not at all. */
        if (length >= size - used)
            break;
        memcpy(destination + used, piece, length);
        used += length;
    }
    destination[used] = '\0';
}
