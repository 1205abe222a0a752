/* SPDX-License-Identifier: MIT */
#include "boot/efi/code_page.h"

#include "boot/efi/efi.h"
#include "hypervisor/base/string.h"

/* UEFI 37.7, EFI_MEMORY_ATTRIBUTE_PROTOCOL: not in every GNU-EFI. */
#define READ_ONLY  BIT(17) /* EFI_MEMORY_RO */
#define NO_EXECUTE BIT(14) /* EFI_MEMORY_XP */

typedef struct memory_attributes MEMORY_ATTRIBUTES;
typedef EFI_STATUS(EFIAPI *CHANGE_ATTRIBUTES)(MEMORY_ATTRIBUTES *, EFI_PHYSICAL_ADDRESS, UINT64,
                                              UINT64);
struct memory_attributes {
    EFI_STATUS(EFIAPI *get)(MEMORY_ATTRIBUTES *, EFI_PHYSICAL_ADDRESS, UINT64, UINT64 *);
    CHANGE_ATTRIBUTES set, clear;
};

static EFI_GUID attributes_guid = {
    0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};

static MEMORY_ATTRIBUTES *protocol;
static UINT64 code_page;

/* Firmware with a strict policy gives memory that nobody may execute; other firmware has no such
 * protocol, or lets loader code run anyway. So what it says is told, and the switch still tried. */
static void make_executable(UINT64 page)
{
    UINT64 attributes = 0;
    if (efi_system->BootServices->LocateProtocol(&attributes_guid, NULL, (void **)&protocol) !=
        EFI_SUCCESS) {
        protocol = NULL;
        return;
    }
    EFI_STATUS status = protocol->set(protocol, page, PAGE_SIZE, READ_ONLY);
    if (status == EFI_SUCCESS)
        status = protocol->clear(protocol, page, PAGE_SIZE, NO_EXECUTE);
    if (status == EFI_SUCCESS)
        status = protocol->get(protocol, page, PAGE_SIZE, &attributes);
    if (status != EFI_SUCCESS || (attributes & NO_EXECUTE) != 0)
        say("the firmware does not say that it lets page 0x%lx be executed (status 0x%lx, "
            "attributes 0x%lx). If nothing follows, switch its memory protection (NX) off",
            page, status, attributes);
}

UINT64 code_page_create(UINT64 entry)
{
    UINT64 page = memory_allocate_code();
    if (page == 0)
        return 0;
    memcpy((void *)(UINTN)page, jump_start, (size_t)(jump_end - jump_start));
    struct jump_parameters *parameters =
        (void *)(UINTN)(page + (UINT64)(jump_parameters - jump_start));
    parameters->entry = entry;
    parameters->continue_address = (uint32_t)(page + (UINT64)(jump_continue - jump_start));
    parameters->table_base = page + (UINT64)(jump_table - jump_start);
    code_page = page;
    make_executable(page);
    return page;
}

void code_page_release(void)
{
    if (code_page == 0 || protocol == NULL)
        return;
    EFI_STATUS status = protocol->clear(protocol, code_page, PAGE_SIZE, READ_ONLY);
    if (status == EFI_SUCCESS)
        status = protocol->set(protocol, code_page, PAGE_SIZE, NO_EXECUTE);
    if (status != EFI_SUCCESS)
        say("page 0x%lx stays as it is: the firmware does not take it back (status 0x%lx)",
            code_page, status);
    code_page = 0;
}
