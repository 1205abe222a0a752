/* SPDX-License-Identifier: MIT */
/*
 * The medium when the application was loaded over the network: the TFTP server that the firmware
 * loaded it from, by the firmware's PXE base code (UEFI 24.3). Files are in the folder bulkhead/
 * beside the application's own. Every wait is the firmware's, which gives up by itself.
 */
#pragma once

#include <efi.h>

#include "hypervisor/base/core.h"

/* EFI_NOT_FOUND, without a word: the device that the application was loaded from is no network
 * card. Other failures have been said. */
EFI_STATUS network_open(EFI_HANDLE device);
bool network_is_open(void);
bool network_exists(const char *name);
/* As files_read(). */
EFI_STATUS network_read(const char *name, UINT64 *base, UINT64 *size, const char **problem);
/* "default-52-54-00-12-34-56": the file that chooses this machine's configuration, by the address
 * of the card it was started with. False when that is not known. */
bool network_default(char *name, size_t room);
