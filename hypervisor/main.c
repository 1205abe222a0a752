/* The boot order, readable as a table of contents. Every step that fails says so and the rest goes
 * on as far as it makes sense: the monitor prompt is reached whatever failed. */
#include "boot/boot_info.h"
#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/dmar.h"
#include "hypervisor/base/calendar.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/control_call.h"
#include "hypervisor/guest/events.h"
#include "hypervisor/assign/faults.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/main.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/audit/audit.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/monitor/monitor.h"
#include "hypervisor/pci/pci.h"
#include "hypervisor/vcpu/vcpu.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check.h"
#include "hypervisor/x86/registers.h"
#include "hypervisor/x86/rtc.h"

#define TICK_MICROSECONDS      5000
#define CPUID_1_ECX_HYPERVISOR BIT(31) /* reserved for hypervisors (SDM 2A, CPUID) */
/* Guests have set up their devices by then. */
#define SETTLING_MICROSECONDS MILLISECONDS(500)

/* Where messages are interrupts (SDM 3A 11.11); local APICs lie there too. */
#define APIC_RANGE_BASE UINT64_C(0xfee00000)
#define APIC_RANGE_END  UINT64_C(0xfef00000)

/* QEMU's isa-debug-exit: process status = value * 2 + 1. */
#define DEBUG_EXIT_OK     0x10
#define DEBUG_EXIT_FAILED 0x11

static struct acpi_directory tables;
static struct madt madt;
static struct mcfg mcfg;
static struct dmar dmar;
static struct config config;
static bool has_dmar;
static struct boot_info boot_info; /* the loader's copy is gone with its identity map */

static void phase(const char *name)
{
    log_event("boot.phase", "name=%s tsc=%llu waited=%llu", name, (unsigned long long)tsc_read(),
              (unsigned long long)clock_waited());
}

NO_RETURN static void give_up(const char *message)
{
    log_event("boot.failed", "message=\"%s\"", message);
    cpu_halt_forever();
}

/* --- firmware tables --- */

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

static void measure_clock(const struct fadt *fadt)
{
    if (clock_init(fadt) != STATUS_OK)
        log_event("clock.refused",
                  "message=\"nothing to measure the TSC with: waits are longer and "
                  "times in the log smaller than they should be\"");
}

static void read_date(const struct fadt *fadt)
{
    enum status status = rtc_init(fadt);
    if (status != STATUS_OK) {
        log_event("clock.refused",
                  "status=%s message=\"the real-time clock gives no date: guests begin with 1970\"",
                  status_name(status));
        return;
    }
    struct calendar_time now = calendar_time(rtc_seconds());
    log_event("clock.date", "utc=%04u-%02u-%02uT%02u:%02u:%02uZ", now.year, now.month, now.day,
              now.hour, now.minute, now.second);
}

static void read_power_tables(void)
{
    struct fadt fadt;
    uint32_t length;
    const void *table = acpi_table_map(&firmware, &tables, "FACP", &length);
    if (table == NULL || fadt_parse(table, length, &fadt) != STATUS_OK) {
        log_event("acpi.refused", "table=FACP message=\"no usable FADT: no PM timer to measure the "
                                  "clock with, no ACPI power-off or reset\"");
        measure_clock(NULL);
        read_date(NULL);
        return;
    }
    measure_clock(&fadt);
    read_date(&fadt);
    uint8_t slp_typ_a = 0, slp_typ_b = 0;
    const void *dsdt = acpi_table_map(&firmware, &tables, "DSDT", &length);
    bool has_s5 = dsdt != NULL && dsdt_find_s5(dsdt, length, &slp_typ_a, &slp_typ_b) == STATUS_OK;
    power_init(&fadt, has_s5, slp_typ_a, slp_typ_b);
}

static void read_tables(const struct boot_info *boot)
{
    uint32_t length;
    enum status status = acpi_directory_read(&firmware, boot->rsdp, &tables);
    if (status != STATUS_OK)
        log_event("acpi.refused",
                  "table=RSDP address=%#llx status=%s message=\"without ACPI there "
                  "are no other cores, no PCI configuration space and no IOMMU\"",
                  (unsigned long long)boot->rsdp, status_name(status));
    read_power_tables();
    const void *table = acpi_table_map(&firmware, &tables, "APIC", &length);
    if (table == NULL || madt_parse(table, length, &madt) != STATUS_OK)
        log_event("acpi.refused", "table=APIC message=\"no usable MADT: only one core is used\"");
    table = acpi_table_map(&firmware, &tables, "MCFG", &length);
    if (table == NULL || mcfg_parse(table, length, &mcfg) != STATUS_OK)
        log_event("acpi.refused",
                  "table=MCFG message=\"no memory-mapped PCI configuration space: no devices\"");
    table = acpi_table_map(&firmware, &tables, "DMAR", &length);
    has_dmar = table != NULL && dmar_parse(table, length, &dmar) == STATUS_OK;
    if (!has_dmar)
        log_event("iommu.refused", "message=\"no usable DMAR table: enable VT-d in the firmware "
                                   "set-up; no device can be given to a guest\"");
    else
        iommu_regions_reserve(&dmar);
}

/* --- registers of the platform --- */

static void own(uint64_t base, uint64_t size)
{
    const uint32_t from = BIT(OWNER_NONE) | BIT(OWNER_MMIO) | BIT(OWNER_FIRMWARE);
    if (frames_take(base, size, from, OWNER_HYPERVISOR) != STATUS_OK)
        log_event(
            "memory.refused",
            "base=%#llx size=%#llx message=\"the platform's registers keep their owner in the "
            "frame table\"",
            (unsigned long long)base, (unsigned long long)size);
}

/* Interrupt controllers, units and configuration space have an owner before any device is given
 * away: a BAR or a reserved region that firmware placed over them is refused with its device. */
static void own_platform_registers(void)
{
    struct iommu_unit_report unit;
    for (uint64_t page = APIC_RANGE_BASE; page < APIC_RANGE_END; page += PAGE_SIZE)
        own(page, PAGE_SIZE);
    for (uint32_t i = 0; i < madt.ioapic_count; i++)
        own(ALIGN_DOWN((uint64_t)madt.ioapic[i].address, PAGE_SIZE), PAGE_SIZE);
    for (unsigned i = 0; iommu_unit_report(i, &unit); i++)
        own(ALIGN_DOWN(unit.base, PAGE_SIZE), ALIGN_UP(MAX(unit.registers_size, 1), PAGE_SIZE));
    for (uint32_t i = 0; i < mcfg.count; i++) {
        const struct mcfg_segment *segment = &mcfg.segment[i];
        own(segment->base + ((uint64_t)segment->start_bus << 20),
            ((uint64_t)segment->end_bus - segment->start_bus + 1) << 20);
    }
}

/* --- configuration --- */

static void complain(void *context, struct config_place place, const char *message)
{
    const struct boot_info *boot = context;
    char text[256];
    quote_text(text, sizeof text, message, strlen(message));
    log_event("config.error", "file=%s line=%u column=%u message=\"%s\"", boot->config_name,
              place.line, place.column, text);
}

static void read_config(const struct boot_info *boot)
{
    const char *text =
        boot->config_size != 0 ? map_firmware(boot->config_base, boot->config_size) : NULL;
    if (text == NULL) {
        log_event("config.error",
                  "file=%s line=0 column=0 message=\"the loader brought no "
                  "configuration; put it beside bulkhead.elf on the boot medium\"",
                  boot->config_name);
        return;
    }
    /* What is wrong was logged line by line; the rest of the configuration is used. */
    enum status status = config_parse(text, boot->config_size, &config, complain, &boot_info);
    log_event("config.read", "file=%s nics=%u guests=%u errors=%u status=%s", boot->config_name,
              config.nic_count, config.guest_count, config.errors, status_name(status));
}

/* --- the control core's life after boot --- */

/* Interrupts only end the control loop's wait; the loop then looks at everything. */
static void wake(void *context)
{
    (void)context;
}

/* Once the guests that were started at boot have ended: the audit again, then the verdict. */
static void conclude(bool batch)
{
    bool clean = audit_enforce() && !audit_failed();
    guest_console_drain();
    bool ok = guests_verdict(clean && config.errors == 0);
    if (batch)
        machine_power_off(ok ? DEBUG_EXIT_OK : DEBUG_EXIT_FAILED);
}

NO_RETURN static void control_loop(bool batch)
{
    bool concluded = false, audited = guests_all_ended();
    unsigned changes = guests_changes();
    struct deadline settled = deadline_in(SETTLING_MICROSECONDS);
    for (;;) {
        (void)iommu_faults_drain();
        guests_service();
        machine_check_report(false);
        log_service();
        monitor_service();
        /* Once more with the guests' interrupts set up: until then there is little to see. */
        if (!audited && !guests_all_ended() && deadline_passed(settled)) {
            audited = true;
            (void)!audit_enforce();
        }
        if (!concluded && guests_all_ended()) {
            concluded = true;
            changes = guests_changes();
            conclude(batch);
        } else if (changes != guests_changes()) {
            changes = guests_changes();
            (void)!audit_enforce();
        }
        cpu_wait();
    }
}

void hypervisor_main(const struct boot_info *loaders)
{
    const struct boot_info *boot = &boot_info;
    uint64_t first_tsc = tsc_read();
    clock_start(loaders->entry_tsc);
    boot_info = *loaders;

    cpu_init_early();
    /* Under a hypervisor each look costs an exit: root buses other than the first then wait for
     * enumeration. */
    pci_silence((cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) == 0, boot_info.silenced);
    console_init_early();
    log_event("boot.start", "loader=%s image=%#llx size=%s tsc=%llu", boot->loader,
              (unsigned long long)boot->image_base, size_text(boot->image_size).text,
              (unsigned long long)first_tsc);
    if (boot->magic != BOOT_INFO_MAGIC || boot->size != sizeof *boot)
        give_up("the loader and the hypervisor are of different versions");
    if (boot->message[0] != '\0')
        log_event("boot.loader", "message=\"%s\"", boot->message);

    phase("memory");
    if (frames_init(boot) != STATUS_OK || address_space_init(boot) != STATUS_OK)
        give_up("the memory map is unusable or there is not enough memory");
    console_init_framebuffer(&boot->framebuffer);
    if (cpu_init_boot() != STATUS_OK)
        give_up("no memory left for the boot core's tables");

    phase("acpi");
    read_tables(boot);
    read_config(boot);

    phase("pci");
    if (mcfg.count != 0 && (ecam_init(&mcfg) != STATUS_OK || pci_enumerate(&mcfg) != STATUS_OK))
        log_event("pci.refused", "message=\"PCI devices cannot be used\"");
    pci_wake();
    acs_enable_all();
    pci_errors_silence();

    phase("iommu");
    (void)iommu_fault_handler(fault_answer);
    interrupt_register(VECTOR_IOMMU_FAULT, wake, NULL);
    if (has_dmar && iommu_init(&dmar) != STATUS_OK)
        log_event("iommu.refused", "message=\"no unit could be used: no device is given away\"");
    own_platform_registers();
    pci_claim_registers();
    iommu_regions_honour();

    phase("nics");
    nics_prepare(&config); /* its 100 ms run beside the cores' start */

    phase("cores");
    interrupt_register(VECTOR_WAKE, wake, NULL);
    interrupt_register(VECTOR_TIMER, wake, NULL);
    if (vcpu_backend_select() != STATUS_OK)
        log_event("cpu.refused", "message=\"no guest can run; the monitor still does\"");
    if (cpu_start_all(&madt, guest_core) != STATUS_OK)
        log_event("cpu.refused", "message=\"not all cores could be started\"");

    phase("guests");
    guests_create(&config, boot); /* overwrites their memory while the VFs settle */
    nics_finish();
    guests_finish(&config);
    uint64_t owned = frames_ram_bytes(OWNER_HYPERVISOR);
    log_event("size.hypervisor", "owned=%llu in_use=%llu registers=%llu", (unsigned long long)owned,
              (unsigned long long)pages_in_use() * PAGE_SIZE,
              (unsigned long long)(frames_bytes(OWNER_HYPERVISOR) - owned));
    timer_start(TICK_MICROSECONDS);
    phase("start");
    uint64_t dropped = address_space_drop_boot(boot->image_base);
    log_event("boot.dropped", "bytes=%llu message=\"%s\"", (unsigned long long)dropped,
              dropped != 0 ? "what runs only at boot is overwritten, unmapped and free memory"
                           : "what runs only at boot could not be given back; it stays unused");
    (void)!audit_enforce();
    guests_start_all();
    (void)!audit_enforce();

    bool batch = (boot->flags & BOOT_FLAG_BATCH) != 0;
    monitor_start(!batch);
    control_loop(batch);
}
