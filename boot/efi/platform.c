/* SPDX-License-Identifier: MIT */
#include "boot/efi/efi.h"

#include "hypervisor/base/string.h"

static const EFI_GUID acpi_20_guid = ACPI_20_TABLE_GUID;
static const EFI_GUID acpi_10_guid = ACPI_TABLE_GUID;

static UINT64 find_table(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < efi_system->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *table = &efi_system->ConfigurationTable[i];
        if (memcmp(&table->VendorGuid, guid, sizeof *guid) == 0)
            return (UINT64)(UINTN)table->VendorTable;
    }
    return 0;
}

UINT64 platform_rsdp(void)
{
    UINT64 rsdp = find_table(&acpi_20_guid);
    return rsdp != 0 ? rsdp : find_table(&acpi_10_guid);
}
