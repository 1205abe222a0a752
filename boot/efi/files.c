/* SPDX-License-Identifier: MIT */
#include "boot/efi/efi.h"

#include "boot/efi/network.h"
#include "boot/efi/verify.h"
#include "hypervisor/base/string.h"

#define DIRECTORY "\\bulkhead\\"
#define MAX_FILE  GIB(1)

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

static EFI_FILE_HANDLE volume;

EFI_STATUS files_open(void)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    EFI_LOADED_IMAGE *loaded = NULL;
    EFI_FILE_IO_INTERFACE *file_system = NULL;
    EFI_STATUS status = services->HandleProtocol(efi_image, &loaded_image_guid, (void **)&loaded);
    if (status == EFI_SUCCESS)
        status = services->HandleProtocol(loaded->DeviceHandle, &file_system_guid,
                                          (void **)&file_system);
    if (status == EFI_SUCCESS) {
        status = file_system->OpenVolume(file_system, &volume);
    } else if (loaded != NULL) {
        EFI_STATUS network = network_open(loaded->DeviceHandle);
        if (network != EFI_NOT_FOUND)
            return network == EFI_SUCCESS ? verify_open() : network;
    }
    if (status != EFI_SUCCESS)
        return refuse(status,
                      "what it was loaded from cannot be read (status 0x%lx). Start it from a FAT "
                      "file system, or over the network by PXE (HTTP boot does not do)",
                      status);
    return verify_open();
}

void files_close(void)
{
    if (volume != NULL)
        volume->Close(volume);
    volume = NULL;
}

static EFI_STATUS open_file(const char *name, UINT64 mode, EFI_FILE_HANDLE *file)
{
    CHAR16 path[sizeof DIRECTORY + BOOT_NAME_SIZE];
    size_t length = 0;
    for (const char *from = DIRECTORY; *from != '\0'; from++)
        path[length++] = (CHAR16)*from;
    for (; *name != '\0'; name++) {
        if (length == ARRAY_SIZE(path) - 1 || *name == '\\' || *name == '/')
            return EFI_NOT_FOUND;
        path[length++] = (CHAR16)(unsigned char)*name;
    }
    path[length] = 0;
    return volume->Open(volume, file, path, mode, 0);
}

bool files_exist(const char *name)
{
    EFI_FILE_HANDLE file;
    if (verify_is_sealed())
        return verify_may_exist(name);
    if (network_is_open())
        return network_exists(name);
    if (open_file(name, EFI_FILE_MODE_READ, &file) != EFI_SUCCESS)
        return false;
    file->Close(file);
    return true;
}

static EFI_STATUS read_open(EFI_FILE_HANDLE file, UINT64 *base, UINT64 *size, const char **problem)
{
    union {
        EFI_FILE_INFO info;
        UINT8 room[sizeof(EFI_FILE_INFO) + 2 * (BOOT_NAME_SIZE + 1)];
    } buffer;
    UINTN info_size = sizeof buffer;
    EFI_STATUS status = file->GetInfo(file, &file_info_guid, &info_size, &buffer);
    if (status != EFI_SUCCESS || (buffer.info.Attribute & EFI_FILE_DIRECTORY) != 0) {
        *problem = "is not an ordinary file";
        return status != EFI_SUCCESS ? status : EFI_INVALID_PARAMETER;
    }
    UINT64 length = buffer.info.FileSize;
    UINTN pages = (UINTN)(MIN(length, MAX_FILE) / PAGE_SIZE) + 1;
    *base = length > MAX_FILE ? 0 : memory_allocate(pages, GIB(4), BOOT_MEMORY_LOADER);
    if (*base == 0) {
        *problem = "does not fit into memory below 4G";
        return EFI_OUT_OF_RESOURCES;
    }
    for (UINT64 done = 0; done < length;) {
        UINTN part = (UINTN)(length - done);
        status = file->Read(file, &part, (void *)(UINTN)(*base + done));
        if (status != EFI_SUCCESS || part == 0) {
            *problem = "cannot be read to its end";
            return status != EFI_SUCCESS ? status : EFI_DEVICE_ERROR;
        }
        done += part;
    }
    *size = length;
    return EFI_SUCCESS;
}

static EFI_STATUS read_volume(const char *name, UINT64 *base, UINT64 *size, const char **problem)
{
    EFI_FILE_HANDLE file;
    *problem = "is not there";
    EFI_STATUS status = open_file(name, EFI_FILE_MODE_READ, &file);
    if (status != EFI_SUCCESS)
        return status == EFI_NOT_FOUND ? status : EFI_DEVICE_ERROR;
    status = read_open(file, base, size, problem);
    file->Close(file);
    return status;
}

/* The bytes that are verified are those in memory, which are used: nothing is read twice. */
EFI_STATUS files_read(const char *name, UINT64 *base, UINT64 *size, const char **problem)
{
    if (!verify_may_exist(name)) {
        *problem = "is not one of the files that were signed";
        return EFI_ACCESS_DENIED;
    }
    EFI_STATUS status = network_is_open() ? network_read(name, base, size, problem)
                                          : read_volume(name, base, size, problem);
    return status == EFI_SUCCESS ? verify_bytes(name, *base, *size, problem)
                                 : verify_missing(name, status, problem);
}
