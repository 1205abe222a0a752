/* SPDX-License-Identifier: MIT */
/* The preflight report in the EFI application: what its files share. */
#pragma once

#include "boot/efi/efi.h"
#include "boot/preflight/preflight.h"
#include "boot/preflight/report.h"
#include "hypervisor/base/log.h"

/* Writes \bulkhead\preflight.txt and \bulkhead\tables\*.bin, unless the volume has them already as
 * they are. Nothing of the machine has been changed yet, and nothing is; a failure is said, in
 * info->message too. True when the command line asks for no more than this (word `preflight`). */
bool preflight(struct boot_info *info);

/* --- access.c --- */
/* Whether the bytes can be read at their physical address without a fault. */
bool access_readable(uint64_t physical, uint64_t size);
extern const struct acpi_memory access_memory;
/* Makes pci_config_read() work where MCFG can be believed. */
void access_configuration_space(const struct boot_info *info, const struct mcfg *mcfg);

/* --- write.c --- */
/* Makes the file \bulkhead\NAME hold exactly these bytes. A file that does already is not written.
 * On an error, of which *problem says what it is, no part of the file is left. */
EFI_STATUS write_file(const char *name, const void *bytes, UINTN size, const char **problem);
/* Makes the folder \bulkhead\NAME if it is not there. Errors show when files are put into it. */
void write_folder(const char *name);
/* The last bytes of a file, at most `room`; 0 when it cannot be read. */
UINTN write_read_end(const char *name, char *room, UINTN size);

/* --- preflight_firmware.c: what only firmware's services know --- */
void firmware_log(void);
void firmware_roots(struct preflight_roots *roots);
void firmware_screens(void);
void firmware_memory(void);
