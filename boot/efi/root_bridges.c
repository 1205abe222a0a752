/* SPDX-License-Identifier: MIT */
/* Which addresses each PCI root bridge forwards: only firmware's drivers know, and they are there
 * until boot services end. */
#include "boot/efi/efi.h"

#include <efipciio.h>

#include "boot/efi/root_windows.h"
#include "hypervisor/base/string.h"

/* The DXE services table (PI 1.7, volume 2, 7): this program calls one of its functions. */
#define DXE_SIGNATURE UINT64_C(0x565245535f455844) /* "DXE_SERV" */
#define GCD_MMIO      3                            /* EfiGcdMemoryTypeMemoryMappedIo */
#define MAX_STEPS     64                           /* neighbours that are looked at on each side */

struct gcd_descriptor {
    EFI_PHYSICAL_ADDRESS base; /* 0x00 */
    UINT64 size;               /* 0x08 bytes */
    UINT64 capabilities;       /* 0x10 */
    UINT64 attributes;         /* 0x18 */
    UINT32 type;               /* 0x20 */
    UINT32 padding;            /* 0x24 */
    EFI_HANDLE image;          /* 0x28 */
    EFI_HANDLE device;         /* 0x30 */
};
_Static_assert(sizeof(struct gcd_descriptor) == 0x38, "PI 1.7, volume 2, 7.2.4");

struct dxe_services {
    EFI_TABLE_HEADER header; /* 0x00 */
    void *add_memory_space;  /* 0x18 */
    void *allocate_memory;   /* 0x20 */
    void *free_memory;       /* 0x28 */
    void *remove_memory;     /* 0x30 */
    EFI_STATUS(EFIAPI *get_descriptor)(EFI_PHYSICAL_ADDRESS base, struct gcd_descriptor *space);
};
_Static_assert(offsetof(struct dxe_services, get_descriptor) == 0x38, "PI 1.7, volume 2, 7.1");

static EFI_GUID root_bridge_guid = EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL_GUID;
static const EFI_GUID dxe_guid = {
    0x05ad34ba, 0x6f02, 0x4214, {0x95, 0x2e, 0x4d, 0xa0, 0x39, 0x8e, 0x2b, 0xb9}};

static struct dxe_services *find_dxe_services(void)
{
    struct dxe_services *services = NULL;
    for (UINTN i = 0; i < efi_system->NumberOfTableEntries; i++)
        if (memcmp(&efi_system->ConfigurationTable[i].VendorGuid, &dxe_guid, sizeof dxe_guid) == 0)
            services = efi_system->ConfigurationTable[i].VendorTable;
    bool usable = services != NULL && services->header.Signature == DXE_SIGNATURE &&
                  services->header.HeaderSize >= sizeof *services;
    return usable ? services : NULL;
}

/* The stretch of address space around [*base, *end) that firmware keeps for memory-mapped I/O. */
static void widen(struct dxe_services *services, uint64_t *base, uint64_t *end)
{
    struct gcd_descriptor space;
    for (unsigned step = 0; step < MAX_STEPS; step++) {
        if (services->get_descriptor(*end, &space) != EFI_SUCCESS || space.type != GCD_MMIO ||
            space.base > *end || space.size <= *end - space.base ||
            space.size > UINT64_MAX - space.base)
            break;
        *end = space.base + space.size;
    }
    for (unsigned step = 0; step < MAX_STEPS && *base != 0; step++) {
        if (services->get_descriptor(*base - 1, &space) != EFI_SUCCESS || space.type != GCD_MMIO ||
            space.base >= *base)
            break;
        *base = space.base;
    }
}

static void read_root(EFI_HANDLE handle, struct boot_info *info, bool *complete)
{
    EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL *root = NULL;
    void *resources = NULL;
    if (efi_system->BootServices->HandleProtocol(handle, &root_bridge_guid, (void **)&root) !=
            EFI_SUCCESS ||
        root == NULL || root->Configuration(root, &resources) != EFI_SUCCESS || resources == NULL ||
        root->SegmentNumber > 0xffff ||
        !root_windows_read(resources, ROOT_BYTES_MAX, (uint16_t)root->SegmentNumber, info))
        *complete = false;
}

void platform_root_bridges(struct boot_info *info)
{
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;
    bool complete = true;
    if (efi_system->BootServices->LocateHandleBuffer(ByProtocol, &root_bridge_guid, NULL, &count,
                                                     &handles) != EFI_SUCCESS)
        return; /* the hypervisor says that it knows none */
    for (UINTN i = 0; i < count; i++)
        read_root(handles[i], info, &complete);
    efi_system->BootServices->FreePool(handles);
    struct dxe_services *services = find_dxe_services();
    for (uint32_t i = 0; services != NULL && i < info->root_window_count; i++) {
        const struct boot_root_window *window = &info->root_windows[i];
        uint64_t base = window->base, end = base + window->size;
        if (end <= base)
            continue;
        widen(services, &base, &end);
        root_window_reach(info, i, base, end);
    }
    if (!complete && info->message[0] == '\0')
        text_copy(info->message, sizeof info->message,
                  "efi: the firmware's description of a PCI root bridge cannot be read to its end; "
                  "what it lacks is not used");
}
