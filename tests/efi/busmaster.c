/* SPDX-License-Identifier: MIT */
/*
 * A driver that firmware left running: QEMU's teaching device "edu" is told again and again to
 * write a page of memory, and once more when the firmware's boot services end, 100 ms before it
 * does so.
 *
 * The page is boot services' data, which belongs to whoever comes next.
 */
#include "tests/efi/front/front.h"

CHAR16 program[] = L"busmaster: ";

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

static UINT32 device; /* its address in CONFIG_ADDRESS */
static UINTN registers;
static EFI_PHYSICAL_ADDRESS page;

static void say_number(UINT64 value)
{
    CHAR16 digits[17];
    for (UINTN i = 0; i < 16; i++)
        digits[i] = L"0123456789abcdef"[value >> (60 - 4 * i) & 0xf];
    digits[16] = 0;
    say(digits);
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

EFI_STATUS arm(EFI_SYSTEM_TABLE *system, EFI_HANDLE volume)
{
    (void)system, (void)volume;
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
    if (status != EFI_SUCCESS)
        return refuse(status, L"no events");
    say(program);
    say(L"the device writes page ");
    say_number(page);
    say(L"\r\n");
    return EFI_SUCCESS;
}
