/* SPDX-License-Identifier: MIT */
/*
 * A machine with several screens, most of which cannot be drawn on: those of the firmware become
 * PixelBltOnly, and behind them come one without pixels, one whose colours share bits, and at last
 * one that can be used, although it tells a size that is too small. All of them are the one that
 * the emulator shows. Stands in the place of the loader and starts that from loader.efi beside it.
 */
#include <efi.h>

#define SCREENS 3u
#define PAGE    4096u

static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_BOOT_SERVICES *boot;
static SIMPLE_TEXT_OUTPUT_INTERFACE *console;

static EFI_GRAPHICS_OUTPUT_PROTOCOL screens[SCREENS];
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE modes[SCREENS];
static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION infos[SCREENS];

static EFI_STATUS refuse(EFI_STATUS status, CHAR16 *text)
{
    console->OutputString(console, L"graphics: ");
    console->OutputString(console, text);
    console->OutputString(console, L"\r\n");
    return status;
}

/* Firmware's own would look for what lies around its own protocol. */
static EFI_STATUS EFIAPI query(EFI_GRAPHICS_OUTPUT_PROTOCOL *this, UINT32 mode, UINTN *size,
                               EFI_GRAPHICS_OUTPUT_MODE_INFORMATION **info)
{
    (void)this, (void)mode, (void)size, (void)info;
    return EFI_UNSUPPORTED;
}

static EFI_STATUS add(UINTN number, const EFI_GRAPHICS_OUTPUT_PROTOCOL *real)
{
    EFI_HANDLE handle = NULL;
    infos[number] = *real->Mode->Info;
    infos[number].PixelFormat = PixelBitMask;
    infos[number].PixelInformation =
        (EFI_PIXEL_BITMASK){0xff0000u, number == 1 ? 0xffff00u : 0xff00u, 0xffu, 0xff000000u};
    if (number == 0)
        infos[number].HorizontalResolution = infos[number].VerticalResolution = 0;
    modes[number] = *real->Mode;
    modes[number].Info = &infos[number];
    modes[number].FrameBufferSize = PAGE;
    screens[number] = *real;
    screens[number].Mode = &modes[number];
    screens[number].QueryMode = query;
    return boot->InstallProtocolInterface(&handle, &graphics_guid, EFI_NATIVE_INTERFACE,
                                          &screens[number]);
}

static EFI_STATUS change_screens(void)
{
    EFI_HANDLE *handles;
    UINTN count, i;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *real = NULL, *graphics;
    EFI_STATUS status =
        boot->LocateHandleBuffer(ByProtocol, &graphics_guid, NULL, &count, &handles);
    for (i = 0; status == EFI_SUCCESS && i < count; i++) {
        status = boot->HandleProtocol(handles[i], &graphics_guid, (VOID **)&graphics);
        if (status == EFI_SUCCESS && graphics->Mode->FrameBufferBase != 0)
            real = graphics;
    }
    if (status != EFI_SUCCESS || real == NULL)
        return refuse(EFI_NOT_FOUND, L"no screen");
    for (i = 0; status == EFI_SUCCESS && i < SCREENS; i++)
        status = add(i, real);
    for (i = 0; status == EFI_SUCCESS && i < count; i++) {
        status = boot->HandleProtocol(handles[i], &graphics_guid, (VOID **)&graphics);
        if (status == EFI_SUCCESS)
            graphics->Mode->Info->PixelFormat = PixelBltOnly;
    }
    return status;
}

static EFI_STATUS read_loader(EFI_HANDLE volume, void **bytes, UINTN *size)
{
    EFI_GUID file_system = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_FILE_IO_INTERFACE *io;
    EFI_FILE_HANDLE root, file;
    EFI_STATUS status = boot->HandleProtocol(volume, &file_system, (VOID **)&io);
    if (status == EFI_SUCCESS)
        status = io->OpenVolume(io, &root);
    if (status == EFI_SUCCESS)
        status = root->Open(root, &file, L"\\EFI\\bulkhead\\loader.efi", EFI_FILE_MODE_READ, 0);
    *size = 4u << 20;
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
        status = read_loader(self->DeviceHandle, &bytes, &size);
    if (status == EFI_SUCCESS)
        status = boot->LoadImage(FALSE, image, NULL, bytes, size, &loader);
    if (status == EFI_SUCCESS)
        status = boot->HandleProtocol(loader, &loaded_image, (VOID **)&loader_image);
    if (status != EFI_SUCCESS)
        return refuse(status, L"no \\EFI\\bulkhead\\loader.efi");
    loader_image->DeviceHandle = self->DeviceHandle;
    loader_image->LoadOptions = self->LoadOptions;
    loader_image->LoadOptionsSize = self->LoadOptionsSize;
    status = change_screens();
    return status == EFI_SUCCESS ? boot->StartImage(loader, NULL, NULL) : status;
}

/* As in the loader: newer start-up code of GNU-EFI calls this name. */
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system);
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
    return efi_main(handle, system);
}
