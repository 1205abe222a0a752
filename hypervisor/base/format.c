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
    int width;
    int precision; /* -1: none given */
    int length;    /* bytes of the integer argument */
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

static void put_field(struct sink *sink, const struct conversion *conversion, const char *text,
                      int length)
{
    int padding = conversion->width - length;
    if (!conversion->left)
        put_repeated(sink, ' ', padding);
    for (int i = 0; i < length; i++)
        put(sink, text[i]);
    if (conversion->left)
        put_repeated(sink, ' ', padding);
}

static void put_integer(struct sink *sink, const struct conversion *conversion, uint64_t value,
                        bool negative, unsigned base, const char *digits, const char *prefix)
{
    char reversed[20];
    int count = 0;
    for (uint64_t left = value; left != 0; left /= base)
        reversed[count++] = digits[left % base];
    int prefix_length = (int)strlen(prefix) + negative;
    int zeros = (conversion->precision < 0 ? 1 : conversion->precision) - count;
    /* The flag '0' counts only without '-' and without a precision (C17 7.21.6.1). */
    if (conversion->zeros && !conversion->left && conversion->precision < 0)
        zeros = MAX(zeros, conversion->width - prefix_length - count);
    zeros = MAX(zeros, 0);

    int padding = conversion->width - prefix_length - zeros - count;
    if (!conversion->left)
        put_repeated(sink, ' ', padding);
    if (negative)
        put(sink, '-');
    while (*prefix != '\0')
        put(sink, *prefix++);
    put_repeated(sink, '0', zeros);
    while (count > 0)
        put(sink, reversed[--count]);
    if (conversion->left)
        put_repeated(sink, ' ', padding);
}

static int read_number(const char **format)
{
    int number = 0;
    while (**format >= '0' && **format <= '9' && number < 100000)
        number = number * 10 + (*(*format)++ - '0');
    return number;
}

static int read_length(const char **format)
{
    switch (**format) {
    case 'h':
        (*format)++;
        if (**format != 'h')
            return sizeof(short);
        (*format)++;
        return sizeof(char);
    case 'l':
        (*format)++;
        if (**format == 'l')
            (*format)++;
        return sizeof(long);
    case 'z':
    case 'j':
    case 't':
        (*format)++;
        return sizeof(uintmax_t);
    default:
        return sizeof(int);
    }
}

static uint64_t low_bytes(uint64_t value, int bytes)
{
    return bytes == 8 ? value : value & (BIT(bytes * 8) - 1);
}

/* A va_list wrapped so that it can be passed on by reference (it is an array type on x86-64). */
struct arguments {
    va_list list;
};

static uint64_t next_integer(struct arguments *arguments, int bytes)
{
    if (bytes == 8)
        return va_arg(arguments->list, uint64_t);
    return va_arg(arguments->list, unsigned);
}

static void put_signed(struct sink *sink, const struct conversion *conversion, uint64_t raw)
{
    unsigned shift = 64 - 8 * (unsigned)conversion->length;
    int64_t value = (int64_t)(raw << shift) >> shift;
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    put_integer(sink, conversion, magnitude, value < 0, 10, "0123456789", "");
}

static void put_text(struct sink *sink, const struct conversion *conversion, const char *text)
{
    if (text == NULL)
        text = "(null)";
    int length = 0;
    while ((conversion->precision < 0 || length < conversion->precision) && text[length] != '\0')
        length++;
    put_field(sink, conversion, text, length);
}

/* `format` points at the conversion's last character; false when it is none that we know. */
static bool put_conversion(struct sink *sink, struct conversion *conversion, char kind,
                           struct arguments *arguments)
{
    switch (kind) {
    case 'd':
    case 'i':
        put_signed(sink, conversion, next_integer(arguments, conversion->length));
        return true;
    case 'u':
    case 'x':
    case 'X': {
        uint64_t value = low_bytes(next_integer(arguments, conversion->length), conversion->length);
        const char *prefix = kind == 'x' ? "0x" : "0X";
        bool with_prefix = kind != 'u' && conversion->prefix && value != 0;
        put_integer(sink, conversion, value, false, kind == 'u' ? 10 : 16,
                    kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef",
                    with_prefix ? prefix : "");
        return true;
    }
    case 'p':
        put_integer(sink, conversion, va_arg(arguments->list, uintptr_t), false, 16,
                    "0123456789abcdef", "0x");
        return true;
    case 'c': {
        char byte = (char)va_arg(arguments->list, int);
        put_field(sink, conversion, &byte, 1);
        return true;
    }
    case 's':
        put_text(sink, conversion, va_arg(arguments->list, const char *));
        return true;
    case '%':
        put(sink, '%');
        return true;
    default:
        return false;
    }
}

static struct conversion read_conversion(const char **format, struct arguments *arguments)
{
    struct conversion conversion = {.precision = -1};
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
    if (**format == '*') {
        (*format)++;
        conversion.width = va_arg(arguments->list, int);
        if (conversion.width < 0) {
            conversion.left = true;
            conversion.width = -conversion.width;
        }
    } else {
        conversion.width = read_number(format);
    }
    if (**format == '.') {
        (*format)++;
        if (**format == '*') {
            (*format)++;
            conversion.precision = va_arg(arguments->list, int);
        } else {
            conversion.precision = read_number(format);
        }
    }
    conversion.length = read_length(format);
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
        struct conversion conversion = read_conversion(&format, &arguments);
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
    format_text(result.text, sizeof result.text, "%llu%s", (unsigned long long)bytes, unit);
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
