/* SPDX-License-Identifier: MIT */
/* What firmware's tables say: read once, logged, handed on as structures. */
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/base/calendar.h"
#include "hypervisor/base/log.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/amd_iommu.h"
#include "hypervisor/setup/actions.h"
#include "hypervisor/setup/iommu.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/setup/time.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"
#include "hypervisor/x86/rtc.h"

#define CPUID_1_ECX_HYPERVISOR BIT(31) /* reserved for hypervisors (SDM 2A, CPUID) */

static struct acpi_directory directory;

static const void *map_table(void *context, uint64_t physical, uint64_t size)
{
    (void)context;
    return map_firmware(physical, size);
}

static void unmap_table(void *context, const void *bytes, uint64_t size)
{
    (void)context;
    unmap((uintptr_t)bytes, size);
}

static const struct acpi_memory firmware = {map_table, unmap_table, NULL};

static const void *find(const char *signature, uint32_t *length)
{
    return acpi_table_map(&firmware, &directory, signature, length);
}

static void measure_clock(const struct fadt *fadt)
{
    if (clock_init(fadt) != STATUS_OK)
        log_event("clock.refused", "message=\"no timer to measure the TSC with; waits are longer, "
                                   "and times in the log shorter, than they should be\"");
}

static void read_date(const struct fadt *fadt)
{
    enum status status = rtc_init(fadt);
    if (status != STATUS_OK) {
        log_event("clock.refused",
                  "status=%s message=\"the real-time clock gives no date; guests start in 1970\"",
                  status_name(status));
        return;
    }
    struct calendar_time now = calendar_time(rtc_seconds());
    log_event("clock.date", "utc=%04u-%02u-%02uT%02u:%02u:%02uZ", now.year, now.month, now.day,
              now.hour, now.minute, now.second);
}

static void read_fadt(struct tables *tables)
{
    struct fadt fadt;
    uint32_t length;
    const void *table = find("FACP", &length);
    if (table == NULL || fadt_parse(table, length, &fadt) != STATUS_OK) {
        log_event("acpi.refused", "table=FACP message=\"no usable FADT: no PM timer to measure the "
                                  "clock with, no ACPI power-off or reset\"");
        measure_clock(NULL);
        read_date(NULL);
        power_init(&(const struct fadt){.reset_space = 0xff}, false, NULL);
        return;
    }
    tables->no_8042 = fadt.no_8042;
    measure_clock(&fadt);
    read_date(&fadt);
    uint8_t s5[2] = {0};
    const void *dsdt = find("DSDT", &length);
    bool has_s5 = dsdt != NULL && dsdt_find_s5(dsdt, length, &s5[0], &s5[1]) == STATUS_OK;
    power_init(&fadt, fadt.emulator || (cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) != 0,
               has_s5 ? s5 : NULL);
}

/* How many AMD-Vi units there are. */
static uint32_t read_ivrs(void)
{
    struct ivrs ivrs;
    uint32_t length;
    const void *table = find("IVRS", &length);
    if (table == NULL || ivrs_parse(table, length, &ivrs) != STATUS_OK)
        return 0;
    if (!amd_iommu_quiet(&ivrs)) {
        log_event("boot.failed",
                  "message=\"an AMD-Vi unit that firmware left on cannot be switched "
                  "off: switch the IOMMU off in the firmware set-up\"");
        cpu_halt_forever();
    }
    return ivrs.unit_count;
}

void tables_read(uint64_t rsdp, struct tables *tables)
{
    uint32_t length;
    enum status status = acpi_directory_read(&firmware, rsdp, &directory);
    if (status != STATUS_OK)
        log_event("acpi.refused",
                  "table=RSDP address=%#lx status=%s message=\"without ACPI there are no other "
                  "cores, no PCI configuration space and no IOMMU\"",
                  rsdp, status_name(status));
    read_fadt(tables);
    const void *table = find("APIC", &length);
    if (table == NULL || madt_parse(table, length, &tables->madt) != STATUS_OK)
        log_event("acpi.refused", "table=APIC message=\"no usable MADT: only one core is used\"");
    table = find("MCFG", &length);
    if (table == NULL || mcfg_parse(table, length, &tables->mcfg) != STATUS_OK)
        log_event("acpi.refused",
                  "table=MCFG message=\"no memory-mapped PCI configuration space: no devices\"");
    table = find("SRAT", &length);
    if (table != NULL && srat_parse(table, length, &tables->srat) != STATUS_OK)
        log_event("acpi.refused",
                  "table=SRAT message=\"no usable SRAT: all of the machine counts as one node\"");
    table = find("WDAT", &length);
    if (table != NULL)
        watchdog_stop(table, length);
    table = find("ERST", &length);
    if (table != NULL)
        erst_prepare(table, length);
    table = find("DMAR", &length);
    tables->has_dmar = table != NULL && dmar_parse(table, length, &tables->dmar) == STATUS_OK;
    uint32_t amd_units = read_ivrs();
    if (tables->has_dmar)
        iommu_regions_reserve(&tables->dmar);
    else if (amd_units != 0)
        log_event("iommu.refused",
                  "amd=%u message=\"this machine's IOMMU is AMD-Vi, which Bulkhead does not drive: "
                  "guests run, but none is given a device. Nothing in the firmware set-up changes "
                  "that; devices need a machine with Intel VT-d\"",
                  amd_units);
    else
        log_event("iommu.refused", "message=\"no usable DMAR table: enable VT-d in the firmware "
                                   "set-up; no device can be given to a guest\"");
}
