/* SPDX-License-Identifier: MIT */
#include "tests/efi/front/front.h"

#define LOADER L"\\EFI\\bulkhead\\loader.efi"

EFI_BOOT_SERVICES *boot;
static SIMPLE_TEXT_OUTPUT_INTERFACE *console;

void say(CHAR16 *text)
{
    console->OutputString(console, text);
}

EFI_STATUS refuse(EFI_STATUS status, CHAR16 *text)
{
    say(program);
    say(text);
    say(L"\r\n");
    return status;
}

EFI_STATUS read_file(EFI_HANDLE volume, CHAR16 *name, UINTN most, void **bytes, UINTN *size)
{
    EFI_GUID file_system = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_FILE_IO_INTERFACE *io;
    EFI_FILE_HANDLE root, file;
    EFI_STATUS status = boot->HandleProtocol(volume, &file_system, (VOID **)&io);
    if (status == EFI_SUCCESS)
        status = io->OpenVolume(io, &root);
    if (status == EFI_SUCCESS)
        status = root->Open(root, &file, name, EFI_FILE_MODE_READ, 0);
    *size = most;
    if (status == EFI_SUCCESS)
        status = boot->AllocatePool(EfiLoaderData, *size, bytes);
    return status == EFI_SUCCESS ? file->Read(file, size, *bytes) : status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_LOADED_IMAGE *self, *loader_image;
    EFI_HANDLE loader;
    void *bytes;
    UINTN size;
    boot = system->BootServices;
    console = system->ConOut;
    EFI_STATUS status = boot->HandleProtocol(image, &loaded_image, (VOID **)&self);
    if (status == EFI_SUCCESS)
        status = read_file(self->DeviceHandle, LOADER, 4u << 20, &bytes, &size);
    if (status == EFI_SUCCESS)
        status = boot->LoadImage(FALSE, image, NULL, bytes, size, &loader);
    if (status == EFI_SUCCESS)
        status = boot->HandleProtocol(loader, &loaded_image, (VOID **)&loader_image);
    if (status != EFI_SUCCESS)
        return refuse(status, L"no " LOADER);
    loader_image->DeviceHandle = self->DeviceHandle;
    loader_image->LoadOptions = self->LoadOptions;
    loader_image->LoadOptionsSize = self->LoadOptionsSize;
    status = arm(system, self->DeviceHandle);
    return status == EFI_SUCCESS ? boot->StartImage(loader, NULL, NULL) : status;
}

/* As in the loader: newer start-up code of GNU-EFI calls this name. */
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system);
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
    return efi_main(handle, system);
}
