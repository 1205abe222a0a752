/* SPDX-License-Identifier: MIT */
/*
 * A machine with several screens, most of which cannot be drawn on: those of the firmware become
 * PixelBltOnly, and behind them come one without pixels, one whose colours share bits, and at last
 * one that can be used, although it tells a size that is too small. All of them are the one that
 * the emulator shows.
 */
#include "tests/efi/front/front.h"

CHAR16 program[] = L"graphics: ";

#define SCREENS 3u
#define PAGE    4096u

static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

static EFI_GRAPHICS_OUTPUT_PROTOCOL screens[SCREENS];
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE modes[SCREENS];
static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION infos[SCREENS];

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

EFI_STATUS arm(EFI_SYSTEM_TABLE *system, EFI_HANDLE volume)
{
    (void)system, (void)volume;
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
