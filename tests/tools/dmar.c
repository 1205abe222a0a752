/* SPDX-License-Identifier: MIT */
/*
 * Prints a DMAR table the way Bulkhead reads it:
 *   build/dmar FILE...            e.g. build/dmar /sys/firmware/acpi/tables/DMAR
 *   build/dmar --brief FILE...    a line for each table, and the sums
 *   build/dmar --plain FILE...    for scripts: a line for each structure and each scope, numbers
 *                                 in hexadecimal
 * A directory stands for the *.dmar files in it.
 * Exit status 1 when a table cannot be used as it is (with --plain: understood as it is), 2 when
 * a file cannot be read.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/dmar.h"
#include "hypervisor/base/log.h"

#define MAX_BYTES (1u << 20)

static unsigned complaints;

void log_event(const char *event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("  %s ", event);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    complaints++;
}

static void complain(const char *text)
{
    printf("  -- %s", text);
    complaints++;
}

static void print_path(const struct dmar_scope *scope)
{
    for (unsigned hop = 0; hop < scope->path_length; hop++)
        printf("%s%02x.%x", hop == 0 ? "" : "/", scope->path[2 * hop], scope->path[2 * hop + 1]);
}

static void print_name(const struct dmar_structure *structure)
{
    for (uint32_t i = 0; i < structure->name_size && structure->name[i] != '\0'; i++)
        putchar(structure->name[i] > ' ' && structure->name[i] < 0x7f ? structure->name[i] : '?');
}

static void print_scopes(const struct dmar *dmar, const struct dmar_structure *structure)
{
    struct dmar_scope scope;
    for (uint32_t cursor = 0; dmar_scope_next(dmar, structure, &cursor, &scope);) {
        printf("        %-10s %02x:", dmar_scope_type_name(scope.type), scope.start_bus);
        print_path(&scope);
        if (scope.type == SCOPE_IOAPIC || scope.type == SCOPE_HPET || scope.type == SCOPE_NAMESPACE)
            printf("  id %u", scope.enumeration_id);
        printf("\n");
    }
}

static void print_unit(const struct dmar_structure *unit, unsigned *all)
{
    bool everything = (unit->flags & DRHD_FLAG_INCLUDE_PCI_ALL) != 0;
    printf("  unit  segment %u  registers 0x%09" PRIx64 " + %" PRIu64 "K%s", unit->segment,
           unit->base, unit->size / 1024, everything ? "  all other devices" : "");
    if (unit->base == 0 || !IS_ALIGNED(unit->base, PAGE_SIZE))
        complain("refused: no unit can be at this address");
    else if (!everything && unit->scope_offset == unit->length)
        printf("  (no devices)");
    printf("\n");
    *all += everything;
}

static void print_region(const struct dmar_structure *region)
{
    printf("  reserved  segment %u  0x%09" PRIx64 " .. 0x%09" PRIx64, region->segment, region->base,
           region->limit);
    if (region->limit <= region->base)
        complain("refused: ends before it begins");
    else if (!IS_ALIGNED(region->base, PAGE_SIZE) || !IS_ALIGNED(region->limit + 1, PAGE_SIZE))
        complain("not whole pages");
    printf("\n");
}

static void print_structure(const struct dmar_structure *structure, unsigned *all)
{
    switch (structure->type) {
    case DMAR_DRHD:
        print_unit(structure, all);
        break;
    case DMAR_RMRR:
        print_region(structure);
        break;
    case DMAR_RHSA:
        printf("  affinity  unit 0x%09" PRIx64 "  node %u\n", structure->base,
               structure->proximity);
        break;
    case DMAR_ANDD:
        printf("  namespace  device %u  ", structure->device_number);
        print_name(structure);
        putchar('\n');
        break;
    default:
        printf("  %s (type %u)  segment %u  flags 0x%x\n", dmar_type_name(structure->type),
               structure->type, structure->segment, structure->flags);
    }
}

static void print_pretty(const struct dmar *dmar, uint32_t length, bool sum_right)
{
    printf("  %u bytes, %u address bits%s%s%s\n", length, dmar->host_address_width,
           (dmar->flags & DMAR_FLAG_INTR_REMAP) != 0 ? ", interrupt remapping" : "",
           (dmar->flags & DMAR_FLAG_X2APIC_OPT_OUT) != 0 ? ", firmware asks not to use x2APIC" : "",
           (dmar->flags & DMAR_FLAG_DMA_CTRL_OPT_IN) != 0 ? ", DMA protected by firmware" : "");
    if (!sum_right)
        printf("  the checksum is wrong; Bulkhead uses the table all the same\n");
    struct dmar_structure structure;
    unsigned all = 0;
    for (uint32_t cursor = 0; dmar_next(dmar, &cursor, &structure);) {
        print_structure(&structure, &all);
        print_scopes(dmar, &structure);
    }
    if (all == 0)
        printf("  note: only devices that are named here can be assigned (no unit takes the "
               "others)\n");
    if ((dmar->flags & DMAR_FLAG_INTR_REMAP) == 0)
        printf("  note: no interrupt remapping: devices could forge interrupts\n");
}

static void print_plain(const struct dmar *dmar, uint32_t length, bool sum_right)
{
    printf("  header length=%x width=%x flags=%x checksum=%s\n", length, dmar->host_address_width,
           dmar->flags, sum_right ? "right" : "wrong");
    complaints += !sum_right;
    struct dmar_structure one;
    for (uint32_t cursor = 0; dmar_next(dmar, &cursor, &one);) {
        printf("  structure offset=%x type=%x length=%x flags=%x segment=%x base=%" PRIx64
               " limit=%" PRIx64 " size=%" PRIx64 " proximity=%x device=%x name=",
               one.offset, one.type, one.length, one.flags, one.segment, one.base, one.limit,
               one.size, one.proximity, one.device_number);
        print_name(&one);
        putchar('\n');
        struct dmar_scope scope;
        for (uint32_t at = 0; dmar_scope_next(dmar, &one, &at, &scope);) {
            printf("  scope offset=%x type=%x flags=%x id=%x bus=%x path=", scope.offset,
                   scope.type, scope.flags, scope.enumeration_id, scope.start_bus);
            print_path(&scope);
            putchar('\n');
        }
    }
}

static struct {
    unsigned tables, usable, units, scopes, regions, others;
} sums;

static void print_brief(const struct dmar *dmar)
{
    struct dmar_structure one;
    struct dmar_scope scope;
    unsigned units = 0, scopes = 0, regions = 0, others = 0;
    for (uint32_t cursor = 0; dmar_next(dmar, &cursor, &one);) {
        units += one.type == DMAR_DRHD;
        regions += one.type == DMAR_RMRR;
        others += one.type != DMAR_DRHD && one.type != DMAR_RMRR;
        complaints += one.type == DMAR_DRHD && (one.base == 0 || !IS_ALIGNED(one.base, PAGE_SIZE));
        complaints += one.type == DMAR_RMRR && one.limit <= one.base;
        for (uint32_t at = 0; dmar_scope_next(dmar, &one, &at, &scope);)
            scopes++;
    }
    printf("  %5u %6u %8u %6u  %u bits%s", units, scopes, regions, others, dmar->host_address_width,
           (dmar->flags & DMAR_FLAG_INTR_REMAP) != 0 ? "" : ", no interrupt remapping");
    sums.units += units;
    sums.scopes += scopes;
    sums.regions += regions;
    sums.others += others;
}

enum format { WORDS, BRIEF, PLAIN };

/* False when not even the header can be trusted. */
static bool print_table(const uint8_t *bytes, uint32_t length, enum format format)
{
    struct dmar dmar;
    if (dmar_parse(bytes, length, &dmar) != STATUS_OK)
        return false;
    /* What follows the table in the file is not part of the sum. */
    uint32_t claimed = read32(bytes + offsetof(struct acpi_header, length));
    uint8_t sum = 0;
    for (uint32_t i = 0; i < MIN(claimed, length); i++)
        sum = (uint8_t)(sum + bytes[i]);
    if (format == BRIEF) {
        complaints += sum != 0;
        print_brief(&dmar);
    } else {
        (format == PLAIN ? print_plain : print_pretty)(&dmar, length, sum == 0);
    }
    return true;
}

/* Exit status for this file. */
static int print_file(const char *name, enum format format)
{
    static uint8_t bytes[MAX_BYTES];
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        perror(name);
        return 2;
    }
    size_t length = fread(bytes, 1, sizeof bytes, file);
    bool failed = ferror(file) != 0;
    if (failed)
        perror(name);
    fclose(file);
    if (failed)
        return 2;
    const char *base = strrchr(name, '/');
    if (format == BRIEF)
        printf("%-36.36s", base != NULL ? base + 1 : name);
    else
        printf(format == PLAIN ? "table file=\"%s\"\n" : "%s\n", name);
    complaints = 0;
    bool readable = print_table(bytes, (uint32_t)length, format);
    const char *verdict = !readable         ? "not usable"
                          : complaints == 0 ? "usable"
                                            : "usable in part, or not at all";
    if (format != PLAIN)
        printf(format == BRIEF ? ", %s\n" : "  verdict: %s\n", verdict);
    sums.tables++;
    sums.usable += readable && complaints == 0;
    return !readable || complaints != 0;
}

static int is_table(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".dmar") == 0;
}

/* A file, or each *.dmar of a directory. */
static int print_all(const char *name, enum format format)
{
    struct dirent **entries;
    struct stat kind;
    if (stat(name, &kind) != 0 || !S_ISDIR(kind.st_mode))
        return print_file(name, format);
    int found = scandir(name, &entries, is_table, alphasort), status = 0;
    if (found <= 0) {
        fprintf(stderr, "%s: %s\n", name, found < 0 ? strerror(errno) : "no *.dmar file in it");
        status = 2;
    }
    for (int i = 0; i < found; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", name, entries[i]->d_name);
        int one = print_file(path, format);
        status = MAX(status, one);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    return status;
}

int main(int count, char **names)
{
    enum format format = WORDS;
    int first = 1, status = 0;
    if (count > 1 && strcmp(names[1], "--plain") == 0)
        format = PLAIN;
    else if (count > 1 && strcmp(names[1], "--brief") == 0)
        format = BRIEF;
    first += format != WORDS;
    if (count <= first || strcmp(names[1], "--help") == 0) {
        fprintf(
            stderr,
            "usage: %s [--brief | --plain] FILE|DIRECTORY...\n"
            "Explains DMAR tables, e.g. /sys/firmware/acpi/tables/DMAR, as Bulkhead reads them;\n"
            "--brief: a line for each and the sums; --plain: every field, for scripts.\n",
            names[0]);
        return 2;
    }
    if (format == BRIEF)
        printf("%-36s  units scopes reserved others\n", "table");
    for (int i = first; i < count; i++) {
        int one = print_all(names[i], format);
        status = MAX(status, one);
    }
    if (format == BRIEF)
        printf(
            "%u tables, %u usable as they are: %u units, %u scopes, %u reserved regions, %u other "
            "structures\n",
            sums.tables, sums.usable, sums.units, sums.scopes, sums.regions, sums.others);
    return status;
}
