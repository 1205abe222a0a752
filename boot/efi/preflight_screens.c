/* SPDX-License-Identifier: MIT */
/* Every screen that the firmware drives (UEFI 12.9), and which one its console is on. */
#include "boot/efi/preflight.h"

#include <efipciio.h>

#include "hypervisor/base/format.h"

#define MAX_HANDLES 16
#define MAX_MODES   64

static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_GUID path_guid = DEVICE_PATH_PROTOCOL;
static EFI_GUID pci_guid = EFI_PCI_IO_PROTOCOL_GUID;
/* EDK II puts it onto the handles that ConOut's output goes to (MdeModulePkg, ConsoleOutDevice). */
static EFI_GUID console_out_guid = {
    0xd3b36f2c, 0xd551, 0x11d4, {0x9a, 0x46, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};

static const char *format_name(EFI_GRAPHICS_PIXEL_FORMAT format)
{
    switch (format) {
    case PixelRedGreenBlueReserved8BitPerColor:
        return "rgbx";
    case PixelBlueGreenRedReserved8BitPerColor:
        return "bgrx";
    case PixelBitMask:
        return "masks";
    case PixelBltOnly:
        return "blt-only";
    default:
        return "unknown";
    }
}

static bool has(EFI_HANDLE handle, EFI_GUID *guid)
{
    void *interface = NULL;
    return efi_system->BootServices->HandleProtocol(handle, guid, &interface) == EFI_SUCCESS;
}

/* The PCI function that the screen is on; "none" for one that stands for several. */
static struct short_text function_of(EFI_HANDLE handle)
{
    struct short_text text;
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    EFI_DEVICE_PATH *path = NULL;
    EFI_HANDLE device = NULL;
    EFI_PCI_IO_PROTOCOL *pci = NULL;
    UINTN segment, bus, slot, function;
    if (services->HandleProtocol(handle, &path_guid, (void **)&path) == EFI_SUCCESS &&
        services->LocateDevicePath(&pci_guid, &path, &device) == EFI_SUCCESS &&
        services->HandleProtocol(device, &pci_guid, (void **)&pci) == EFI_SUCCESS &&
        pci->GetLocation(pci, &segment, &bus, &slot, &function) == EFI_SUCCESS)
        return rid_text(RID(segment, bus, slot, function));
    format_text(text.text, sizeof text.text, "none");
    return text;
}

static void modes_log(unsigned number, EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics)
{
    for (UINT32 mode = 0; mode < graphics->Mode->MaxMode && mode < MAX_MODES; mode++) {
        EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = NULL;
        UINTN size = 0;
        if (graphics->QueryMode == NULL ||
            graphics->QueryMode(graphics, mode, &size, &info) != EFI_SUCCESS || info == NULL)
            continue;
        log_event("screen.mode", "gop=%u mode=%u width=%u height=%u stride=%u format=%s", number,
                  mode, info->HorizontalResolution, info->VerticalResolution,
                  info->PixelsPerScanLine, format_name(info->PixelFormat));
        efi_system->BootServices->FreePool(info);
    }
}

static void screen_log(unsigned number, EFI_HANDLE handle, EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics)
{
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info =
        graphics->Mode != NULL ? graphics->Mode->Info : NULL;
    bool splitter = handle == efi_system->ConsoleOutHandle;
    if (info == NULL) {
        log_event("screen.refused", "gop=%u message=\"it has no mode\"", number);
        return;
    }
    const EFI_PIXEL_BITMASK *masks = &info->PixelInformation;
    bool shown = info->PixelFormat == PixelBitMask;
    log_event("screen.gop",
              "gop=%u function=%s console=%s mode=%u modes=%u width=%u height=%u stride=%u "
              "format=%s red=0x%x green=0x%x blue=0x%x base=0x%lx size=%lu",
              number, function_of(handle).text, yes_no(splitter || has(handle, &console_out_guid)),
              graphics->Mode->Mode, graphics->Mode->MaxMode, info->HorizontalResolution,
              info->VerticalResolution, info->PixelsPerScanLine * 4, format_name(info->PixelFormat),
              shown ? masks->RedMask : 0, shown ? masks->GreenMask : 0, shown ? masks->BlueMask : 0,
              (uint64_t)graphics->Mode->FrameBufferBase, (uint64_t)graphics->Mode->FrameBufferSize);
    modes_log(number, graphics);
}

void firmware_screens(void)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    EFI_HANDLE *handles = NULL;
    UINTN count = 0;
    if (services->LocateHandleBuffer(ByProtocol, &graphics_guid, NULL, &count, &handles) !=
        EFI_SUCCESS)
        count = 0;
    for (UINTN i = 0; i < count && i < MAX_HANDLES; i++) {
        EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics = NULL;
        if (services->HandleProtocol(handles[i], &graphics_guid, (void **)&graphics) == EFI_SUCCESS)
            screen_log((unsigned)i, handles[i], graphics);
    }
    if (handles != NULL)
        services->FreePool(handles);
    log_event("screen.summary", "gops=%u%s", (unsigned)count,
              count == 0 ? " message=\"no screen that firmware drives: the log needs a serial "
                           "line\""
                         : "");
}
