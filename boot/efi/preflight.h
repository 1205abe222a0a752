/* SPDX-License-Identifier: MIT */
/* The preflight report in the EFI application: what its files share. */
#pragma once

#include "boot/efi/efi.h"
#include "boot/preflight/preflight.h"
#include "boot/preflight/report.h"
#include "hypervisor/base/log.h"

#define PREFLIGHT_OPTION "preflight"

/* Writes \bulkhead\preflight.txt and \bulkhead\tables\*.bin, unless the volume has them already as
 * they are. Nothing of the machine has been changed yet, and nothing is; a failure is said, in
 * info->message too. True when the command line asks for no more than this (PREFLIGHT_OPTION). */
bool preflight(struct boot_info *info);

/* --- access.c --- */
/* Whether the bytes can be read at their physical address without a fault. */
bool access_readable(uint64_t physical, uint64_t size);
extern const struct acpi_memory access_memory;
/* Makes pci_config_read() work where MCFG can be believed. */
void access_configuration_space(const struct boot_info *info, const struct mcfg *mcfg);

/* --- preflight_firmware.c: what only firmware's services know --- */
void firmware_log(void);
void firmware_roots(struct preflight_roots *roots);
void firmware_screens(void);
void firmware_memory(void);
