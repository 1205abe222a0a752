/* SPDX-License-Identifier: MIT */
#include "boot/efi/efi.h"

#include "hypervisor/base/format.h"

#define WAIT_SECONDS 10

void console_print(const char *text)
{
    SIMPLE_TEXT_OUTPUT_INTERFACE *console = efi_system->ConOut;
    if (console == NULL)
        return;
    CHAR16 line[80];
    while (*text != '\0') {
        UINTN length = 0;
        while (length < ARRAY_SIZE(line) - 2 && *text != '\0') {
            if (*text == '\n')
                line[length++] = '\r';
            line[length++] = (CHAR16)(unsigned char)*text++;
        }
        line[length] = 0;
        console->OutputString(console, line);
    }
}

void say(const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    format_text_list(text, sizeof text, format, arguments);
    va_end(arguments);
    console_print("Bulkhead: ");
    console_print(text);
    console_print("\n");
}

void console_wait(unsigned seconds)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    EFI_EVENT events[2];
    UINTN count = 1, which;
    if (services->CreateEvent(EVT_TIMER, 0, NULL, NULL, &events[0]) != EFI_SUCCESS)
        return;
    if (services->SetTimer(events[0], TimerRelative, seconds * UINT64_C(10000000)) == EFI_SUCCESS) {
        if (efi_system->ConIn != NULL)
            events[count++] = efi_system->ConIn->WaitForKey;
        services->WaitForEvent(count, events, &which);
    }
    services->CloseEvent(events[0]);
}

EFI_STATUS refuse(EFI_STATUS status, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    format_text_list(text, sizeof text, format, arguments);
    va_end(arguments);
    console_print("\nBulkhead cannot start: ");
    console_print(text);
    console_print("\nPress a key (it goes on by itself after 10 seconds).\n");
    console_wait(WAIT_SECONDS);
    return status;
}
