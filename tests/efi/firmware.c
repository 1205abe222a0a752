/* SPDX-License-Identifier: MIT */
/*
 * Firmware with other ACPI tables than the machine's own (ACPI 6.5, 5.2): reads
 * \firmware\tables.bin (tests/machine/tables.py) and makes an XSDT with those tables.
 */
#include "tests/efi/front/front.h"

CHAR16 program[] = L"firmware: ";

#define MAX_TABLES   512u
#define MAX_FILE     (8u << 20)
#define HEADER       36u /* bytes of a table's header */
#define LENGTH_AT    4u
#define CHECKSUM_AT  9u
#define RSDP_XSDT_AT 24u
#define RSDP_SIZE    36u
#define RSDP_SUM_AT  32u /* of all of it */

/* A record of tables.bin; its bytes follow, up to a multiple of 8. */
struct record {
    UINT8 kind; /* one of those below */
    UINT8 keep_checksum;
    UINT8 reserved[2];
    UINT8 signature[4];
    UINT32 offset; /* PATCH: where in the table */
    UINT32 length; /* of the bytes */
};

_Static_assert(sizeof(struct record) == 16, "shared with tests/machine/tables.py");

#define REPLACE 'R' /* all tables of that signature by this one, or by none when it is empty */
#define ADD     'A'
#define PATCH   'P' /* these bytes into the first table of that signature */

static UINT8 *tables[MAX_TABLES];
static UINTN table_count;

static void copy(void *to, const void *from, UINTN size)
{
    for (UINTN i = 0; i < size; i++)
        ((UINT8 *)to)[i] = ((const UINT8 *)from)[i];
}

static BOOLEAN equal(const void *a, const void *b, UINTN size)
{
    for (UINTN i = 0; i < size; i++)
        if (((const UINT8 *)a)[i] != ((const UINT8 *)b)[i])
            return FALSE;
    return TRUE;
}

static UINT32 length_of(const UINT8 *table)
{
    UINT32 length;
    copy(&length, table + LENGTH_AT, sizeof length);
    return length;
}

static void set_checksum(UINT8 *bytes, UINTN size, UINTN at)
{
    UINT8 sum = 0;
    bytes[at] = 0;
    for (UINTN i = 0; i < size; i++)
        sum = (UINT8)(sum + bytes[i]);
    bytes[at] = (UINT8)-sum;
}

static void *allocate(UINTN size)
{
    void *bytes = NULL;
    return boot->AllocatePool(EfiACPIReclaimMemory, size, &bytes) == EFI_SUCCESS ? bytes : NULL;
}

static UINT8 *find_rsdp(const EFI_SYSTEM_TABLE *system)
{
    EFI_GUID guid = ACPI_20_TABLE_GUID;
    for (UINTN i = 0; i < system->NumberOfTableEntries; i++)
        if (equal(&system->ConfigurationTable[i].VendorGuid, &guid, sizeof guid))
            return system->ConfigurationTable[i].VendorTable;
    return NULL;
}

static void remove_all(const UINT8 *signature)
{
    UINTN kept = 0;
    for (UINTN i = 0; i < table_count; i++)
        if (!equal(tables[i], signature, 4))
            tables[kept++] = tables[i];
    table_count = kept;
}

static EFI_STATUS add(const UINT8 *bytes, const struct record *record)
{
    if (table_count == MAX_TABLES)
        return refuse(EFI_BUFFER_TOO_SMALL, L"more tables than it has room for");
    UINT8 *table = record->length >= HEADER ? allocate(record->length) : NULL;
    if (table == NULL)
        return refuse(EFI_OUT_OF_RESOURCES, L"a table without a header, or no memory");
    copy(table, bytes, record->length);
    if (!record->keep_checksum)
        set_checksum(table, record->length, CHECKSUM_AT);
    tables[table_count++] = table;
    return EFI_SUCCESS;
}

/* In a copy: firmware's own may not be writable. */
static EFI_STATUS patch(const UINT8 *bytes, const struct record *record)
{
    for (UINTN i = 0; i < table_count; i++) {
        if (!equal(tables[i], record->signature, 4))
            continue;
        UINT32 length = length_of(tables[i]);
        UINT8 *table = allocate(length);
        if (table == NULL || record->offset > length || record->length > length - record->offset)
            return refuse(EFI_INVALID_PARAMETER, L"a patch behind the end of its table");
        copy(table, tables[i], length);
        copy(table + record->offset, bytes, record->length);
        if (!record->keep_checksum)
            set_checksum(table, length, CHECKSUM_AT);
        tables[i] = table;
        return EFI_SUCCESS;
    }
    return refuse(EFI_NOT_FOUND, L"a patch for a table that is not there");
}

static EFI_STATUS apply(const UINT8 *bytes, const struct record *record)
{
    switch (record->kind) {
    case PATCH:
        return patch(bytes, record);
    case REPLACE:
        remove_all(record->signature);
        return record->length == 0 ? EFI_SUCCESS : add(bytes, record);
    case ADD:
        return add(bytes, record);
    default:
        return refuse(EFI_INVALID_PARAMETER, L"tables.bin has a record of no known kind");
    }
}

static EFI_STATUS apply_all(const UINT8 *file, UINTN size)
{
    struct record record;
    for (UINTN at = 0; at < size;) {
        if (size - at < sizeof record)
            return refuse(EFI_INVALID_PARAMETER, L"tables.bin ends within a record");
        copy(&record, file + at, sizeof record);
        at += sizeof record;
        UINTN room = ((UINTN)record.length + 7) & ~(UINTN)7;
        if (room > size - at)
            return refuse(EFI_INVALID_PARAMETER, L"tables.bin ends within a table");
        EFI_STATUS status = apply(file + at, &record);
        if (status != EFI_SUCCESS)
            return status;
        at += room;
    }
    return EFI_SUCCESS;
}

static EFI_STATUS change_tables(UINT8 *rsdp, const UINT8 *file, UINTN size)
{
    UINT64 old;
    copy(&old, rsdp + RSDP_XSDT_AT, sizeof old);
    const UINT8 *entries = (const UINT8 *)(UINTN)old;
    UINTN count = (length_of(entries) - HEADER) / sizeof(UINT64);
    for (UINTN i = 0; i < count && i < MAX_TABLES; i++) {
        UINT64 address;
        copy(&address, entries + HEADER + i * sizeof address, sizeof address);
        tables[table_count++] = (UINT8 *)(UINTN)address;
    }
    EFI_STATUS status = apply_all(file, size);
    if (status != EFI_SUCCESS)
        return status;
    UINT32 length = (UINT32)(HEADER + table_count * sizeof(UINT64));
    UINT8 *xsdt = allocate(length);
    if (xsdt == NULL)
        return refuse(EFI_OUT_OF_RESOURCES, L"no memory");
    copy(xsdt, entries, HEADER);
    copy(xsdt + LENGTH_AT, &length, sizeof length);
    for (UINTN i = 0; i < table_count; i++) {
        UINT64 address = (UINTN)tables[i];
        copy(xsdt + HEADER + i * sizeof address, &address, sizeof address);
    }
    set_checksum(xsdt, length, CHECKSUM_AT);
    UINT64 address = (UINTN)xsdt;
    copy(rsdp + RSDP_XSDT_AT, &address, sizeof address);
    set_checksum(rsdp, RSDP_SIZE, RSDP_SUM_AT);
    return EFI_SUCCESS;
}

EFI_STATUS arm(EFI_SYSTEM_TABLE *system, EFI_HANDLE volume)
{
    void *bytes;
    UINTN size;
    UINT8 *rsdp = find_rsdp(system);
    EFI_STATUS status = read_file(volume, L"\\firmware\\tables.bin", MAX_FILE, &bytes, &size);
    if (status != EFI_SUCCESS || rsdp == NULL)
        return refuse(EFI_NOT_FOUND, L"no \\firmware\\tables.bin, or no ACPI tables");
    status = change_tables(rsdp, bytes, size);
    boot->FreePool(bytes);
    return status;
}
