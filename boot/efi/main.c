/* SPDX-License-Identifier: MIT */
/* \EFI\bulkhead\bulkhead.efi: reads what is on the volume it was loaded from, leaves the firmware's
 * boot services and enters the hypervisor as boot/boot_info.h says. */
#include "boot/efi/efi.h"
#include "boot/efi/preflight.h"

#include "boot/efi/code_page.h"
#include "boot/efi/verify.h"
#include "boot/paging.h"
#include "hypervisor/base/string.h"
#include "boot/pci/silence.h"

EFI_SYSTEM_TABLE *efi_system;
EFI_HANDLE efi_image;

static uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* CPUID 1, ECX bit 31: each look at a bus would be an exit there. */
static bool in_a_virtual_machine(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> 31 != 0;
}

static struct boot_info *create_info(void)
{
    struct boot_info *info = (struct boot_info *)(UINTN)memory_allocate(
        (sizeof *info + PAGE_SIZE - 1) / PAGE_SIZE, GIB(4), BOOT_MEMORY_LOADER);
    if (info != NULL) {
        info->magic = BOOT_INFO_MAGIC;
        info->size = sizeof *info;
        text_copy(info->loader, sizeof info->loader, "efi");
    }
    return info;
}

/* Does not come back unless something is missing. */
static EFI_STATUS boot(struct boot_info *info)
{
    struct elf_image image;
    UINT64 root;
    last_log_save(info);
    load_scenario(info);
    EFI_STATUS status = verify_result();
    if (status != EFI_SUCCESS)
        return status;
    if (preflight(info))
        return EFI_SUCCESS;
    status = load_hypervisor(info, &image);
    if (status != EFI_SUCCESS)
        return status;
    if (verify_is_sealed())
        info->flags |= BOOT_FLAG_VERIFIED | (verify_secure_boot() ? BOOT_FLAG_SECURE_BOOT : 0u);
    info->rsdp = platform_rsdp();
    graphics_find(&info->framebuffer);
    platform_root_bridges(info);

    UINT64 page = code_page_create(image.entry);
    if (page == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "no page below 4G that may be executed");
    status = memory_read_map(info);
    if (status == EFI_SUCCESS)
        status = tables_build(info, &image, page, &root);
    if (status != EFI_SUCCESS)
        return status;

    say("starting with \\bulkhead\\%s", info->config_name);
    files_close();
    status = memory_exit_boot_services(info);
    if (status != EFI_SUCCESS)
        return refuse(status, "the firmware does not let go of the machine (status 0x%lx)", status);
    /* From here on nobody's driver knows what its device does. */
    pci_silence(!in_a_virtual_machine(), info);
    info->entry_tsc = read_tsc();
    ((jump_function *)(UINTN)page)(info, root, page);
    __builtin_unreachable();
}

EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
    efi_image = handle;
    efi_system = system;
    last_log_take();
    system->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
    if (!paging_has_nx())
        return refuse(EFI_UNSUPPORTED,
                      "this CPU has no NX bit, or the firmware has it switched off");
    EFI_STATUS status = files_open();
    if (status != EFI_SUCCESS)
        return status;
    struct boot_info *info = create_info();
    status = info != NULL ? boot(info) : refuse(EFI_OUT_OF_RESOURCES, "no memory below 4G");
    files_close();
    code_page_release();
    memory_release();
    return status;
}

/* Newer start-up code of GNU-EFI (3.0.18) calls this name, which its own library would provide
 * together with a second set of string functions. */
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system);
EFI_STATUS _entry(EFI_HANDLE handle, EFI_SYSTEM_TABLE *system)
{
    return efi_main(handle, system);
}
