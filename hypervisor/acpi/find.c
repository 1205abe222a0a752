/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/find.h"

#include "hypervisor/acpi/bytes.h"
#include "hypervisor/base/string.h"

/* RSDP (ACPI 6.5, 5.2.5.3) */
#define RSDP_SIZE_1   20u
#define RSDP_SIZE_2   36u
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_XSDT     24

#define HEADER_SIZE 36u
#define MAX_SIZE    MIB(1) /* of tables that are looked for so early */
#define MAX_ENTRIES 256u

static const uint8_t *map(const struct acpi_memory *memory, uint64_t physical, uint64_t size)
{
    return physical == 0 || physical > UINT64_MAX - size
               ? NULL
               : memory->map(memory->context, physical, size);
}

static void unmap_bytes(const struct acpi_memory *memory, const void *bytes, uint64_t size)
{
    if (memory->unmap != NULL)
        memory->unmap(memory->context, bytes, size);
}

static bool checksum_good(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

/* The table at `physical`, if it is called so. */
static const uint8_t *open(const struct acpi_memory *memory, uint64_t physical,
                           const char *signature, uint32_t *length)
{
    const uint8_t *bytes = map(memory, physical, HEADER_SIZE);
    if (bytes == NULL)
        return NULL;
    bool named = memcmp(bytes, signature, 4) == 0;
    *length = read32(bytes + offsetof(struct acpi_header, length));
    unmap_bytes(memory, bytes, HEADER_SIZE);
    if (!named || *length < HEADER_SIZE || *length > MAX_SIZE)
        return NULL;
    bytes = map(memory, physical, *length);
    if (bytes == NULL || checksum_good(bytes, *length))
        return bytes;
    unmap_bytes(memory, bytes, *length);
    return NULL;
}

static const void *search(const struct acpi_memory *memory, uint64_t root, const char *root_name,
                          uint32_t entry_size, const char *signature, uint32_t *length)
{
    uint32_t root_length;
    const void *found = NULL;
    const uint8_t *bytes = open(memory, root, root_name, &root_length);
    if (bytes == NULL)
        return NULL;
    uint32_t entries = MIN((root_length - HEADER_SIZE) / entry_size, MAX_ENTRIES);
    for (uint32_t i = 0; i < entries && found == NULL; i++) {
        const uint8_t *entry = bytes + HEADER_SIZE + (size_t)i * entry_size;
        found = open(memory, entry_size == 8 ? read64(entry) : read32(entry), signature, length);
    }
    unmap_bytes(memory, bytes, root_length);
    return found;
}

const void *acpi_find(const struct acpi_memory *memory, uint64_t rsdp, const char *signature,
                      uint32_t *length)
{
    const uint8_t *bytes = map(memory, rsdp, RSDP_SIZE_1);
    if (bytes == NULL)
        return NULL;
    bool good = memcmp(bytes, "RSD PTR ", 8) == 0 && checksum_good(bytes, RSDP_SIZE_1);
    bool extended = good && bytes[RSDP_REVISION] >= 2;
    uint64_t rsdt = read32(bytes + RSDP_RSDT), xsdt = 0;
    unmap_bytes(memory, bytes, RSDP_SIZE_1);
    bytes = extended ? map(memory, rsdp, RSDP_SIZE_2) : NULL;
    if (bytes != NULL) {
        xsdt = read64(bytes + RSDP_XSDT);
        unmap_bytes(memory, bytes, RSDP_SIZE_2);
    }
    const void *found = good ? search(memory, xsdt, "XSDT", 8, signature, length) : NULL;
    return found != NULL || !good ? found : search(memory, rsdt, "RSDT", 4, signature, length);
}
