/* SPDX-License-Identifier: MIT */
/* The report on the machine, written before anything of it is touched (docs/preflight.md). */
#include "boot/efi/preflight.h"

#include "boot/efi/network.h"
#include "boot/efi/verify.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "hypervisor/pci/function.h"

/* The Makefile defines both, for this file alone. */
#ifndef BULKHEAD_VERSION
#define BULKHEAD_VERSION "unknown"
#endif
#ifndef BULKHEAD_COMMIT
#define BULKHEAD_COMMIT "unknown"
#endif

#define REPORT_FILE  "preflight.txt"
#define TABLE_FOLDER "tables"
#define REPORT_ROOM  MIB(1)
#define END_OF_FILE  256
#define KEY_SECONDS  60

static struct cpuid_result query(uint32_t leaf, uint32_t subleaf)
{
    return cpuid(leaf, subleaf);
}

/* It may come from a file, or from whoever started the application. */
static struct quoted {
    char text[4 * BOOT_NAME_SIZE];
} quoted_name(const struct boot_info *info)
{
    struct quoted quoted;
    quote_text(quoted.text, sizeof quoted.text, info->config_name, strlen(info->config_name));
    return quoted;
}

static void complain(void *context, struct config_place place, const char *message)
{
    char quoted[300];
    quote_text(quoted, sizeof quoted, message, strlen(message));
    log_event("config.error", "file=\"%s\" line=%u column=%u message=\"%s\"",
              quoted_name(context).text, place.line, place.column, quoted);
}

static void read_configuration(struct boot_info *info, struct config *config)
{
    if (info->config_size == 0) {
        log_event("config.error",
                  "file=\"%s\" line=0 column=0 message=\"there is no such file in "
                  "\\\\bulkhead\"",
                  quoted_name(info).text);
        return;
    }
    enum status parsed = config_parse((const char *)(UINTN)info->config_base,
                                      (size_t)info->config_size, config, complain, info);
    (void)parsed; /* each complaint is a line */
}

static uint64_t free_memory(const struct boot_info *info)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < info->range_count; i++)
        if (info->ranges[i].type == BOOT_MEMORY_USABLE ||
            info->ranges[i].type == BOOT_MEMORY_SPECIAL)
            bytes += info->ranges[i].size;
    return bytes;
}

static void write_report(struct boot_info *info, struct preflight *facts, struct config *config,
                         struct pci_function *slots)
{
    static const struct preflight_cpu cpu = {query, msr_read};
    static struct preflight_roots roots;
    log_event("preflight.start", "format=%u version=%s commit=%s config=\"%s\"", REPORT_FORMAT,
              BULKHEAD_VERSION, BULKHEAD_COMMIT, quoted_name(info).text);
    firmware_log();
    preflight_processor(&cpu, facts);
    preflight_virtualization(&cpu, facts);
    preflight_tables(&access_memory, platform_rsdp(), facts);
    preflight_threads(facts);
    firmware_roots(&roots);
    access_configuration_space(info, &facts->mcfg);
    preflight_functions(&roots, facts, slots, PCI_MAX_FUNCTIONS);
    preflight_sriov();
    preflight_units(access_readable, facts);
    firmware_screens();
    firmware_memory();
    facts->free_memory = free_memory(info);
    read_configuration(info, config);
    preflight_plan(config, files_exist, facts);
}

static bool unchanged(void)
{
    static char end[END_OF_FILE];
    uint64_t stable;
    UINTN size = write_read_end(REPORT_FILE, end, sizeof end);
    return report_last_line(end, size, "stable", &stable) && stable == report_stable_digest();
}

static EFI_STATUS write_tables(const struct preflight *facts, const char **problem)
{
    const char *signature;
    EFI_STATUS first = EFI_SUCCESS;
    write_folder(TABLE_FOLDER);
    for (size_t i = 0; (signature = preflight_table_saved(i)) != NULL && first == EFI_SUCCESS;
         i++) {
        char name[sizeof TABLE_FOLDER + 16];
        uint32_t length;
        const void *table = acpi_table_map(&access_memory, &facts->directory, signature, &length);
        format_text(name, sizeof name, TABLE_FOLDER "\\%s.bin", signature);
        if (table != NULL)
            first = write_file(name, table, length, problem);
    }
    return first;
}

/* Tables first: a report that says how long they are stands for their being there. */
static void save(struct boot_info *info, const struct preflight *facts, const char *report,
                 size_t size, bool only, char *result, size_t room)
{
    const char *problem = "";
    EFI_STATUS status = EFI_SUCCESS;
    bool same = unchanged();
    if (same && !only) {
        format_text(result, room, "\\bulkhead\\" REPORT_FILE " is as it was");
        return;
    }
    status = write_tables(facts, &problem);
    if (status == EFI_SUCCESS || status == EFI_VOLUME_FULL) {
        EFI_STATUS written = write_file(REPORT_FILE, report, size, &problem);
        status = written != EFI_SUCCESS ? written : status;
    }
    if (status == EFI_SUCCESS) {
        format_text(result, room, "\\bulkhead\\" REPORT_FILE " has %zu KiB", size / 1024 + 1);
        return;
    }
    format_text(result, room, "\\bulkhead\\" REPORT_FILE " cannot be written: %s (status 0x%lx)",
                problem, status);
    if (info->message[0] == '\0')
        format_text(info->message, sizeof info->message, "efi: %s", result);
}

static bool word_is_there(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (size_t at = 0; text[at] != '\0'; at++)
        if ((at == 0 || text[at - 1] == ' ') && strncmp(text + at, word, length) == 0 &&
            (text[at + length] == ' ' || text[at + length] == '\0'))
            return true;
    return false;
}

bool preflight(struct boot_info *info)
{
    static struct preflight facts;
    static struct config config;
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    bool only = word_is_there(info->command_line, PREFLIGHT_OPTION);
    /* There is no volume to write to, and each image that the configuration names would be one more
     * question to the server. */
    if (!only && network_is_open())
        return false;
    UINTN pages = (UINTN)(REPORT_ROOM / PAGE_SIZE);
    UINTN slot_pages =
        (UINTN)((PCI_MAX_FUNCTIONS * sizeof(struct pci_function) + PAGE_SIZE - 1) / PAGE_SIZE);
    EFI_PHYSICAL_ADDRESS room = 0, slots = 0;
    char result[160] = "no memory for the report";
    if (memory_read_map(info) == EFI_SUCCESS &&
        services->AllocatePages(AllocateAnyPages, EfiBootServicesData, pages, &room) ==
            EFI_SUCCESS) {
        if (services->AllocatePages(AllocateAnyPages, EfiBootServicesData, slot_pages, &slots) ==
            EFI_SUCCESS) {
            report_begin((char *)(UINTN)room, REPORT_ROOM);
            write_report(info, &facts, &config, (struct pci_function *)(UINTN)slots);
            size_t size = report_end();
            save(info, &facts, (const char *)(UINTN)room, size, only, result, sizeof result);
            if (only)
                preflight_screen(&facts, (const char *)(UINTN)room, size, info->config_name, result,
                                 console_print);
            services->FreePages(slots, slot_pages);
        }
        services->FreePages(room, pages);
    }
    if (!only) {
        say("%s", result);
        return false;
    }
    if ((info->flags & BOOT_FLAG_BATCH) == 0) {
        console_print(verify_is_sealed() || network_is_open()
                          ? "Press a key; the firmware then goes on with its next boot entry.\n"
                          : "Press a key for the menu.\n");
        console_wait(KEY_SECONDS);
    }
    return true;
}
