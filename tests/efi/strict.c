/* SPDX-License-Identifier: MIT */
/*
 * Firmware as strict as it may be: what is allocated for code cannot be executed until somebody
 * says so by EFI_MEMORY_ATTRIBUTE_PROTOCOL, which this firmware has to have. When boot services
 * end, each such page has to be executable and read-only. Stands in the place of the loader and
 * starts that from loader.efi beside it.
 */
#include <efi.h>

#define READ_ONLY  0x20000u
#define NO_EXECUTE 0x4000u
#define PAGE       4096u
#define MAX_PAGES  16u

struct attributes {
    EFI_STATUS(EFIAPI *get)(struct attributes *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64 *);
    EFI_STATUS(EFIAPI *set)(struct attributes *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64);
    EFI_STATUS(EFIAPI *clear)(struct attributes *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64);
};

static EFI_BOOT_SERVICES *boot;
static SIMPLE_TEXT_OUTPUT_INTERFACE *console;
static struct attributes *protocol;
static EFI_ALLOCATE_PAGES allocate_pages;
static EFI_PHYSICAL_ADDRESS pages[MAX_PAGES];
static UINTN page_count;

static void say(CHAR16 *text)
{
    console->OutputString(console, text);
}

static EFI_STATUS refuse(EFI_STATUS status, CHAR16 *text)
{
    say(L"strict: ");
    say(text);
    say(L"\r\n");
    return status;
}

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

static EFI_STATUS arm(void)
{
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
    status = arm();
    return status == EFI_SUCCESS ? boot->StartImage(loader, NULL, NULL) : status;
}

/* As in the loader: newer start-up code of GNU-EFI calls this name. */
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system);
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
    return efi_main(handle, system);
}
