/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/commands.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/audit/audit.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/fault.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/power.h"
#include "hypervisor/x86/registers.h"

static void help(void)
{
    for (const struct command *command = monitor_commands; command->name != NULL; command++)
        console_printf("  %-9s %-13s %s\n", command->name, command->arguments, command->help);
}

static void list_guests(void)
{
    console_printf("%-12s %-9s %-5s %-7s %-18s %-8s %s\n", "name", "state", "cpus", "memory", "at",
                   "faults", "ended");
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        console_printf("%-12s %-9s %-5u %-7s %#-18lx %-8lu ", guest->name, command_state(guest),
                       guest->cpu_count, size_text(guest->memory_size).text,
                       guest->pieces[0].physical, guest->faults);
        if (guest->state == GUEST_STOPPED)
            console_printf("%s %lu", guest->stop_reason, guest->exit_status);
        console_printf("\n");
    }
}

static const char *owner_name(owner_t owner)
{
    const struct guest *guest = guest_of_owner(owner);
    return guest != NULL ? guest->name : owner_kind(owner);
}

static void list_devices(void)
{
    console_printf("%-13s %-10s %-7s %-5s %-7s %s\n", "rid", "id", "class", "unit", "master",
                   "owner");
    for (size_t i = 0; i < pci_function_count(); i++) {
        const struct pci_function *function = pci_function_at(i);
        bool master =
            (pci_config_read(function->rid, PCI_COMMAND, 2) & PCI_COMMAND_BUS_MASTER) != 0;
        console_printf("%-13s %04x:%04x  %06x  %-5d %-7s %s%s%s%s\n", rid_text(function->rid).text,
                       function->vendor, function->device, function->class_code,
                       iommu_unit_of(function), master ? "on" : "off", owner_name(function->owner),
                       function->is_bridge ? " (bridge)" : "", function->is_vf ? " (VF)" : "",
                       iommu_firmware_connected(function->rid) ? " (firmware's DMA)" : "");
    }
}

/* Each group once, with the member that comes first. */
static void list_groups(void)
{
    const struct pci_function *function;
    static struct acs_group group; /* too large for a stack */
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (pci_is_bridge(function))
            continue;
        acs_group(function, &group);
        bool first = true;
        for (size_t m = 1; m < group.count; m++)
            first = first && group.members[m] > i;
        if (!first)
            continue;
        console_printf("%s (%s)", rid_text(function->rid).text, owner_name(function->owner));
        for (size_t m = 1; m < group.count; m++) {
            const struct pci_function *member = pci_function_at(group.members[m]);
            console_printf(" %s (%s)", rid_text(member->rid).text, owner_name(member->owner));
        }
        if (group.culprit != NULL)
            console_printf(": no ACS at %s", rid_text(group.culprit->rid).text);
        console_printf("\n");
    }
}

static void list_units(void)
{
    struct iommu_unit_report report;
    unsigned unit = 0;
    for (; iommu_unit_report(unit, &report); unit++) {
        console_printf("unit %u at %#lx, version %u.%u%s%s\n", unit, report.base,
                       report.version >> 4 & 0xf, report.version & 0xf,
                       report.usable ? "" : ", NOT USED: ", report.usable ? "" : report.refusal);
        if (!report.usable)
            continue;
        console_printf("  CAP 0x%016lx  ECAP 0x%016lx\n", report.capability,
                       report.extended_capability);
        console_printf("  GSTS 0x%08x: translation %s, interrupt remapping %s, queue %s, "
                       "compatibility-format %s\n",
                       report.global_status, decode_on_off(report.global_status, 31),
                       decode_on_off(report.global_status, 25),
                       decode_on_off(report.global_status, 26),
                       decode_on_off(report.global_status, 23));
        console_printf("  root table %#lx, interrupt table %#lx\n", report.root_table,
                       report.interrupt_table);
    }
    if (unit == 0)
        console_printf("no IOMMU\n");
}

static void show_domain(const struct iommu_domain *domain, const char *owner, const char *mapped)
{
    console_printf("%-5u %-12s %-7u %-8s %-7s", domain->id, owner, domain->table.levels,
                   size_text(domain->table.table_pages * PAGE_SIZE).text, mapped);
}

static void list_domains(void)
{
    console_printf("%-5s %-12s %-7s %-8s %-7s %s\n", "id", "owner", "levels", "tables", "mapped",
                   "functions");
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        if (guest->domain.table.root == NULL)
            continue;
        show_domain(&guest->domain, guest->name, size_text(guest->memory_size).text);
        for (unsigned d = 0; d < guest->assignment_count; d++)
            console_printf(" %s%s", rid_text(guest->assignments[d]->function->rid).text,
                           pci_connected(guest->assignments[d]->function) ? "" : " (detached)");
        console_printf("\n");
    }
    const struct pf_dma *dma;
    for (unsigned i = 0; (dma = pf_dma_at(i)) != NULL; i++) {
        show_domain(&dma->domain, "(PF driver)", size_text(dma->pages * PAGE_SIZE).text);
        console_printf(" %s\n", rid_text(dma->function->rid).text);
    }
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        const struct iommu_domain *domain = iommu_domain_of(function->rid);
        if (domain == NULL || !iommu_firmware_connected(function->rid))
            continue;
        show_domain(domain, "(firmware)", "-");
        console_printf(" %s\n", rid_text(function->rid).text);
    }
}

static void follow(char *const words[], void (*decode)(rid_t rid, uint64_t address))
{
    rid_t rid;
    uint64_t address;
    if (!decode_rid(words[1], &rid) || !decode_number(words[2], &address))
        console_printf("%s: a requester id is bb:dd.f, an address a number (0x...)\n", words[0]);
    else
        decode(rid, address);
}

static void walk(char *const words[])
{
    follow(words, decode_walk);
}

static void why(char *const words[])
{
    follow(words, decode_why);
}

static void list_faults(void)
{
    const struct fault_record *record;
    for (unsigned i = 0; (record = fault_record(i)) != NULL; i++)
        console_printf("[%u.%06u] %s guest=%s %s address=%#lx reason %#x: %s\n",
                       (unsigned)(record->at_microseconds / 1000000),
                       (unsigned)(record->at_microseconds % 1000000),
                       rid_text(record->fault.rid).text, record->guest,
                       record->fault.interrupt ? "interrupt"
                       : record->fault.write   ? "write"
                                               : "read",
                       record->fault.address, record->fault.reason,
                       iommu_fault_reason(record->fault.reason));
    console_printf("%lu faults in all\n", fault_total());
}

static void audit(void)
{
    if (!audit_enforce())
        console_printf("the audit found violations\n");
}

static void list_exits(void)
{
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        for (unsigned v = 0; v < guest->cpu_count; v++) {
            const struct vcpu *vcpu = guest->vcpus[v];
            console_printf("%s vcpu %u:", guest->name, v);
            for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
                if (vcpu->exits[kind] != 0)
                    console_printf(" %s=%lu", exit_kind_name((enum exit_kind)kind),
                                   vcpu->exits[kind]);
            console_printf("\n");
        }
        if (guest->ports)
            console_printf("%s serial line: io=%lu\n", guest->name,
                           virtual_serial_accesses(guest->serial));
    }
}

static void list_cpus(void)
{
    static const char *const words_of_state[] = {
        [CPU_ABSENT] = "absent", [CPU_STARTING] = "starting", [CPU_IDLE] = "idle",
        [CPU_GUEST] = "guest",   [CPU_FAILED] = "failed",     [CPU_RETIRED] = "retired",
    };
    for (unsigned i = 0; i < cpu_count(); i++) {
        const struct cpu *cpu = cpu_at(i);
        const struct vcpu *vcpu = cpu->vcpu;
        console_printf("core %u: APIC id %u, %s%s%s\n", i, cpu->apic_id,
                       i == 0 ? "control core" : words_of_state[cpu->state],
                       vcpu != NULL ? " " : "", vcpu != NULL ? vcpu->guest->name : "");
    }
    static uint64_t seen;
    uint64_t now;
    if (!msr_read_safe(MSR_SMI_COUNT, &now))
        return;
    console_printf("SMIs, each of which stops all cores: %u since reset, %u since the last look\n",
                   (uint32_t)now, (uint32_t)(now - seen));
    seen = now;
}

static void list_frames(void)
{
    const struct frame_range *range;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++)
        console_printf("0x%012lx-0x%012lx %8s %s\n", range->base, (range->base + range->size - 1),
                       size_text(range->size).text, owner_name(range->owner));
    uint64_t owned = frames_ram_bytes(OWNER_HYPERVISOR);
    console_printf(
        "hypervisor: %s of RAM, of which %zu pages are handed out, and %s of registers\n",
        size_text(owned).text, pages_in_use(),
        size_text(frames_bytes(OWNER_HYPERVISOR) - owned).text);
}

/* Writes out everything that guests and cores have sent. */
static void end_all(void)
{
    guests_stop_all(guest_console_service);
    guest_console_drain();
}

static void reboot(void)
{
    log_event("monitor.reboot", "message=\"asked for at the prompt\"");
    end_all();
    machine_reboot();
}

static void poweroff(void)
{
    log_event("monitor.poweroff", "message=\"asked for at the prompt\"");
    end_all();
    machine_power_off(0);
}

const struct command monitor_commands[] = {
    {"help", "", "this list", help, NULL},
    {"guests", "", "guests and how they are", list_guests, NULL},
    {"devices", "", "PCI functions and their owners", list_devices, NULL},
    {"groups", "", "functions that can only go to a guest together", list_groups, NULL},
    {"iommu", "", "the VT-d units' registers", list_units, NULL},
    {"domains", "", "DMA domains and the functions in them", list_domains, NULL},
    {"walk", "RID ADDRESS", "follow a device's access through the live tables", NULL, walk},
    {"why", "RID ADDRESS", "the same, and what becomes of a read and a write", NULL, why},
    {"faults", "", "the latest blocked accesses", list_faults, NULL},
    {"audit", "", "prove the isolation invariants from the live tables", audit, NULL},
    {"exits", "", "VM exits by kind", list_exits, NULL},
    {"cpus", "", "cores and what they do", list_cpus, NULL},
    {"frames", "", "physical memory and its owners", list_frames, NULL},
    {"log", "[N|WORD]", "the latest N lines, or those with WORD in them", NULL, command_log},
    {"more", "[COMMAND...]", "a command's answer in pages; alone: the next page", NULL,
     command_more},
    {"start", "GUEST", "start a guest that is not running, from its image", NULL, command_start},
    {"stop", "GUEST", "stop a guest and take its devices back", NULL, command_stop},
    {"restart", "GUEST", "stop a guest if it runs, and start it", NULL, command_restart},
    {"pause", "GUEST", "hold its vCPUs; its devices go on", NULL, command_pause},
    {"resume", "GUEST", "let a paused guest run on", NULL, command_resume},
    {"move", "DEVICE FROM TO", "a function (rid or name.vfN) to another guest", NULL, command_move},
    {"console", "GUEST", "a guest's serial line; Ctrl-\\ leaves it", NULL, command_console},
    {"reboot", "", "stop all guests and reset the machine", reboot, NULL},
    {"poweroff", "", "stop all guests and switch the machine off", poweroff, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
