/* SPDX-License-Identifier: MIT */
#include "boot/efi/efi.h"

#include "boot/ranges.h"
#include "hypervisor/base/string.h"

#define MAX_ALLOCATIONS (BOOT_MAX_MODULES + 64)
#define MAP_SLACK       32 /* descriptors that may be added between asking for the size and the map */
#define EXIT_ATTEMPTS   8
#define MEMORY_SPECIAL  BIT(18) /* EFI_MEMORY_SP (UEFI 7.2.3) */

/* What the hypervisor must not take for free memory. Everything else that a loader allocated (GRUB
 * takes a quarter of the machine for its heap) is nobody's once boot services are gone. */
static struct {
    UINT64 base;
    UINTN pages;
    enum boot_memory_type type;
} allocations[MAX_ALLOCATIONS];
static UINTN allocation_count;

static UINT64 allocate(UINTN pages, UINT64 limit, EFI_MEMORY_TYPE efi_type,
                       enum boot_memory_type type)
{
    EFI_PHYSICAL_ADDRESS base = limit - 1;
    if (allocation_count == MAX_ALLOCATIONS ||
        efi_system->BootServices->AllocatePages(AllocateMaxAddress, efi_type, pages, &base) !=
            EFI_SUCCESS)
        return 0;
    memset((void *)(UINTN)base, 0, pages * PAGE_SIZE);
    allocations[allocation_count].base = base;
    allocations[allocation_count].pages = pages;
    allocations[allocation_count++].type = type;
    return base;
}

UINT64 memory_allocate(UINTN pages, UINT64 limit, enum boot_memory_type type)
{
    return allocate(pages, limit, EfiLoaderData, type);
}

bool memory_allocate_at(UINT64 base, UINTN pages, enum boot_memory_type type)
{
    EFI_PHYSICAL_ADDRESS at = base;
    if (allocation_count == MAX_ALLOCATIONS ||
        efi_system->BootServices->AllocatePages(AllocateAddress, EfiLoaderData, pages, &at) !=
            EFI_SUCCESS)
        return false;
    allocations[allocation_count].base = base;
    allocations[allocation_count].pages = pages;
    allocations[allocation_count++].type = type;
    return true;
}

UINT64 memory_allocate_code(void)
{
    return allocate(1, GIB(4), EfiLoaderCode, BOOT_MEMORY_LOADER);
}

UINT64 memory_allocate_2m(UINTN pages, enum boot_memory_type type)
{
    UINTN extra = PAGE_2M / PAGE_SIZE;
    UINT64 base = memory_allocate(pages + extra, GIB(4), type);
    if (base == 0)
        return 0;
    /* What lies before and behind goes back, now and on release. */
    UINT64 aligned = ALIGN_UP(base, PAGE_2M);
    UINTN before = (aligned - base) / PAGE_SIZE;
    if (before != 0)
        efi_system->BootServices->FreePages(base, before);
    efi_system->BootServices->FreePages(aligned + pages * PAGE_SIZE, extra - before);
    allocations[allocation_count - 1].base = aligned;
    allocations[allocation_count - 1].pages = pages;
    return aligned;
}

void memory_release(void)
{
    while (allocation_count > 0) {
        allocation_count--;
        efi_system->BootServices->FreePages(allocations[allocation_count].base,
                                            allocations[allocation_count].pages);
    }
}

/* UEFI 7.2, tables "Memory Type Usage after ExitBootServices()". */
static const enum boot_memory_type type_after_exit[] = {
    [EfiReservedMemoryType] = BOOT_MEMORY_RESERVED,
    [EfiLoaderCode] = BOOT_MEMORY_USABLE,
    [EfiLoaderData] = BOOT_MEMORY_USABLE,
    [EfiBootServicesCode] = BOOT_MEMORY_USABLE,
    [EfiBootServicesData] = BOOT_MEMORY_USABLE,
    [EfiRuntimeServicesCode] = BOOT_MEMORY_NVS,
    [EfiRuntimeServicesData] = BOOT_MEMORY_NVS,
    [EfiConventionalMemory] = BOOT_MEMORY_USABLE,
    [EfiUnusableMemory] = BOOT_MEMORY_RESERVED,
    [EfiACPIReclaimMemory] = BOOT_MEMORY_ACPI,
    [EfiACPIMemoryNVS] = BOOT_MEMORY_NVS,
    [EfiMemoryMappedIO] = BOOT_MEMORY_MMIO,
    [EfiMemoryMappedIOPortSpace] = BOOT_MEMORY_MMIO,
};

static enum boot_memory_type type_of(const EFI_MEMORY_DESCRIPTOR *descriptor)
{
    enum boot_memory_type type = descriptor->Type < ARRAY_SIZE(type_after_exit)
                                     ? type_after_exit[descriptor->Type]
                                     : BOOT_MEMORY_RESERVED;
    if (type != BOOT_MEMORY_USABLE)
        return type;
    if ((descriptor->Attribute & EFI_MEMORY_RUNTIME) != 0)
        return BOOT_MEMORY_NVS;
    if ((descriptor->Attribute & EFI_MEMORY_WB) == 0)
        return BOOT_MEMORY_RESERVED;
    return (descriptor->Attribute & MEMORY_SPECIAL) != 0 ? BOOT_MEMORY_SPECIAL : type;
}

static void convert(const void *map, UINTN map_size, UINTN descriptor_size, struct boot_info *info)
{
    struct range_list list = {.ranges = info->ranges, .capacity = BOOT_MAX_RANGES};
    /* Free memory first, so that whatever overlaps it wins. */
    for (unsigned pass = 0; pass < 2; pass++) {
        for (UINTN at = 0; at + descriptor_size <= map_size; at += descriptor_size) {
            const EFI_MEMORY_DESCRIPTOR *descriptor = (const void *)((const UINT8 *)map + at);
            enum boot_memory_type type = type_of(descriptor);
            UINT64 pages = MIN(descriptor->NumberOfPages, UINT64_MAX / PAGE_SIZE);
            bool free = type == BOOT_MEMORY_USABLE || type == BOOT_MEMORY_SPECIAL;
            if (free == (pass == 0))
                ranges_set(&list, descriptor->PhysicalStart, pages * PAGE_SIZE, type);
        }
    }
    ranges_set(&list, 0, PAGE_SIZE, BOOT_MEMORY_RESERVED); /* address 0 means "none" */
    for (UINTN i = 0; i < allocation_count; i++)
        ranges_set(&list, allocations[i].base, allocations[i].pages * PAGE_SIZE,
                   allocations[i].type);
    info->range_count = list.count;
    if (list.full && info->message[0] == '\0')
        text_copy(info->message, sizeof info->message,
                  "efi: the memory map has more ranges than fit; the rest is not used");
}

/* The map's buffer: allocated once, before the last calls, none of which may allocate. */
static void *map_buffer;
static UINTN map_room;

static EFI_STATUS get_map(UINTN *size, UINTN *key, UINTN *descriptor_size)
{
    UINT32 version;
    *size = map_room;
    return efi_system->BootServices->GetMemoryMap(size, map_buffer, key, descriptor_size, &version);
}

EFI_STATUS memory_read_map(struct boot_info *info)
{
    UINTN size, key, descriptor_size;
    EFI_STATUS status = get_map(&size, &key, &descriptor_size);
    for (unsigned attempt = 0; attempt < 4 && status == EFI_BUFFER_TOO_SMALL; attempt++) {
        UINTN room = size + MAP_SLACK * descriptor_size;
        map_buffer = (void *)(UINTN)memory_allocate((room + PAGE_SIZE - 1) / PAGE_SIZE, GIB(4),
                                                    BOOT_MEMORY_LOADER);
        if (map_buffer == NULL)
            return refuse(EFI_OUT_OF_RESOURCES, "no memory for the firmware's memory map");
        map_room = ALIGN_UP(room, PAGE_SIZE);
        status = get_map(&size, &key, &descriptor_size);
    }
    if (status != EFI_SUCCESS || descriptor_size < sizeof(EFI_MEMORY_DESCRIPTOR))
        return refuse(EFI_DEVICE_ERROR, "the firmware gives no memory map (status 0x%lx)", status);
    convert(map_buffer, size, descriptor_size, info);
    return EFI_SUCCESS;
}

EFI_STATUS memory_exit_boot_services(struct boot_info *info)
{
    UINTN size, key, descriptor_size;
    EFI_STATUS status = EFI_INVALID_PARAMETER;
    /* A timer of the firmware's can change the map between the two calls (UEFI 7.4.6). */
    for (unsigned attempt = 0; attempt < EXIT_ATTEMPTS && status == EFI_INVALID_PARAMETER;
         attempt++) {
        status = get_map(&size, &key, &descriptor_size);
        if (status == EFI_SUCCESS)
            status = efi_system->BootServices->ExitBootServices(efi_image, key);
    }
    if (status == EFI_SUCCESS)
        convert(map_buffer, size, descriptor_size, info);
    return status;
}
