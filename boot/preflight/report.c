/* SPDX-License-Identifier: MIT */
#include "boot/preflight/report.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

#define LAST_EVENT "preflight.end"
#define LAST_ROOM  200

static struct {
    char *text; /* NULL: not written now */
    size_t room, length;
    unsigned lines, lost;
    bool varies;
    uint64_t stable;
} report;

uint64_t digest(uint64_t start, const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < size; i++)
        start = (start ^ byte[i]) * UINT64_C(0x100000001b3);
    return start;
}

void report_begin(char *room, size_t size)
{
    memset(&report, 0, sizeof report);
    report.text = size > LAST_ROOM ? room : NULL;
    report.room = size > LAST_ROOM ? size - LAST_ROOM : 0;
    report.stable = DIGEST_START;
}

void report_varies(bool varies)
{
    report.varies = varies;
}

void report_add(const char *event, const char *format, va_list arguments)
{
    char line[LOG_LINE_SIZE];
    size_t length = format_text(line, sizeof line, "%s ", event);
    if (length < sizeof line)
        length += format_text_list(line + length, sizeof line - length, format, arguments);
    if (report.text == NULL)
        return;
    if (length >= sizeof line) {
        length = sizeof line - 1;
        memcpy(line + length - 3, "...", 3);
    }
    line[length++] = '\n';
    if (length > report.room - report.length) {
        report.lost++;
        return;
    }
    memcpy(report.text + report.length, line, length);
    report.length += length;
    report.lines++;
    if (!report.varies)
        report.stable = digest(report.stable, line, length);
}

size_t report_end(void)
{
    if (report.text == NULL)
        return 0;
    uint64_t all = digest(DIGEST_START, report.text, report.length);
    size_t length =
        report.length + format_text(report.text + report.length, LAST_ROOM,
                                    LAST_EVENT
                                    " lines=%u lost=%u bytes=%zu digest=0x%lx stable=0x%lx\n",
                                    report.lines, report.lost, report.length, all, report.stable);
    report.text = NULL;
    return length;
}

uint64_t report_stable_digest(void)
{
    return report.stable;
}

static bool hexadecimal(const char *text, size_t size, uint64_t *value)
{
    *value = 0;
    size_t digits = 0;
    for (; digits < size && digits < 16; digits++) {
        char c = text[digits];
        uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10)
                                                : 16;
        if (digit == 16)
            break;
        *value = *value << 4 | digit;
    }
    return digits > 0 && digits < size && (text[digits] == ' ' || text[digits] == '\n');
}

bool report_last_line(const char *text, size_t size, const char *key, uint64_t *value)
{
    if (size == 0 || text[size - 1] != '\n')
        return false;
    size_t start = size - 1;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    const size_t event = sizeof LAST_EVENT - 1, key_length = strlen(key);
    if (size - start <= event || memcmp(text + start, LAST_EVENT, event) != 0)
        return false;
    for (size_t at = start + event; at + key_length + 4 < size; at++)
        if (text[at] == ' ' && memcmp(text + at + 1, key, key_length) == 0 &&
            memcmp(text + at + 1 + key_length, "=0x", 3) == 0)
            return hexadecimal(text + at + key_length + 4, size - at - key_length - 4, value);
    return false;
}
