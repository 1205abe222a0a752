/* SPDX-License-Identifier: MIT */
/* The report in 24 lines of 79 characters; what is left out is in the file. */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define WIDTH    79
#define PROBLEMS 14 /* lines of them */
#define INDENT   6
#define TEXT     400

/* The value of `key` on the line, without quotation marks; "" when it has none. */
static void value_of(const char *line, size_t size, const char *key, char *value, size_t room)
{
    size_t key_length = strlen(key), length = 0;
    value[0] = '\0';
    for (size_t at = 0; at + key_length + 2 < size; at++) {
        if (line[at] != ' ' || memcmp(line + at + 1, key, key_length) != 0 ||
            line[at + 1 + key_length] != '=')
            continue;
        at += key_length + 2;
        char end = line[at] == '"' ? '"' : ' ';
        at += end == '"';
        for (; at < size && line[at] != end && line[at] != '\n' && length < room - 1; at++) {
            at += end == '"' && line[at] == '\\' && at + 1 < size;
            value[length++] = line[at];
        }
        value[length] = '\0';
        return;
    }
}

static bool is_event(const char *line, size_t size, const char *event)
{
    size_t length = strlen(event);
    return size > length && memcmp(line, event, length) == 0 && line[length] == ' ';
}

static void (*console)(const char *text);

static void print(const char *format, ...) PRINTF_LIKE(1, 2);
static void print(const char *format, ...)
{
    char text[WIDTH + 2];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_text_list(text, WIDTH + 1, format, arguments);
    va_end(arguments);
    length = MIN(length, (size_t)WIDTH);
    text[length] = '\n';
    text[length + 1] = '\0';
    console(text);
}

struct wrapped {
    unsigned count;
    char line[PROBLEMS][WIDTH + 1];
};

/* Broken at blanks; what does not fit into all the lines there can be is cut. */
static void wrap(const char *text, struct wrapped *wrapped)
{
    for (wrapped->count = 0; *text != '\0' && wrapped->count < PROBLEMS; wrapped->count++) {
        char *line = wrapped->line[wrapped->count];
        size_t indent = wrapped->count == 0 ? 0 : INDENT, length = 0, blank = 0;
        for (; text[length] != '\0' && indent + length < WIDTH; length++)
            if (text[length] == ' ' && length > INDENT)
                blank = length;
        if (text[length] != '\0' && blank != 0)
            length = blank;
        memset(line, ' ', indent);
        memcpy(line + indent, text, length);
        line[indent + length] = '\0';
        text += length;
        text += *text == ' ';
    }
}

static void describe(const char *line, size_t size, struct wrapped *wrapped)
{
    char number[8], name[40], item[48], message[TEXT], text[TEXT + 120];
    value_of(line, size, "message", message, sizeof message);
    value_of(line, size, "line", number, sizeof number);
    value_of(line, size, "name", name, sizeof name);
    value_of(line, size, "item", item, sizeof item);
    if (is_event(line, size, "config.cannot") || is_event(line, size, "config.unsure"))
        format_text(text, sizeof text, " %c line %s: %s, %s: %s", line[7] == 'u' ? '?' : '!',
                    number, name, item, message);
    else if (is_event(line, size, "config.error"))
        format_text(text, sizeof text, " ! line %s: %s", number, message);
    else
        format_text(text, sizeof text, " ! %s", message);
    wrap(text, wrapped);
}

static bool is_problem(const char *line, size_t size)
{
    static const char *const events[] = {"config.error", "config.cannot", "config.unsure",
                                         "cpu.refused",  "iommu.refused", "acpi.refused",
                                         "pci.refused",  "screen.refused"};
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        if (is_event(line, size, events[i]))
            return true;
    return false;
}

void preflight_screen(const struct preflight *facts, const char *report, size_t size,
                      const char *configuration, const char *result, void (*show)(const char *text))
{
    console = show;
    char brand[52] = "";
    unsigned shown = 0, left = 0, cards = 0;
    for (size_t at = 0, end; at < size; at = end + 1) {
        for (end = at; end < size && report[end] != '\n'; end++)
            ;
        if (is_event(report + at, end - at, "cpu.name"))
            value_of(report + at, end - at, "brand", brand, sizeof brand);
        cards += is_event(report + at, end - at, "pci.sriov");
    }
    char first[TEXT];
    struct wrapped wrapped;
    format_text(first, sizeof first, "Bulkhead preflight: %s", result);
    wrap(first, &wrapped);
    for (unsigned i = 0; i < wrapped.count; i++)
        print("%s", wrapped.line[i]);
    shown = wrapped.count - 1; /* of the lines that there are */
    print("   CPU      %s", brand);
    print("            %u logical CPUs, VMX %s, SVM %s, x2APIC %s", facts->madt.cpu_count,
          yes_no(facts->vmx), yes_no(facts->svm), yes_no(facts->x2apic));
    print("   IOMMU    %u of %u VT-d units usable%s, interrupts remapped: %s", facts->usable_units,
          facts->units, facts->has_ivrs ? " (AMD-Vi found)" : "", yes_no(facts->remapping));
    print("   PCI      cards with SR-IOV: %u; functions that firmware keeps memory for: %u", cards,
          (unsigned)facts->reserved_count);
    print("   memory   %s free for guests", size_text(ALIGN_DOWN(facts->free_memory, MIB(1))).text);
    print("   %s: %u can, %u unsure, %u cannot", configuration, facts->can, facts->unsure,
          facts->cannot);
    for (size_t at = 0, end; at < size; at = end + 1) {
        for (end = at; end < size && report[end] != '\n'; end++)
            ;
        if (!is_problem(report + at, end - at))
            continue;
        describe(report + at, end - at, &wrapped);
        if (left != 0 || shown + wrapped.count > PROBLEMS) {
            left++;
            continue;
        }
        for (unsigned i = 0; i < wrapped.count; i++)
            print("%s", wrapped.line[i]);
        shown += wrapped.count;
    }
    if (left != 0)
        print("   and %u more in the file", left);
}
