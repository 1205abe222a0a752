/* SPDX-License-Identifier: MIT */
#include "boot/efi/verify.h"

#include "boot/efi/efi.h"
#include "boot/efi/network.h"
#include "boot/efi/seal.h"
#include "hypervisor/base/string.h"

/* Read once, at the start: what the compiler sees here is not what will be there. */
extern const volatile struct seal embedded;
__attribute__((section(".digests"), used)) const volatile struct seal embedded = {
    .magic = {'B', 'L', 'K', 'D', 'I', 'G', 'S', 'T'}, .version = SEAL_VERSION};

static struct seal seal;
static struct file_list list;
static char violated[BOOT_NAME_SIZE];
static const char *violation;

bool verify_is_sealed(void)
{
    return seal.sealed != 0;
}

bool verify_secure_boot(void)
{
    EFI_GUID global = EFI_GLOBAL_VARIABLE;
    CHAR16 name[] = {'S', 'e', 'c', 'u', 'r', 'e', 'B', 'o', 'o', 't', 0};
    UINT8 value = 0;
    UINTN size = sizeof value;
    return efi_system->RuntimeServices->GetVariable(name, &global, NULL, &size, &value) ==
               EFI_SUCCESS &&
           value == 1;
}

const struct file_list *verify_list(void)
{
    return &list;
}

bool verify_may_exist(const char *name)
{
    return !verify_is_sealed() || seal_names(&seal, &list, name);
}

static EFI_STATUS violate(const char *name, const char *how, const char **problem)
{
    if (violation == NULL) {
        text_copy(violated, sizeof violated, name);
        violation = how;
    }
    *problem = how;
    return EFI_SECURITY_VIOLATION;
}

EFI_STATUS verify_bytes(const char *name, UINT64 base, UINT64 size, const char **problem)
{
    if (!verify_is_sealed())
        return EFI_SUCCESS;
    const char *found = seal_problem(&seal, &list, name, (const void *)(UINTN)base, (size_t)size);
    return found == NULL ? EFI_SUCCESS : violate(name, found, problem);
}

EFI_STATUS verify_missing(const char *name, EFI_STATUS status, const char **problem)
{
    if (!verify_is_sealed())
        return status;
    return violate(name,
                   status == EFI_NOT_FOUND ? "was signed and is not there any more"
                                           : "was signed and cannot be read",
                   problem);
}

bool verify_failed(void)
{
    return violation != NULL;
}

EFI_STATUS verify_result(void)
{
    if (!verify_failed())
        return EFI_SUCCESS;
    return refuse(EFI_SECURITY_VIOLATION,
                  "\\bulkhead\\%s %s. Nothing of it was started. Put the file back as it was, or "
                  "sign the medium again: make usb (or netboot) KEY= CERT=",
                  violated, violation);
}

EFI_STATUS verify_open(void)
{
    UINT64 base, size;
    const char *problem;
    seal = embedded;
    if (seal.version != SEAL_VERSION || seal.sealed > 1)
        return refuse(EFI_LOAD_ERROR,
                      "its table of digests has version %u: it was signed with the "
                      "scripts of another version",
                      seal.version);
    if (!verify_is_sealed() && !network_is_open())
        return EFI_SUCCESS;
    if (files_read(LIST_FILE, &base, &size, &problem) != EFI_SUCCESS)
        return verify_result();
    if (list_read((const void *)(UINTN)base, (size_t)size, &list) == STATUS_OK)
        return EFI_SUCCESS;
    if (!verify_is_sealed()) {
        say("\\bulkhead\\" LIST_FILE ": line %u %s", list.line, list.problem);
        return EFI_SUCCESS;
    }
    return refuse(EFI_LOAD_ERROR, "\\bulkhead\\" LIST_FILE ": line %u %s", list.line, list.problem);
}
