/* SPDX-License-Identifier: MIT */
/*
 * What the machine is, before anything of it is touched: each function writes its part of the
 * report by log_event() and fills in what the verdict on the configuration needs. None of them
 * reaches for hardware but through the callbacks here, pci_config_read() and mmio_read(), so host
 * tests run them unchanged. All walks are bounded by the tables' own limits.
 */
#pragma once

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/dmar.h"
#include "hypervisor/acpi/madt.h"
#include "hypervisor/acpi/mcfg.h"
#include "hypervisor/acpi/srat.h"
#include "hypervisor/config/parse.h"
#include "hypervisor/pci/rid.h"
#include "hypervisor/x86/registers.h"

/* The processor that runs. `msr` is called only for registers that CPUID says are there. */
struct preflight_cpu {
    struct cpuid_result (*cpuid)(uint32_t leaf, uint32_t subleaf);
    uint64_t (*msr)(uint32_t msr);
};

/* A function for which firmware keeps memory (RMRR). */
struct preflight_reserved {
    rid_t rid;
    uint64_t base, limit;
};

#define PREFLIGHT_RESERVED 64
#define PREFLIGHT_ROOTS    32

/* Buses that start at a root, as firmware's root bridges say; none: those of MCFG are tried. */
struct preflight_roots {
    size_t count;
    struct preflight_root {
        uint16_t segment;
        uint8_t first, last;
    } root[PREFLIGHT_ROOTS];
};

struct preflight {
    bool intel, under_hypervisor;
    bool x2apic, vmx, svm; /* there, not locked, and with all that guests need */
    unsigned smt_shift;    /* an APIC id without so many low bits is a core's */
    uint32_t cores;        /* that the MADT's logical CPUs are threads of */
    struct acpi_directory directory;
    bool has_dmar, has_mcfg, has_ivrs;
    struct madt madt;
    struct mcfg mcfg;
    struct srat srat;
    struct dmar dmar;
    unsigned units, usable_units;
    bool remapping; /* of interrupts, by the table and by every usable unit */
    size_t reserved_count;
    struct preflight_reserved reserved[PREFLIGHT_RESERVED];
    uint64_t free_memory;         /* bytes that guests and hypervisor share */
    unsigned can, cannot, unsure; /* lines of the configuration */
};

static inline const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

/* --- processor.c: identity, features, topology, raw CPUID --- */
void preflight_processor(const struct preflight_cpu *cpu, struct preflight *facts);
/* --- virtualization.c: VMX and SVM by name, locks, SMIs --- */
void preflight_virtualization(const struct preflight_cpu *cpu, struct preflight *facts);
/* --- tables.c: the directory, MADT, MCFG, SRAT, DMAR; IVRS and WDAT as far as a line goes --- */
void preflight_tables(const struct acpi_memory *memory, uint64_t rsdp, struct preflight *facts);
/* The tables whose bytes are saved; NULL past the end. */
const char *preflight_table_saved(size_t index);
/* --- threads.c: logical CPUs of the MADT and how they share cores --- */
void preflight_threads(struct preflight *facts);
/* --- functions.c: every PCI function and bridge. `slots` becomes the function table
 * (pci_function_at()) and must stay. --- */
struct pci_function;
void preflight_functions(const struct preflight_roots *roots, const struct preflight *facts,
                         struct pci_function *slots, size_t capacity);
/* --- sriov.c: offset and stride of VFs with ARI and without. While VF Enable is clear NumVFs, the
 * ARI bit and the VF BARs of a PF reach nobody; they are written and put back. --- */
void preflight_sriov(void);
/* --- units.c: IOMMU units from their registers, RMRRs. `readable` says whether an address can be
 * read without a fault. --- */
void preflight_units(bool (*readable)(uint64_t physical, uint64_t size), struct preflight *facts);
/* --- plan.c: for each section and device of the configuration: can, cannot, unsure --- */
void preflight_plan(const struct config *config, bool (*file_exists)(const char *name),
                    struct preflight *facts);
/* --- smbios.c: who made the machine; `bytes` is the structure table (SMBIOS 3, 6.1) --- */
void preflight_machine(const uint8_t *bytes, size_t size);
/* --- aperture.c: one resource descriptor list of a root bridge (ACPI 6.5, 6.4.3.5). Adds the bus
 * ranges to `roots`. --- */
void preflight_apertures(unsigned bridge, uint16_t segment, const uint8_t *bytes, size_t size,
                         struct preflight_roots *roots);
/* --- screen.c: one screenful of the report, by `show`, a line at a time --- */
void preflight_screen(const struct preflight *facts, const char *report, size_t size,
                      const char *configuration, const char *result,
                      void (*show)(const char *text));
/* --- mapped.c: whether page tables map all the bytes at `address` to themselves, present (SDM 3A
 * 4.5). `entry` reads an entry of a table; levels: 4 or 5. --- */
bool preflight_mapped(uint64_t root, unsigned levels, uint64_t address, uint64_t size,
                      uint64_t (*entry)(uint64_t table, unsigned index));
