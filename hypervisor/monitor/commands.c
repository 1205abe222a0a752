/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/commands.h"

#include "hypervisor/audit/audit.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/vdev/virtual_serial.h"
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
    {"devices", "", "PCI functions and their owners", command_devices, NULL},
    {"groups", "", "functions that can only go to a guest together", command_groups, NULL},
    {"iommu", "", "the VT-d units' registers", command_iommu, NULL},
    {"domains", "", "DMA domains and the functions in them", command_domains, NULL},
    {"walk", "RID ADDRESS", "follow a device's access through the live tables", NULL, command_walk},
    {"why", "RID ADDRESS", "the same, and what becomes of a read and a write", NULL, command_why},
    {"faults", "", "the latest blocked accesses", command_faults, NULL},
    {"map", "", "who has and reaches what, in records for programs", command_map, NULL},
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
