/* SPDX-License-Identifier: MIT */
/* The boot order, readable as a table of contents. Every step that fails says so and the rest goes
 * on as far as it makes sense: the monitor prompt is reached whatever failed. */
#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/main.h"

#include "boot/pci/silence.h"
#include "hypervisor/abi/calls.h"
#include "hypervisor/audit/audit.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/vdev/answers.h"
#include "hypervisor/setup/affinity.h"
#include "hypervisor/setup/core_arrays.h"
#include "hypervisor/setup/guests.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/setup/pfs.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/control_loop.h"
#include "hypervisor/setup/optional.h"
#include "hypervisor/setup/console.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_roots.h"
#include "hypervisor/setup/iommu.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/setup.h"
#include "hypervisor/setup/speculation.h"
#include "hypervisor/setup/time.h"
#include "hypervisor/setup/version.h"
#include "hypervisor/setup/vcpu.h"
#include "hypervisor/setup/words.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

#define TICK_MICROSECONDS      5000
#define CPUID_1_ECX_HYPERVISOR BIT(31) /* reserved for hypervisors (SDM 2A, CPUID) */

static struct boot_info boot; /* the loader's copy goes with its identity map */
static struct tables tables;
static struct config configuration;

static void phase(const char *name)
{
    log_event("boot.phase", "name=%s tsc=%lu waited=%lu", name, tsc_read(), clock_rate.waited);
}

/* Without this step there is no going on. */
static void require(bool done, const char *message)
{
    if (done)
        return;
    log_event("boot.failed", "message=\"%s\"", message);
    cpu_halt_forever();
}

static void expect(enum status status, const char *event, const char *message)
{
    if (status != STATUS_OK)
        log_event(event, "message=\"%s\"", message);
}

/* Under a hypervisor each look costs an exit: root buses other than the first then wait for
 * enumeration. */
static void silence_devices(void)
{
    if (boot_info_sound(&boot)) /* it has a list of what the loader did */
        pci_silence((cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) == 0, &boot);
}

static void greet(uint64_t first_tsc)
{
    (void)format_text(
        command_version_text, sizeof command_version_text,
        "version=%s commit=%s build=%s log=%u abi=%u loader=%s image=%#lx size=%s tsc=%lu",
        version_number, version_commit, version_build().text, LOG_VERSION, ABI_VERSION, boot.loader,
        boot.image_base, size_text(boot.image_size).text, first_tsc);
    log_event("boot.start", "%s", command_version_text);
    require(boot_info_sound(&boot), "the loader and the hypervisor are of different versions");
    if (boot.message[0] != '\0')
        log_event("boot.loader", "message=\"%s\"", boot.message);
    if ((boot.flags & BOOT_FLAG_VERIFIED) != 0)
        log_event("boot.verified", "secure_boot=%s",
                  (boot.flags & BOOT_FLAG_SECURE_BOOT) != 0 ? "on" : "off");
}

static bool memory_init(void)
{
    return frames_init(&boot) == STATUS_OK && address_space_init(&boot) == STATUS_OK;
}

static enum status find_functions(void)
{
    if (tables.mcfg.count == 0)
        return STATUS_OK; /* tables_read() has said so */
    enum status status = ecam_init(&tables.mcfg);
    if (status == STATUS_OK)
        status = pci_enumerate(&tables.mcfg, &configuration);
    if (status == STATUS_OK)
        pci_roots_check(&boot);
    if (status == STATUS_OK)
        pci_buses_make_room(&configuration, &tables.mcfg);
    return status;
}

/* Without what the guests' cores have open for as long as they overwrite memory. */
static void report_size(void)
{
    uint64_t owned = frames_ram_bytes(OWNER_HYPERVISOR);
    log_event("size.hypervisor", "owned=%lu in_use=%lu registers=%lu", owned,
              (pages_in_use() - address_space_window_pages()) * PAGE_SIZE,
              (frames_bytes(OWNER_HYPERVISOR) - owned));
}

void hypervisor_main(const struct boot_info *loaders)
{
    uint64_t first_tsc = tsc_read();
    clock_start(loaders->entry_tsc);
    boot = *loaders;
    cpu_init_early();
    console_start(&boot, &configuration); /* an exception from here on is seen */
    silence_devices();
    console_start_screen(&boot);
    greet(first_tsc);

    phase("memory");
    require(memory_init(), "the memory map is unusable or there is not enough memory");
    console_map(); /* until then nothing may be said */
    last_log_start(&boot.log);
    require(cpu_init_boot() == STATUS_OK, "no memory left for the boot core's tables");

    phase("acpi");
    tables_read(boot.rsdp, &tables);
    apic_connect(&tables.madt);
    configuration_read(&boot, &configuration);
#ifdef BULKHEAD_AUDIT_WARN
    if (configuration.audit_warns)
        audit_only_warn();
#endif

    phase("pci");
    expect(find_functions(), "pci.refused", "PCI devices cannot be used");
    pci_usb_report(&boot);
    pci_wake();
    console_start_pci();
    acs_enable_all();
    pci_errors_silence();

    phase("iommu");
    enum status units =
        tables.has_dmar ? iommu_init(&tables.dmar, configuration.leave_graphics) : STATUS_NOT_FOUND;
    platform_registers_claim(&tables);
    pci_claim_registers();
    pci_usb_prepare_resets();
    iommu_regions_honour();
    pci_displays_end();
    if (units != STATUS_NOT_FOUND) /* units that are refused block all the same */
        units = iommu_translate(&tables.dmar);
    iommu_regions_resume();
    if (tables.has_dmar)
        expect(units, "iommu.refused",
               "no IOMMU unit is usable; no device can be given to a guest");

    phase("nics");
    pfs_prepare(&configuration); /* its 100 ms run beside the cores' start */

    phase("cores");
    expect(vcpu_backend_select(), "cpu.refused", "no guest can run; the prompt works");
    vcpu_selected_events = &guest_events;
    expect(cpu_start_all(&tables.madt, vcpu_start_core), "cpu.refused",
           "not all cores could be started");

    console_start_keyboard(tables.no_8042);

    phase("guests");
    nodes_init(&tables.srat, &boot);
    nodes_log();
    guests_create(&configuration, &boot); /* overwrites their memory while the VFs settle */
    pfs_verify();
    expect(acs_find_groups(), "pci.refused",
           "no memory left to note which functions belong together; `groups` does not show all");
    guests_give_functions(&configuration);
    guests_grant_console_input();
    speculation_apply(affinity_guests_share());
    report_size();
    words_of_commands();
    words_of_devices();
    words_of_units();
    timer_start(TICK_MICROSECONDS);

    phase("start");
    console_settle();
    optional_drop(boot.image_base);
    core_arrays_drop(boot.image_base);
    control_loop(boot.image_base, (boot.flags & BOOT_FLAG_BATCH) != 0, configuration.errors == 0);
}
