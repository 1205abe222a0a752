/* SPDX-License-Identifier: MIT */
/* Firmware's tables: which there are, by the hypervisor's own parsers, and the few lines of those
 * that it has no use of. */
#include "boot/preflight/preflight.h"

#include "boot/preflight/report.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/fadt.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"

#define HEADER (uint32_t)sizeof(struct acpi_header)

/* WDAT (Microsoft, "Hardware Watchdog Timers Design Specification", 2) */
#define WDAT_PERIOD  48u
#define WDAT_MAXIMUM 52u
#define WDAT_FLAGS   60u
#define WDAT_ENTRIES 64u
#define WDAT_SIZE    68u

/* IVRS (AMD I/O Virtualization 3.10, 5.2.2) */
#define IVRS_BLOCKS        48u
#define IVHD_SIZE          24u
#define IVHD_BASE          8u
#define IVHD_MAX           64u
#define IVHD_IS_UNIT(type) ((type) == 0x10 || (type) == 0x11 || (type) == 0x40)

/* SPCR and DBG2 say where a serial line is (Microsoft, "Serial Port Console Redirection Table"). */
#define SPCR_INTERFACE 36u
#define SPCR_SPACE     40u
#define SPCR_ADDRESS   44u
#define SPCR_BAUD      58u
#define SPCR_PCI       64u
#define SPCR_SIZE      80u

static const char *const saved[] = {"DMAR", "APIC", "MCFG", "FACP", "SPCR", "SRAT",
                                    "IVRS", "WDAT", "ERST", "DBG2", "SLIT", "HMAT"};

const char *preflight_table_saved(size_t index)
{
    return index < ARRAY_SIZE(saved) ? saved[index] : NULL;
}

static const uint8_t *find(const struct acpi_memory *memory, const struct preflight *facts,
                           const char *signature, uint32_t *length)
{
    return acpi_table_map(memory, &facts->directory, signature, length);
}

static void digests_log(const struct acpi_memory *memory, const struct preflight *facts)
{
    for (size_t i = 0; i < ARRAY_SIZE(saved); i++) {
        uint32_t length;
        const uint8_t *table = find(memory, facts, saved[i], &length);
        if (table != NULL)
            log_event("table.saved", "name=%s length=%u digest=0x%lx", saved[i], length,
                      digest(DIGEST_START, table, length));
        else
            log_event("table.absent", "name=%s", saved[i]);
    }
}

static void watchdog_log(const uint8_t *table, uint32_t length)
{
    if (table == NULL || length < WDAT_SIZE) {
        log_event("watchdog.none", "message=\"no WDAT table: no watchdog that firmware tells of\"");
        return;
    }
    bool runs = (table[WDAT_FLAGS] & 1) != 0;
    log_event("watchdog.wdat", "running=%s period_ms=%u most=%u entries=%u%s", yes_no(runs),
              read32(table + WDAT_PERIOD), read32(table + WDAT_MAXIMUM),
              read32(table + WDAT_ENTRIES),
              runs ? " message=\"firmware's watchdog is running; it is stopped at boot "
                     "(watchdog.stopped)\""
                   : "");
}

static void console_log(const uint8_t *table, uint32_t length)
{
    if (table == NULL || length < SPCR_SIZE)
        return;
    static const uint32_t rates[] = {[3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200};
    uint8_t rate = table[SPCR_BAUD];
    log_event("console.spcr", "interface=0x%x space=%s address=0x%lx baud=%u pci=%04x:%04x",
              table[SPCR_INTERFACE], table[SPCR_SPACE] == 1 ? "io" : "memory",
              read64(table + SPCR_ADDRESS), rate < ARRAY_SIZE(rates) ? rates[rate] : 0,
              read16(table + SPCR_PCI + 2), read16(table + SPCR_PCI));
}

/* Each unit has up to three blocks, one for each revision of the table that software may know. */
static void ivrs_log(const uint8_t *table, uint32_t length, struct preflight *facts)
{
    uint64_t bases[IVHD_MAX];
    unsigned count = 0;
    facts->has_ivrs = table != NULL && length >= IVRS_BLOCKS;
    for (uint32_t at = IVRS_BLOCKS; facts->has_ivrs && length - at >= IVHD_SIZE;) {
        uint32_t size = read16(table + at + 2);
        if (size < 4 || size > length - at) {
            log_event("acpi.refused",
                      "table=IVRS offset=0x%x value=0x%x message=\"a block of "
                      "impossible length; the rest is not read\"",
                      at, size);
            break;
        }
        uint64_t base =
            size >= IVHD_SIZE && IVHD_IS_UNIT(table[at]) ? read64(table + at + IVHD_BASE) : 0;
        bool known = base == 0 || count == IVHD_MAX;
        for (unsigned i = 0; i < count && !known; i++)
            known = bases[i] == base;
        if (!known) {
            bases[count++] = base;
            log_event("iommu.amd", "base=0x%lx rid=0x%x", base, read16(table + at + 4));
        }
        at += size;
    }
    if (facts->has_ivrs)
        log_event("iommu.refused",
                  "units=%u message=\"the IOMMU of this machine is AMD-Vi (table IVRS), which "
                  "Bulkhead does not drive: guests run, but get no devices\"",
                  count);
}

static void dmar_log(const uint8_t *table, uint32_t length, struct preflight *facts)
{
    facts->has_dmar = table != NULL && dmar_parse(table, length, &facts->dmar) == STATUS_OK;
    if (facts->has_dmar) {
        uint8_t flags = facts->dmar.flags;
        bool opt_out = (flags & DMAR_FLAG_X2APIC_OPT_OUT) != 0;
        log_event("iommu.dmar", "width=%u remapping=%s x2apic_opt_out=%s dma_opt_in=%s%s",
                  facts->dmar.host_address_width, yes_no((flags & DMAR_FLAG_INTR_REMAP) != 0),
                  yes_no(opt_out), yes_no((flags & DMAR_FLAG_DMA_CTRL_OPT_IN) != 0),
                  opt_out ? " message=\"firmware asks systems not to use x2APIC mode; Bulkhead "
                            "needs it and uses it\""
                          : "");
    } else if (!facts->has_ivrs) {
        log_event("iommu.refused",
                  "message=\"no usable DMAR table: enable VT-d (Intel VT for Directed I/O) in the "
                  "firmware set-up; no device can be given to a guest\"");
    }
}

static void fadt_log(const uint8_t *table, uint32_t length)
{
    struct fadt fadt;
    if (table == NULL || fadt_parse(table, length, &fadt) != STATUS_OK) {
        log_event("acpi.refused", "table=FACP message=\"no usable FADT: no PM timer, no power-off "
                                  "and no reset by ACPI\"");
        return;
    }
    log_event("platform.power",
              "pm_timer=0x%x pm1a=0x%x pm1b=0x%x reset_space=%u reset=0x%lx "
              "reset_value=0x%x",
              fadt.pm_timer_port, fadt.pm1a_control_port, fadt.pm1b_control_port, fadt.reset_space,
              fadt.reset_address, fadt.reset_value);
}

static void srat_log(const struct srat *srat)
{
    for (uint32_t i = 0; i < srat->memory_count; i++)
        log_event("memory.node", "node=%u base=0x%lx end=0x%lx special=%s", srat->memory[i].node,
                  srat->memory[i].base, srat->memory[i].end, yes_no(srat->memory[i].special));
}

void preflight_tables(const struct acpi_memory *memory, uint64_t rsdp, struct preflight *facts)
{
    uint32_t length = 0;
    report_varies(true); /* firmware may put them elsewhere at each boot */
    enum status status = acpi_directory_read(memory, rsdp, &facts->directory);
    report_varies(false);
    if (status != STATUS_OK)
        log_event("acpi.refused",
                  "table=RSDP status=%s message=\"without ACPI there are no other "
                  "cores, no PCI configuration space and no IOMMU\"",
                  status_name(status));
    digests_log(memory, facts);
    const uint8_t *table = find(memory, facts, "FACP", &length);
    fadt_log(table, length);
    table = find(memory, facts, "APIC", &length);
    if (table == NULL || madt_parse(table, length, &facts->madt) != STATUS_OK)
        log_event("acpi.refused", "table=APIC message=\"no usable MADT: only one core is used\"");
    table = find(memory, facts, "MCFG", &length);
    facts->has_mcfg = table != NULL && mcfg_parse(table, length, &facts->mcfg) == STATUS_OK &&
                      facts->mcfg.count > 0;
    if (!facts->has_mcfg)
        log_event("acpi.refused",
                  "table=MCFG message=\"no memory-mapped PCI configuration space: no devices\"");
    for (uint32_t i = 0; i < facts->mcfg.count; i++)
        log_event("pci.segment", "segment=%u base=0x%lx buses=%02x-%02x",
                  facts->mcfg.segment[i].segment, facts->mcfg.segment[i].base,
                  facts->mcfg.segment[i].start_bus, facts->mcfg.segment[i].end_bus);
    table = find(memory, facts, "SRAT", &length);
    if (table != NULL && srat_parse(table, length, &facts->srat) == STATUS_OK)
        srat_log(&facts->srat);
    table = find(memory, facts, "IVRS", &length);
    ivrs_log(table, length, facts);
    table = find(memory, facts, "DMAR", &length);
    dmar_log(table, length, facts);
    table = find(memory, facts, "WDAT", &length);
    watchdog_log(table, length);
    table = find(memory, facts, "SPCR", &length);
    console_log(table, length);
    if (find(memory, facts, "ERST", &length) != NULL)
        log_event("firmware.erst", "length=%u", length);
}
