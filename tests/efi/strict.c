/* SPDX-License-Identifier: MIT */
/*
 * Firmware as strict as it may be: what is allocated for code cannot be executed until somebody
 * says so by EFI_MEMORY_ATTRIBUTE_PROTOCOL, which this firmware has to have. When boot services
 * end, each such page has to be executable and read-only.
 */
#include "tests/efi/front/front.h"

CHAR16 program[] = L"strict: ";

#define READ_ONLY  0x20000u
#define NO_EXECUTE 0x4000u
#define PAGE       4096u
#define MAX_PAGES  16u

struct attributes {
    EFI_STATUS(EFIAPI *get)(struct attributes *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64 *);
    EFI_STATUS(EFIAPI *set)(struct attributes *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64);
    EFI_STATUS(EFIAPI *clear)(struct attributes *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64);
};

static struct attributes *protocol;
static EFI_ALLOCATE_PAGES allocate_pages;
static EFI_PHYSICAL_ADDRESS pages[MAX_PAGES];
static UINTN page_count;

static EFI_STATUS EFIAPI allocate_strictly(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN count,
                                           EFI_PHYSICAL_ADDRESS *where)
{
    EFI_STATUS status = allocate_pages(how, type, count, where);
    if (status != EFI_SUCCESS || type != EfiLoaderCode)
        return status;
    for (UINTN i = 0; i < count && page_count < MAX_PAGES; i++)
        pages[page_count++] = *where + i * PAGE;
    if (protocol->set(protocol, *where, count * PAGE, NO_EXECUTE) != EFI_SUCCESS)
        say(L"strict: the firmware does not protect a page\r\n");
    return status;
}

static VOID EFIAPI look(EFI_EVENT event, VOID *context)
{
    UINTN wrong = 0;
    (void)event, (void)context;
    for (UINTN i = 0; i < page_count; i++) {
        UINT64 attributes = NO_EXECUTE;
        if (protocol->get(protocol, pages[i], PAGE, &attributes) != EFI_SUCCESS ||
            (attributes & (NO_EXECUTE | READ_ONLY)) != READ_ONLY)
            wrong++;
    }
    if (page_count == 0)
        say(L"strict: no page for code was asked for\r\n");
    else if (wrong != 0)
        say(L"strict: a page for code is writable, or cannot be executed\r\n");
    else
        say(L"strict: every page for code is read-only and can be executed\r\n");
}

EFI_STATUS arm(EFI_SYSTEM_TABLE *system, EFI_HANDLE volume)
{
    (void)system, (void)volume;
    EFI_GUID guid = {0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};
    EFI_EVENT end;
    EFI_STATUS status = boot->LocateProtocol(&guid, NULL, (VOID **)&protocol);
    if (status != EFI_SUCCESS)
        return refuse(status, L"this firmware has no EFI_MEMORY_ATTRIBUTE_PROTOCOL");
    status = boot->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_CALLBACK, look, NULL, &end);
    if (status != EFI_SUCCESS)
        return refuse(status, L"no event");
    allocate_pages = boot->AllocatePages;
    boot->AllocatePages = allocate_strictly;
    return EFI_SUCCESS;
}
