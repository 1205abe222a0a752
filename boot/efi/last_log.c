/* SPDX-License-Identifier: MIT */
/* The last run's log: found in memory, saved as a file. */
#include "boot/efi/efi.h"

#include "boot/kept_log.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define NAME       "last.log"
#define PAGES      (LOG_KEPT_SIZE / PAGE_SIZE)
#define PLACE_MARK UINT32_C(0x474f4c42) /* "BLOG" */

/* What the variable holds. A place that is no longer free, or never was, is found out by asking the
 * firmware for it. */
struct place {
    uint32_t mark; /* PLACE_MARK */
    uint32_t page; /* number of the first page */
};

static CHAR16 variable_name[] = L"BulkheadLog";
static EFI_GUID variable_guid = {
    0x5b1f2c6e, 0x93d4, 0x4f0a, {0x8e, 0x27, 0x6d, 0x11, 0xc4, 0x52, 0xa9, 0x3b}};

/* Firmware works in the low tens of megabytes and from the top of memory downwards. */
static const UINT64 places[] = {MIB(64),  MIB(96),  MIB(128), MIB(192),  MIB(256),
                                MIB(384), MIB(768), GIB(1),   MIB(1536), GIB(2)};

static UINT64 kept;
static bool was_taken; /* where the variable says it was, there is something else now */

static UINT64 recorded_place(void)
{
    struct place place;
    UINTN size = sizeof place;
    UINT32 attributes;
    if (efi_system->RuntimeServices->GetVariable(variable_name, &variable_guid, &attributes, &size,
                                                 &place) != EFI_SUCCESS ||
        size != sizeof place || place.mark != PLACE_MARK)
        return 0;
    return (UINT64)place.page * PAGE_SIZE;
}

static bool record_place(void)
{
    struct place place = {PLACE_MARK, (uint32_t)(kept / PAGE_SIZE)};
    return recorded_place() == kept ||
           efi_system->RuntimeServices->SetVariable(variable_name, &variable_guid,
                                                    EFI_VARIABLE_NON_VOLATILE |
                                                        EFI_VARIABLE_BOOTSERVICE_ACCESS,
                                                    sizeof place, &place) == EFI_SUCCESS;
}

static bool take(UINT64 base)
{
    if (base == 0 || base > GIB(4) - LOG_KEPT_SIZE ||
        !memory_allocate_at(base, PAGES, BOOT_MEMORY_RESERVED))
        return false;
    kept = base;
    return true;
}

void last_log_take(void)
{
    UINT64 recorded = recorded_place();
    if (take(recorded))
        return;
    was_taken = recorded != 0;
    for (size_t i = 0; i < ARRAY_SIZE(places) && kept == 0; i++)
        (void)take(places[i]);
}

/* --- the file --- */

static struct {
    EFI_FILE_HANDLE file;
    EFI_STATUS status;
    UINT64 written; /* bytes that reached the file */
    UINTN used;
    char bytes[KIB(16)]; /* firmware takes long for each call */
} output;

static void flush(void)
{
    UINTN size = output.used;
    if (output.status != EFI_SUCCESS)
        return;
    output.status = output.file->Write(output.file, &size, output.bytes);
    output.written += size;
    if (output.status == EFI_SUCCESS && size != output.used)
        output.status = EFI_VOLUME_FULL;
    output.used = 0;
}

static void put(const char *text, size_t size)
{
    if (size > sizeof output.bytes - output.used)
        flush();
    if (output.status != EFI_SUCCESS)
        return;
    memcpy(output.bytes + output.used, text, size);
    output.used += size;
}

static void put_line(const char *format, ...) PRINTF_LIKE(1, 2);
static void put_line(const char *format, ...)
{
    char line[LOG_LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    size_t size = format_text_list(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    size = MIN(size, sizeof line - 2);
    line[size] = '\n';
    put(line, size + 1);
}

static void count(struct boot_log *report, struct kept_log log)
{
    char text[LOG_LINE_SIZE];
    UINT64 gap;
    while (kept_log_next(&log, text, &gap) != 0)
        ;
    report->lines = (uint32_t)log.lines;
    report->missing = (uint32_t)MIN(log.missing, UINT32_MAX);
    report->crashed = log.crashed;
}

static void write_lines(const struct boot_log *report, struct kept_log log)
{
    char text[LOG_LINE_SIZE];
    UINT64 gap;
    put_line("[0.000000] log.last from=%s lines=%u missing=%u crash=%s", report->from,
             report->lines, report->missing, report->crashed ? "yes" : "no");
    for (size_t size; (size = kept_log_next(&log, text, &gap)) != 0;) {
        if (gap != 0)
            put_line("[0.000000] log.gap lines=%lu message=\"overwritten by newer lines, or not "
                     "kept as they were\"",
                     gap);
        put(text, size);
    }
}

static void save(struct boot_log *report, const struct kept_log *log)
{
    count(report, *log);
    output.status = write_create(NAME, &output.file);
    bool open = output.status == EFI_SUCCESS;
    write_lines(report, *log);
    flush();
    if (open) {
        EFI_STATUS closed = output.file->Flush(output.file);
        output.status = output.status == EFI_SUCCESS ? closed : output.status;
        output.file->Close(output.file);
    }
    report->saved = output.written;
    if (output.status != EFI_SUCCESS) {
        format_text(report->message, sizeof report->message,
                    NAME ": %s (status 0x%lx); %lu bytes of it are written",
                    write_problem(output.status), output.status, output.written);
        say("%s", report->message);
    } else {
        say("the log of the last run is saved: \\bulkhead\\" NAME ", %u lines, %s", report->lines,
            report->crashed ? "with a crash" : "no crash");
    }
}

/* The memory was lost, or this crash is in both: what memory had is more. */
static void use_store(struct boot_log *report)
{
    static UINT64 words[KIB(60) / sizeof(UINT64)];
    UINTN size = sizeof words;
    struct kept_log log;
    if (!erst_read(words, &size))
        return;
    if (report->saved == 0 && kept_log_open_ring(&log, words, size / sizeof words[0])) {
        text_copy(report->from, sizeof report->from, "erst");
        save(report, &log);
    }
    if (!erst_clear() && report->message[0] == '\0')
        text_copy(report->message, sizeof report->message,
                  "the firmware does not let a crash record be removed from its store");
}

void last_log_save(struct boot_info *info)
{
    struct boot_log *report = &info->log;
    struct kept_log log;
    report->base = kept;
    if (was_taken)
        text_copy(report->message, sizeof report->message,
                  "the firmware uses the memory that the last run's log was in");
    if (kept == 0)
        text_copy(report->message, sizeof report->message,
                  "no memory for a log that outlives a reset is free");
    text_copy(report->from, sizeof report->from, "memory");
    if (kept != 0 && kept_log_open(&log, (uint64_t *)(UINTN)kept))
        save(report, &log);
    use_store(report);
    if (kept == 0)
        return;
    memset((void *)(UINTN)kept, 0, LOG_KEPT_SIZE);
    if (!record_place() && report->message[0] == '\0')
        text_copy(report->message, sizeof report->message,
                  "the firmware keeps no variable with the log's place; after a reset it is looked "
                  "for where this run has it");
}
