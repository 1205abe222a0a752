/* SPDX-License-Identifier: MIT */
/* The report in 24 lines of 79 characters; what is left out is in the file. */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define WIDTH    79
#define PROBLEMS 13

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
        for (; at < size && line[at] != end && line[at] != '\n' && length < room - 1; at++)
            value[length++] = line[at];
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

static void print_problem(const char *line, size_t size)
{
    char number[8], name[40], item[48], message[WIDTH + 1];
    value_of(line, size, "message", message, sizeof message);
    if (is_event(line, size, "config.cannot") || is_event(line, size, "config.unsure") ||
        is_event(line, size, "config.error")) {
        value_of(line, size, "line", number, sizeof number);
        value_of(line, size, "name", name, sizeof name);
        value_of(line, size, "item", item, sizeof item);
        print(" %c line %s %s %s: %s", line[7] == 'u' ? '?' : '!', number, name, item, message);
    } else {
        print(" ! %s", message);
    }
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
    print("Bulkhead preflight: %s", result);
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
        if (shown == PROBLEMS) {
            left++;
            continue;
        }
        print_problem(report + at, end - at);
        shown++;
    }
    if (left != 0)
        print("   and %u more in the file", left);
}
