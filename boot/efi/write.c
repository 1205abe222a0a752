/* SPDX-License-Identifier: MIT */
/* Writing to the volume that the application was loaded from. */
#include "boot/efi/efi.h"

#include "hypervisor/base/string.h"

#define FOLDER "\\bulkhead\\"
#define PATH   80
#define CHUNK  4096

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

static EFI_STATUS open_volume(EFI_FILE_HANDLE *volume)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    EFI_LOADED_IMAGE *loaded = NULL;
    EFI_FILE_IO_INTERFACE *file_system = NULL;
    EFI_STATUS status = services->HandleProtocol(efi_image, &loaded_image_guid, (void **)&loaded);
    if (status == EFI_SUCCESS)
        status = services->HandleProtocol(loaded->DeviceHandle, &file_system_guid,
                                          (void **)&file_system);
    return status == EFI_SUCCESS ? file_system->OpenVolume(file_system, volume) : status;
}

static EFI_STATUS open_file(const char *name, UINT64 mode, UINT64 attributes, EFI_FILE_HANDLE *file)
{
    CHAR16 path[PATH];
    size_t length = 0;
    EFI_FILE_HANDLE volume;
    for (const char *from = FOLDER; *from != '\0'; from++)
        path[length++] = (CHAR16)*from;
    for (; *name != '\0' && length < PATH - 1; name++)
        path[length++] = (CHAR16)(unsigned char)*name;
    path[length] = 0;
    EFI_STATUS status = open_volume(&volume);
    if (status != EFI_SUCCESS)
        return status;
    status = volume->Open(volume, file, path, mode, attributes);
    volume->Close(volume);
    return status;
}

static bool same(const char *name, const void *bytes, UINTN size)
{
    static uint8_t chunk[CHUNK];
    EFI_FILE_HANDLE file;
    if (open_file(name, EFI_FILE_MODE_READ, 0, &file) != EFI_SUCCESS)
        return false;
    UINTN done = 0, part = CHUNK;
    bool equal = true;
    while (equal && part != 0 && done <= size) {
        part = CHUNK;
        equal = file->Read(file, &part, chunk) == EFI_SUCCESS && part <= CHUNK &&
                part <= size - done && memcmp(chunk, (const uint8_t *)bytes + done, part) == 0;
        done += part;
    }
    file->Close(file);
    return equal && done == size;
}

const char *write_problem(EFI_STATUS status)
{
    switch (status) {
    case EFI_WRITE_PROTECTED:
        return "the volume is write-protected";
    case EFI_VOLUME_FULL:
        return "the volume is full";
    case EFI_ACCESS_DENIED:
        return "a file or folder of that name is read-only";
    case EFI_VOLUME_CORRUPTED:
        return "the volume's file system is damaged: repair it on another machine";
    case EFI_MEDIA_CHANGED:
    case EFI_NO_MEDIA:
        return "the medium is gone";
    case EFI_UNSUPPORTED:
        return "there is no volume to write to: it was loaded over the network";
    default:
        return "the firmware cannot write there";
    }
}

/* An old file that is opened to be created keeps what is longer than the new one. */
EFI_STATUS write_create(const char *name, EFI_FILE_HANDLE *file)
{
    const UINT64 mode = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
    EFI_STATUS status = open_file(name, mode, 0, file);
    if (status == EFI_SUCCESS)
        status = (*file)->Delete(*file);
    if (status == EFI_SUCCESS || status == EFI_NOT_FOUND)
        status = open_file(name, mode | EFI_FILE_MODE_CREATE, 0, file);
    return status;
}

static EFI_STATUS write_new(EFI_FILE_HANDLE file, const void *bytes, UINTN size)
{
    for (UINTN done = 0; done < size;) {
        UINTN part = size - done;
        EFI_STATUS status = file->Write(file, &part, (void *)((UINTN)bytes + done));
        if (status != EFI_SUCCESS)
            return status;
        if (part == 0)
            return EFI_VOLUME_FULL;
        done += MIN(part, size - done);
    }
    return file->Flush(file);
}

EFI_STATUS write_file(const char *name, const void *bytes, UINTN size, const char **problem)
{
    EFI_FILE_HANDLE file;
    *problem = "";
    if (same(name, bytes, size))
        return EFI_SUCCESS;
    EFI_STATUS status = write_create(name, &file);
    if (status == EFI_SUCCESS) {
        status = write_new(file, bytes, size);
        EFI_STATUS closed = status == EFI_SUCCESS ? file->Close(file) : file->Delete(file);
        status = status == EFI_SUCCESS ? closed : status;
    }
    if (status == EFI_SUCCESS && !same(name, bytes, size))
        status = EFI_DEVICE_ERROR;
    if (status != EFI_SUCCESS)
        *problem = write_problem(status);
    return status;
}

void write_folder(const char *name)
{
    EFI_FILE_HANDLE folder;
    if (open_file(name, EFI_FILE_MODE_READ, 0, &folder) == EFI_SUCCESS ||
        open_file(name, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE | EFI_FILE_MODE_CREATE,
                  EFI_FILE_DIRECTORY, &folder) == EFI_SUCCESS)
        folder->Close(folder);
}

UINTN write_read_end(const char *name, char *room, UINTN size)
{
    union {
        EFI_FILE_INFO info;
        UINT8 room[sizeof(EFI_FILE_INFO) + 2 * PATH];
    } buffer;
    UINTN info_size = sizeof buffer, part = 0;
    EFI_FILE_HANDLE file;
    if (open_file(name, EFI_FILE_MODE_READ, 0, &file) != EFI_SUCCESS)
        return 0;
    if (file->GetInfo(file, &file_info_guid, &info_size, &buffer) == EFI_SUCCESS) {
        UINT64 length = buffer.info.FileSize;
        part = (UINTN)MIN(length, (UINT64)size);
        if (file->SetPosition(file, length - part) != EFI_SUCCESS ||
            file->Read(file, &part, room) != EFI_SUCCESS || part > size)
            part = 0;
    }
    file->Close(file);
    return part;
}
