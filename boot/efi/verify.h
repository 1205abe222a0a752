/* SPDX-License-Identifier: MIT */
/*
 * What a signed application knows of its medium. boot/sign.sh puts two digests into it before it is
 * signed: that of bulkhead.elf and that of the list of all other files (list.h). Then a file exists
 * exactly when it is one of these, and its bytes are those that were signed.
 *
 * An application without digests takes every file as it is.
 */
#pragma once

#include <efi.h>

#include "boot/efi/list.h"

/* Reads the list from the medium. Without digests in the application this is looked for only where
 * the medium cannot be listed otherwise (over the network), and not believed. */
EFI_STATUS verify_open(void);
/* Has the application digests? */
bool verify_is_sealed(void);
/* Is Secure Boot on, as the firmware tells (UEFI 3.3)? */
bool verify_secure_boot(void);
/* The list, empty when there is none. */
const struct file_list *verify_list(void);

/* May there be such a file? With digests: is it one of those? */
bool verify_may_exist(const char *name);
/* For files_read(), of the bytes as they lie in memory and are used: EFI_SUCCESS when they are
 * those that were signed. Otherwise EFI_SECURITY_VIOLATION, which verify_result() remembers. */
EFI_STATUS verify_bytes(const char *name, UINT64 base, UINT64 size, const char **problem);
/* The same for a file that could not be read. */
EFI_STATUS verify_missing(const char *name, EFI_STATUS status, const char **problem);
/* Was a file not as it was signed? */
bool verify_failed(void);
/* EFI_SUCCESS, or refuses the first file that was not as it was signed, by name. */
EFI_STATUS verify_result(void);
