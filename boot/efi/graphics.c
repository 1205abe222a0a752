/* SPDX-License-Identifier: MIT */
/* Which of the firmware's screens the log is shown on (UEFI 2.10, 12.9). */
#include "boot/efi/efi.h"
#include "boot/screen.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"

static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_GUID edid_guid = {
    0xbd8c1056, 0x9f36, 0x44ec, {0x92, 0xa8, 0xa6, 0x33, 0x7f, 0x81, 0x79, 0x86}};

/* EFI_EDID_ACTIVE_PROTOCOL (12.9.2.4) */
struct edid {
    UINT32 size; /* 0: no monitor, or one that says nothing */
    UINT8 *bytes;
};

static bool read_masks(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode,
                       struct boot_framebuffer *found, const char **problem)
{
    switch (mode->PixelFormat) {
    case PixelBlueGreenRedReserved8BitPerColor:
        found->format = BOOT_FRAMEBUFFER_BGRX;
        found->red = 0xff0000, found->green = 0xff00, found->blue = 0xff;
        return true;
    case PixelRedGreenBlueReserved8BitPerColor:
        found->format = BOOT_FRAMEBUFFER_RGBX;
        found->red = 0xff, found->green = 0xff00, found->blue = 0xff0000;
        return true;
    case PixelBitMask:
        found->format = BOOT_FRAMEBUFFER_MASKS;
        found->red = mode->PixelInformation.RedMask;
        found->green = mode->PixelInformation.GreenMask;
        found->blue = mode->PixelInformation.BlueMask;
        /* A pixel is as wide as its highest bit is high: 16 or 24 bits have none up here. */
        *problem = "its pixels have fewer than 32 bits";
        return ((found->red | found->green | found->blue | mode->PixelInformation.ReservedMask) >>
                24) != 0;
    case PixelBltOnly:
        *problem = "only firmware can draw on it (PixelBltOnly)";
        return false;
    default:
        *problem = "its pixel format is unknown";
        return false;
    }
}

static bool describe(const EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics, struct boot_framebuffer *found,
                     const char **problem)
{
    *found = (struct boot_framebuffer){.format = BOOT_FRAMEBUFFER_NONE};
    *problem = "it has no mode";
    if (graphics->Mode == NULL || graphics->Mode->Info == NULL)
        return false;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = graphics->Mode->Info;
    if (!read_masks(mode, found, problem))
        return false;
    found->base = graphics->Mode->FrameBufferBase;
    found->size = graphics->Mode->FrameBufferSize;
    found->width = mode->HorizontalResolution;
    found->height = mode->VerticalResolution;
    *problem = "it has no pixels";
    if (found->base == 0 || found->width == 0 || found->height == 0)
        return false;
    *problem = "its lines are shorter than it is wide";
    if (mode->PixelsPerScanLine < found->width || mode->PixelsPerScanLine > UINT32_MAX / 4)
        return false;
    found->stride = mode->PixelsPerScanLine * 4;
    *problem = BOOT_MASKS_UNSOUND;
    return boot_masks_sound(found);
}

static EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics_of(EFI_HANDLE handle)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics = NULL;
    if (handle == NULL || efi_system->BootServices->HandleProtocol(
                              handle, &graphics_guid, (void **)&graphics) != EFI_SUCCESS)
        return NULL;
    return graphics;
}

static bool has_monitor(EFI_HANDLE handle)
{
    struct edid *edid = NULL;
    return efi_system->BootServices->HandleProtocol(handle, &edid_guid, (void **)&edid) ==
               EFI_SUCCESS &&
           edid->size != 0;
}

static void note(struct boot_framebuffer *found, const char *which, const char *problem)
{
    if (problem != NULL)
        format_text(found->problem, sizeof found->problem, "%s: %s", which, problem);
}

/* All of them; the caller frees the list. */
static UINTN list(EFI_HANDLE **handles)
{
    UINTN count = 0;
    *handles = NULL;
    return efi_system->BootServices->LocateHandleBuffer(ByProtocol, &graphics_guid, NULL, &count,
                                                        handles) == EFI_SUCCESS
               ? count
               : 0;
}

static bool find(EFI_HANDLE *handles, UINTN count, struct boot_framebuffer *found,
                 const char **problem)
{
    EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics = graphics_of(efi_system->ConsoleOutHandle);
    *problem = graphics == NULL ? "the firmware's console is on no screen" : NULL;
    if (graphics != NULL && describe(graphics, found, problem)) {
        *problem = NULL;
        return true;
    }
    /* Those with a monitor, then the others. */
    for (UINTN i = 0; i < 2 * count; i++) {
        const char *other;
        EFI_HANDLE handle = handles[i % count];
        graphics = has_monitor(handle) == (i < count) ? graphics_of(handle) : NULL;
        if (graphics != NULL && describe(graphics, found, &other))
            return true;
    }
    return false;
}

void graphics_find(struct boot_framebuffer *framebuffer)
{
    EFI_HANDLE *handles;
    const char *problem;
    UINTN count = list(&handles);
    struct boot_framebuffer found;
    bool any = find(handles, count, &found, &problem);
    if (handles != NULL)
        efi_system->BootServices->FreePool(handles);
    if (!any)
        found = (struct boot_framebuffer){.format = BOOT_FRAMEBUFFER_NONE};
    if (any && problem != NULL)
        note(&found, "another screen than the console's", problem);
    else if (count != 0 && problem != NULL)
        note(&found, "the console's screen", problem);
    if (!any)
        say("no screen to show the log on%s%s. It goes to the serial port, if there is one",
            count != 0 ? ": " : "", count != 0 ? problem : "");
    *framebuffer = found;
}
