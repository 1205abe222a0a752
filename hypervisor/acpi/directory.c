/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/fadt.h"
#include "hypervisor/acpi/table.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

/* RSDP (ACPI 6.5, 5.2.5.3) */
#define RSDP_SIZE_1   20u /* revision 0 */
#define RSDP_SIZE_2   36u
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_LENGTH   20
#define RSDP_XSDT     24

/* The largest known tables have a few hundred KiB; more is a broken length field. */
#define TABLE_MAX_SIZE (16u << 20)
#define MAX_ENTRIES    256u /* looked at, good or bad */

static uint8_t sum_of(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum;
}

static bool checksum_good(const uint8_t *bytes, uint32_t length)
{
    return sum_of(bytes, length) == 0;
}

static const uint8_t *map(const struct acpi_memory *memory, uint64_t physical, uint64_t size)
{
    return physical > UINT64_MAX - size ? NULL : memory->map(memory->context, physical, size);
}

static void unmap_bytes(const struct acpi_memory *memory, const uint8_t *bytes, uint64_t size)
{
    if (memory->unmap != NULL)
        memory->unmap(memory->context, bytes, size);
}

/* A signature as text that cannot break the log line. */
static void signature_text(const uint8_t *bytes, char text[5])
{
    for (size_t i = 0; i < 4; i++) {
        bool plain = (bytes[i] >= '0' && bytes[i] <= '9') || (bytes[i] >= 'A' && bytes[i] <= 'Z') ||
                     (bytes[i] >= 'a' && bytes[i] <= 'z') || bytes[i] == '_';
        text[i] = (char)(plain ? bytes[i] : '?');
    }
    text[4] = '\0';
}

/* Looks at the table at `physical`: its signature and length, when these are good. `mapped`, if not
 * NULL, receives the bytes instead of their being unmapped. Systems in the field warn of a wrong
 * checksum and go on, so such tables are shipped; the parsers trust no byte in any case. */
static bool check_table(const struct acpi_memory *memory, uint64_t physical,
                        struct acpi_table *table, const uint8_t **mapped)
{
    const uint32_t header_size = sizeof(struct acpi_header);
    *table = (struct acpi_table){.signature = "?", .physical = physical};
    const uint8_t *header = physical == 0 ? NULL : map(memory, physical, header_size);
    if (header == NULL) {
        acpi_refuse("?", 0, physical, "a table's address cannot be read; left out");
        return false;
    }
    signature_text(header, table->signature);
    table->length = read32(header + offsetof(struct acpi_header, length));
    unmap_bytes(memory, header, header_size);
    if (table->length < header_size || table->length > TABLE_MAX_SIZE) {
        acpi_refuse(table->signature, offsetof(struct acpi_header, length), table->length,
                    "impossible length; left out");
        return false;
    }
    const uint8_t *bytes = map(memory, physical, table->length);
    if (bytes == NULL) {
        acpi_refuse(table->signature, offsetof(struct acpi_header, length), table->length,
                    "the table reaches past the memory that can be read; left out");
        return false;
    }
    uint8_t found = bytes[offsetof(struct acpi_header, checksum)];
    uint8_t sum = sum_of(bytes, table->length);
    if (sum != 0)
        log_event("acpi.checksum",
                  "table=%s address=%#lx expected=%#x found=%#x message=\"the checksum is wrong; "
                  "the table is used all the same. A firmware update may help\"",
                  table->signature, physical, (uint8_t)(found - sum), found);
    if (mapped != NULL)
        *mapped = bytes;
    else
        unmap_bytes(memory, bytes, table->length);
    return true;
}

/* Whether a table of the name of the one at `physical` is there already. Names are looked for, so
 * the first is all there is to keep: machines have dozens of SSDTs, often before the DMAR. */
static bool is_listed(const struct acpi_memory *memory, const struct acpi_directory *directory,
                      uint64_t physical)
{
    const uint8_t *header =
        physical == 0 ? NULL : map(memory, physical, sizeof(struct acpi_header));
    if (header == NULL)
        return false;
    char signature[5];
    signature_text(header, signature);
    unmap_bytes(memory, header, sizeof(struct acpi_header));
    for (size_t i = 0; i < directory->count; i++)
        if (memcmp(directory->tables[i].signature, signature, 4) == 0)
            return true;
    return false;
}

static void add_table(const struct acpi_memory *memory, struct acpi_directory *directory,
                      uint64_t physical)
{
    struct acpi_table table;
    if (is_listed(memory, directory, physical)) {
        directory->skipped++;
        return;
    }
    if (!check_table(memory, physical, &table, NULL))
        return;
    if (directory->count == ACPI_MAX_TABLES) {
        acpi_refuse(table.signature, directory->count, physical,
                    "more tables than the directory holds; left out");
        return;
    }
    directory->tables[directory->count++] = table;
    log_event("acpi.table", "name=%s address=0x%lx length=%u", table.signature, physical,
              table.length);
}

/* XSDT (5.2.8) with 64-bit or RSDT (5.2.7) with 32-bit entries. */
static bool read_entries(const struct acpi_memory *memory, uint64_t physical, const char *signature,
                         uint32_t entry_size, struct acpi_directory *directory)
{
    struct acpi_table root;
    const uint8_t *bytes;
    if (!check_table(memory, physical, &root, &bytes))
        return false;
    bool good = memcmp(bytes, signature, 4) == 0;
    if (!good)
        acpi_refuse(signature, 0, read32(bytes), "another table's signature; not used");
    uint32_t left = root.length - (uint32_t)sizeof(struct acpi_header);
    if (good && left % entry_size != 0)
        acpi_refuse(signature, offsetof(struct acpi_header, length), root.length,
                    "the last entry is cut off; the others are used");
    uint32_t entries = left / entry_size;
    for (uint32_t i = 0; good && i < MIN(entries, MAX_ENTRIES); i++) {
        const uint8_t *entry = bytes + sizeof(struct acpi_header) + (size_t)i * entry_size;
        add_table(memory, directory, entry_size == 8 ? read64(entry) : read32(entry));
    }
    if (good && entries > MAX_ENTRIES)
        acpi_refuse(signature, offsetof(struct acpi_header, length), entries,
                    "more entries than any machine has; the first ones are used");
    unmap_bytes(memory, bytes, root.length);
    return good;
}

/* The DSDT is listed in the FADT only. */
static void add_dsdt(const struct acpi_memory *memory, struct acpi_directory *directory)
{
    uint32_t length;
    const uint8_t *table = acpi_table_map(memory, directory, "FACP", &length);
    if (table == NULL)
        return;
    struct fadt fadt;
    if (fadt_parse(table, length, &fadt) == STATUS_OK && fadt.dsdt != 0)
        add_table(memory, directory, fadt.dsdt);
    unmap_bytes(memory, table, length);
}

enum status acpi_directory_read(const struct acpi_memory *memory, uint64_t rsdp,
                                struct acpi_directory *directory)
{
    *directory = (struct acpi_directory){.rsdp = rsdp};
    const uint8_t *bytes = rsdp == 0 ? NULL : map(memory, rsdp, RSDP_SIZE_1);
    if (bytes == NULL) {
        acpi_refuse("RSDP", 0, rsdp, "the loader found no ACPI root pointer that can be read");
        return STATUS_NOT_FOUND;
    }
    bool good = memcmp(bytes, "RSD PTR ", 8) == 0 && checksum_good(bytes, RSDP_SIZE_1);
    uint8_t revision = bytes[RSDP_REVISION];
    uint64_t rsdt = read32(bytes + RSDP_RSDT);
    unmap_bytes(memory, bytes, RSDP_SIZE_1);
    if (!good) {
        acpi_refuse("RSDP", 0, rsdp, "signature or checksum of the ACPI root pointer is wrong");
        return STATUS_INVALID;
    }
    uint64_t xsdt = 0;
    bytes = revision >= 2 ? map(memory, rsdp, RSDP_SIZE_2) : NULL;
    if (bytes != NULL) {
        uint32_t length = read32(bytes + RSDP_LENGTH);
        /* The extended checksum covers all of the structure as of revision 2. */
        if (length >= RSDP_SIZE_2 && checksum_good(bytes, RSDP_SIZE_2))
            xsdt = read64(bytes + RSDP_XSDT);
        else
            acpi_refuse("RSDP", RSDP_LENGTH, length,
                        "extended length or checksum is wrong; falling back to the RSDT");
        unmap_bytes(memory, bytes, RSDP_SIZE_2);
    }
    good = xsdt != 0 && read_entries(memory, xsdt, "XSDT", 8, directory);
    if (!good && rsdt != 0)
        good = read_entries(memory, rsdt, "RSDT", 4, directory);
    if (!good) {
        acpi_refuse("RSDP", RSDP_XSDT, xsdt, "neither the XSDT nor the RSDT can be read");
        return xsdt == 0 && rsdt == 0 ? STATUS_NOT_FOUND : STATUS_INVALID;
    }
    add_dsdt(memory, directory);
    if (directory->skipped != 0)
        log_event("acpi.skipped",
                  "tables=%zu message=\"the first table of a name is the one that is used\"",
                  directory->skipped);
    return STATUS_OK;
}

const void *acpi_table_map(const struct acpi_memory *memory, const struct acpi_directory *directory,
                           const char *signature, uint32_t *length)
{
    for (size_t i = 0; i < directory->count; i++) {
        const struct acpi_table *table = &directory->tables[i];
        if (memcmp(table->signature, signature, 4) != 0)
            continue;
        *length = table->length;
        return map(memory, table->physical, table->length);
    }
    return NULL;
}
