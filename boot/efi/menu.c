/* SPDX-License-Identifier: MIT */
#include "boot/efi/menu.h"

#include "boot/efi/efi.h"
#include "boot/efi/verify.h"
#include "hypervisor/base/string.h"

#define PREFERRED     "sriov.conf"
#define FIRST_SECONDS 5  /* until nobody is thought to be there */
#define NEXT_SECONDS  60 /* until somebody is thought to have left */
#define OTHER_KEY     0xffff

static bool is_configuration(const char *name)
{
    size_t length = strlen(name);
    return length > 5 && text_equal(name + length - 5, ".conf");
}

/* The configuration with this number, from 1. */
static bool configuration(uint32_t number, struct list_entry *entry)
{
    for (uint32_t i = 0; list_entry(verify_list(), i, entry); i++) {
        if (is_configuration(entry->name) && --number == 0)
            return true;
    }
    return false;
}

static uint32_t show(uint32_t *preferred)
{
    struct list_entry entry;
    uint32_t count = 0;
    *preferred = 1;
    while (configuration(count + 1, &entry)) {
        say("%3u  %s", ++count, entry.name);
        if (text_equal(entry.name, PREFERRED))
            *preferred = count;
    }
    return count;
}

static void echo(CHAR16 key)
{
    CHAR16 text[] = {key, 0};
    if (efi_system->ConOut != NULL)
        efi_system->ConOut->OutputString(efi_system->ConOut, text);
}

/* The next key, or 0 when none comes in time. */
static CHAR16 wait_for_key(UINT64 seconds)
{
    EFI_BOOT_SERVICES *services = efi_system->BootServices;
    SIMPLE_INPUT_INTERFACE *input = efi_system->ConIn;
    EFI_EVENT events[2];
    EFI_INPUT_KEY key = {0};
    UINTN which = 0;
    if (input == NULL || services->CreateEvent(EVT_TIMER, 0, NULL, NULL, &events[0]) != EFI_SUCCESS)
        return 0;
    events[1] = input->WaitForKey;
    EFI_STATUS status = services->SetTimer(events[0], TimerRelative, seconds * UINT64_C(10000000));
    do {
        if (status == EFI_SUCCESS)
            status = services->WaitForEvent(2, events, &which);
    } while (status == EFI_SUCCESS && which == 1 &&
             input->ReadKeyStroke(input, &key) != EFI_SUCCESS);
    services->CloseEvent(events[0]);
    if (status != EFI_SUCCESS || which != 1)
        return 0;
    return key.UnicodeChar != 0 ? key.UnicodeChar : OTHER_KEY;
}

/* A number and the enter key; `preferred` when nobody types one, or p. */
static uint32_t ask(uint32_t count, uint32_t preferred, bool *preflight)
{
    uint32_t number = 0;
    UINT64 seconds = FIRST_SECONDS;
    for (;;) {
        CHAR16 key = wait_for_key(seconds);
        seconds = NEXT_SECONDS;
        if (key == 0 || (key == '\r' && number == 0))
            return preferred;
        if (key >= '0' && key <= '9') {
            echo(key);
            number = number > count ? number : number * 10 + (uint32_t)(key - '0');
        } else if (key == '\r' && number <= count) {
            return number;
        } else if ((key == 'p' || key == 'P') && number == 0) {
            say("preflight");
            *preflight = true;
            return preferred;
        } else {
            say(" is not one of the choices: type 1 to %u and the enter key, or p", count);
            number = 0;
        }
    }
}

bool menu_choose(char *name, size_t room, bool *preflight)
{
    struct list_entry entry;
    uint32_t preferred;
    *preflight = false;
    if (verify_failed() || !configuration(1, &entry))
        return false;
    say("the configurations of this medium:");
    uint32_t count = show(&preferred);
    say("  p  preflight only: look at the machine for %u, start nothing", preferred);
    say("type a number and the enter key, or p; %u starts by itself in %u seconds", preferred,
        FIRST_SECONDS);
    return configuration(ask(count, preferred, preflight), &entry) &&
           text_copy(name, room, entry.name);
}
