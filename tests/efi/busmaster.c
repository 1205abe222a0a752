/* SPDX-License-Identifier: MIT */
/*
 * A driver that firmware left running: QEMU's teaching device "edu" is told again and again to
 * write a page of memory, and once more when the firmware's boot services end, 100 ms before it
 * does so. Stands in the place of the loader and starts that from loader.efi beside it.
 *
 * The page is boot services' data, which belongs to whoever comes next.
 */
#include <efi.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define EDU_ID         0x11e81234u
#define COMMAND        0x04
#define BAR0           0x10
#define MEMORY         2u
#define MASTER         4u
#define DEVICES        32u

/* edu's registers (QEMU, docs/specs/edu.rst) */
#define DMA_SOURCE      0x80
#define DMA_DESTINATION 0x88
#define DMA_COUNT       0x90
#define DMA_COMMAND     0x98
#define DMA_RUN         1u
#define DMA_TO_MEMORY   2u
#define DMA_BUFFER      0x40000u /* the device's own memory */

#define PAGE     4096u
#define WAIT_MS  1000u
#define TICK     100000u /* 10 ms in units of 100 ns */
#define SEED     0x9e3779b9u
#define MULTIPLY 2654435761u

static EFI_BOOT_SERVICES *boot;
static SIMPLE_TEXT_OUTPUT_INTERFACE *console;
static UINT32 device; /* its address in CONFIG_ADDRESS */
static UINTN registers;
static EFI_PHYSICAL_ADDRESS page;

static void say(CHAR16 *text)
{
    console->OutputString(console, text);
}

static void say_number(UINT64 value)
{
    CHAR16 digits[17];
    for (UINTN i = 0; i < 16; i++)
        digits[i] = L"0123456789abcdef"[value >> (60 - 4 * i) & 0xf];
    digits[16] = 0;
    say(digits);
}

static EFI_STATUS refuse(EFI_STATUS status, CHAR16 *text)
{
    say(L"busmaster: ");
    say(text);
    say(L"\r\n");
    return status;
}

static UINT32 config_read(UINT32 address)
{
    UINT32 value;
    __asm__ volatile("outl %0, %1" : : "a"(address), "Nd"((UINT16)CONFIG_ADDRESS));
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((UINT16)CONFIG_DATA));
    return value;
}

static void config_write(UINT32 address, UINT32 value)
{
    __asm__ volatile("outl %0, %1" : : "a"(address), "Nd"((UINT16)CONFIG_ADDRESS));
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"((UINT16)CONFIG_DATA));
}

static BOOLEAN find_device(void)
{
    for (UINT32 slot = 0; slot < DEVICES; slot++) {
        device = 0x80000000u | slot << 11;
        if (config_read(device) != EDU_ID)
            continue;
        registers = config_read(device + BAR0) & ~0xfu;
        return registers != 0;
    }
    return FALSE;
}

static void let_it_master(void)
{
    config_write(device + COMMAND, (config_read(device + COMMAND) & 0xffffu) | MEMORY | MASTER);
}

static volatile UINT64 *edu(UINTN offset)
{
    return (volatile UINT64 *)(registers + offset);
}

static void start(UINT64 from, UINT64 to, UINT64 direction)
{
    *edu(DMA_SOURCE) = from;
    *edu(DMA_DESTINATION) = to;
    *edu(DMA_COUNT) = PAGE;
    *edu(DMA_COMMAND) = DMA_RUN | direction;
}

static BOOLEAN done(void)
{
    for (UINTN i = 0; i < WAIT_MS; i++) {
        if ((*edu(DMA_COMMAND) & DMA_RUN) == 0)
            return TRUE;
        boot->Stall(1000);
    }
    return FALSE;
}

/* No copy of it is anywhere but in the device. */
static UINT32 word(UINTN index)
{
    return SEED ^ (UINT32)(index + 1) * MULTIPLY;
}

static void fill(BOOLEAN pattern)
{
    volatile UINT32 *words = (volatile UINT32 *)page;
    for (UINTN i = 0; i < PAGE / 4; i++)
        words[i] = pattern ? word(i) : 0;
}

static BOOLEAN holds_pattern(void)
{
    const volatile UINT32 *words = (const volatile UINT32 *)page;
    for (UINTN i = 0; i < PAGE / 4; i++)
        if (words[i] != word(i))
            return FALSE;
    return TRUE;
}

static VOID EFIAPI again(EFI_EVENT event, VOID *context)
{
    (void)event, (void)context;
    if ((*edu(DMA_COMMAND) & DMA_RUN) == 0)
        start(DMA_BUFFER, page, DMA_TO_MEMORY);
}

/* The firmware's last breath. */
static VOID EFIAPI once_more(EFI_EVENT event, VOID *context)
{
    (void)event, (void)context;
    fill(FALSE);
    let_it_master();
    start(DMA_BUFFER, page, DMA_TO_MEMORY);
}

static EFI_STATUS arm(void)
{
    EFI_EVENT timer, end;
    if (!find_device())
        return refuse(EFI_NOT_FOUND, L"no edu device on bus 0");
    page = 0xffffffffu;
    EFI_STATUS status = boot->AllocatePages(AllocateMaxAddress, EfiBootServicesData, 1, &page);
    if (status != EFI_SUCCESS)
        return refuse(status, L"no memory");
    let_it_master();
    fill(TRUE);
    start(page, DMA_BUFFER, 0);
    if (!done())
        return refuse(EFI_TIMEOUT, L"the device does not read");
    fill(FALSE);
    start(DMA_BUFFER, page, DMA_TO_MEMORY);
    if (!done() || !holds_pattern())
        return refuse(EFI_DEVICE_ERROR, L"the device does not write");
    status = boot->CreateEvent(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, again, NULL, &timer);
    if (status == EFI_SUCCESS)
        status = boot->SetTimer(timer, TimerPeriodic, TICK);
    if (status == EFI_SUCCESS)
        status =
            boot->CreateEvent(EVT_SIGNAL_EXIT_BOOT_SERVICES, TPL_CALLBACK, once_more, NULL, &end);
    return status == EFI_SUCCESS ? status : refuse(status, L"no events");
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
    status = arm();
    if (status != EFI_SUCCESS)
        return status;
    say(L"busmaster: the device writes page ");
    say_number(page);
    say(L"\r\n");
    return boot->StartImage(loader, NULL, NULL);
}

/* As in the loader: newer start-up code of GNU-EFI calls this name. */
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system);
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
    return efi_main(handle, system);
}
