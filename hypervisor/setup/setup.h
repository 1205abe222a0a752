/* SPDX-License-Identifier: MIT */
/* The steps of the boot order that belong to no subsystem. Nothing in this folder runs once
 * control_loop() does. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/acpi/dmar.h"
#include "hypervisor/acpi/fadt.h"
#include "hypervisor/acpi/madt.h"
#include "hypervisor/acpi/mcfg.h"
#include "hypervisor/acpi/srat.h"
#include "hypervisor/config/parse.h"

/* What firmware's tables say; empty where a table is missing or unusable. */
struct tables {
    struct madt madt;
    struct mcfg mcfg;
    struct dmar dmar;
    struct srat srat;
    bool has_dmar;
    bool no_8042; /* the FADT says so */
};

/* Reads them, measures the clock, reads the date and notes how the machine is switched off; logs
 * acpi.refused, iommu.refused, clock.refused. Firmware's reserved regions leave the free memory. */
void tables_read(uint64_t rsdp, struct tables *tables);

/* Works out what machine_reboot() and machine_power_off() do. `s5_types` are from dsdt_find_s5();
 * without them (NULL) ACPI power-off is not tried. `emulator`: its own ports may be used. */
void power_init(const struct fadt *fadt, bool emulator, const uint8_t s5_types[2]);

/* Gives interrupt controllers, IOMMUs and configuration space an owner before any device is given
 * away: a BAR or a reserved region that firmware placed over them is refused with its device. */
void platform_registers_claim(const struct tables *tables);

/* Logs config.error for each mistake and config.read; the rest of the configuration is used. */
void configuration_read(const struct boot_info *boot, struct config *config);

/* Maps the files that the loader brought and notes them for load.c. */
void modules_keep(const struct boot_info *boot);

/* Lets the log go on in memory that a reset leaves alone, and says what became of the last run's.
 * Once device registers can be mapped. */
void last_log_start(const struct boot_log *log);
