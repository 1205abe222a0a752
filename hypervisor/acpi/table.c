/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/table.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

void acpi_refuse(const char *table, uint64_t offset, uint64_t value, const char *message)
{
    log_event("acpi.refused", "table=%s offset=0x%lx value=0x%lx message=\"%s\"", table, offset,
              value, message);
}

uint32_t acpi_usable_length(const void *table, uint32_t length, const char *signature,
                            uint32_t minimum)
{
    const uint8_t *bytes = table;
    if (length < sizeof(struct acpi_header)) {
        acpi_refuse(signature, offsetof(struct acpi_header, length), length,
                    "shorter than a table header; not used");
        return 0;
    }
    if (memcmp(bytes, signature, 4) != 0) {
        acpi_refuse(signature, 0, read32(bytes), "another table's signature; not used");
        return 0;
    }
    uint32_t claimed = read32(bytes + offsetof(struct acpi_header, length));
    uint32_t usable = MIN(claimed, length);
    if (usable < minimum) {
        acpi_refuse(signature, offsetof(struct acpi_header, length), usable,
                    "too short for its fixed fields; not used");
        return 0;
    }
    if (claimed > length)
        acpi_refuse(signature, offsetof(struct acpi_header, length), claimed,
                    "longer than the memory it is in; the part that is there is used");
    return usable;
}
