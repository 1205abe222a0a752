/* SPDX-License-Identifier: MIT */
/* What only the firmware's own services and tables know: Secure Boot, root bridges, memory. */
#include "boot/efi/preflight.h"

#include <efipciio.h>

#include "hypervisor/acpi/bytes.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

#define MAX_HANDLES    64
#define APERTURE_BYTES 4096u
#define APERTURE_STEP  46u /* a QWORD address space descriptor */
#define APERTURE_TAG   0x8au
#define SMBIOS_MAX     0x40000u
#define VENDOR_TEXT    64
#define MAP_ROOM       (64 * 1024)

static EFI_GUID root_bridge_guid = EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL_GUID;
static EFI_GUID global_guid = EFI_GLOBAL_VARIABLE;
static const EFI_GUID smbios3_guid = SMBIOS3_TABLE_GUID;
static const EFI_GUID smbios_guid = SMBIOS_TABLE_GUID;

static const char *variable(CHAR16 *name)
{
    UINT8 value = 0;
    UINT32 attributes;
    UINTN size = sizeof value;
    EFI_STATUS status =
        efi_system->RuntimeServices->GetVariable(name, &global_guid, &attributes, &size, &value);
    return status != EFI_SUCCESS ? "absent" : value != 0 ? "on" : "off";
}

static const uint8_t *configuration_table(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < efi_system->NumberOfTableEntries; i++)
        if (memcmp(&efi_system->ConfigurationTable[i].VendorGuid, guid, sizeof *guid) == 0)
            return efi_system->ConfigurationTable[i].VendorTable;
    return NULL;
}

static void machine_log(void)
{
    uint64_t base = 0, size = 0;
    const uint8_t *entry = configuration_table(&smbios3_guid);
    if (entry != NULL && access_readable((UINTN)entry, 24) && memcmp(entry, "_SM3_", 5) == 0) {
        size = read32(entry + 12);
        base = read64(entry + 16);
    } else {
        entry = configuration_table(&smbios_guid);
        if (entry != NULL && access_readable((UINTN)entry, 31) && memcmp(entry, "_SM_", 4) == 0) {
            size = read16(entry + 22);
            base = read32(entry + 24);
        }
    }
    size = MIN(size, (uint64_t)SMBIOS_MAX);
    if (base != 0 && access_readable(base, size))
        preflight_machine((const uint8_t *)(UINTN)base, (size_t)size);
    else
        log_event("machine.unknown", "message=\"no SMBIOS table says who made it\"");
}

void firmware_log(void)
{
    char vendor[VENDOR_TEXT], quoted[2 * VENDOR_TEXT];
    size_t length = 0;
    const CHAR16 *name = efi_system->FirmwareVendor;
    for (; name != NULL && length < sizeof vendor && name[length] != 0; length++)
        vendor[length] = (char)(name[length] < 0x7f ? name[length] : '?');
    quote_text(quoted, sizeof quoted, vendor, length);
    log_event("firmware.uefi", "version=%u.%u vendor=\"%s\" revision=0x%x",
              efi_system->Hdr.Revision >> 16, (efi_system->Hdr.Revision & 0xffff) / 10, quoted,
              efi_system->FirmwareRevision);
    log_event("firmware.secure_boot", "state=%s setup_mode=%s", variable(L"SecureBoot"),
              variable(L"SetupMode"));
    machine_log();
}

/* Up to the end tag, as far as the descriptors can be read. */
static size_t descriptors_size(const uint8_t *bytes)
{
    size_t size = 0;
    while (size < APERTURE_BYTES && access_readable((UINTN)bytes + size, APERTURE_STEP) &&
           bytes[size] == APERTURE_TAG)
        size += APERTURE_STEP;
    return size;
}

void firmware_roots(struct preflight_roots *roots)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;
    if (services->LocateHandleBuffer(ByProtocol, &root_bridge_guid, NULL, &count, &handles) !=
        EFI_SUCCESS)
        count = 0;
    for (UINTN i = 0; i < count && i < MAX_HANDLES; i++) {
        EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL *bridge = NULL;
        void *resources = NULL;
        if (services->HandleProtocol(handles[i], &root_bridge_guid, (void **)&bridge) !=
                EFI_SUCCESS ||
            bridge->Configuration(bridge, &resources) != EFI_SUCCESS || resources == NULL)
            continue;
        preflight_apertures((unsigned)i, (uint16_t)bridge->SegmentNumber, resources,
                            descriptors_size(resources), roots);
    }
    if (handles != NULL)
        services->FreePool(handles);
    log_event("pci.roots", "count=%u buses=%u", (unsigned)count, (unsigned)roots->count);
}

static void memory_totals(const uint8_t *map, UINTN size, UINTN step)
{
    static const char *const names[] = {
        [EfiReservedMemoryType] = "reserved",
        [EfiLoaderCode] = "loader-code",
        [EfiLoaderData] = "loader-data",
        [EfiBootServicesCode] = "boot-code",
        [EfiBootServicesData] = "boot-data",
        [EfiRuntimeServicesCode] = "runtime-code",
        [EfiRuntimeServicesData] = "runtime-data",
        [EfiConventionalMemory] = "free",
        [EfiUnusableMemory] = "unusable",
        [EfiACPIReclaimMemory] = "acpi",
        [EfiACPIMemoryNVS] = "nvs",
        [EfiMemoryMappedIO] = "mmio",
        [EfiMemoryMappedIOPortSpace] = "mmio-ports",
        [EfiPalCode] = "pal",
    };
    UINT64 pages[ARRAY_SIZE(names) + 1] = {0}, special = 0;
    unsigned ranges[ARRAY_SIZE(names) + 1] = {0};
    for (UINTN at = 0; at + step <= size; at += step) {
        const EFI_MEMORY_DESCRIPTOR *descriptor = (const void *)(map + at);
        UINTN type = MIN(descriptor->Type, (UINT32)ARRAY_SIZE(names));
        pages[type] += descriptor->NumberOfPages;
        ranges[type]++;
        if ((descriptor->Attribute & BIT(18)) != 0) /* EFI_MEMORY_SP */
            special += descriptor->NumberOfPages;
    }
    for (size_t i = 0; i <= ARRAY_SIZE(names); i++)
        if (ranges[i] != 0)
            log_event("memory.type", "name=%s kib=%lu ranges=%u",
                      i < ARRAY_SIZE(names) ? names[i] : "other", pages[i] * 4, ranges[i]);
    log_event("memory.special", "kib=%lu", special * 4);
}

void firmware_memory(void)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    void *map = NULL;
    UINTN size = MAP_ROOM, key, step;
    UINT32 version;
    report_varies(true);
    if (services->AllocatePool(EfiBootServicesData, size, &map) == EFI_SUCCESS) {
        if (services->GetMemoryMap(&size, map, &key, &step, &version) == EFI_SUCCESS &&
            step >= sizeof(EFI_MEMORY_DESCRIPTOR))
            memory_totals(map, size, step);
        else
            log_event("memory.refused", "message=\"the firmware gives no memory map\"");
        services->FreePool(map);
    }
    report_varies(false);
}
