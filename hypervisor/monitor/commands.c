/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/commands.h"

#include "hypervisor/audit/audit.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/power.h"
#include "hypervisor/x86/registers.h"

char command_version_text[224];

extern const char help_text[]; /* help.asm: of each command "%name", and lines */

/* Where the text called `name` begins in help_text; NULL without one. */
static const char *find_text(const char *name)
{
    const size_t length = strlen(name);
    for (const char *text = help_text; *text != '\0'; text++)
        if (*text == '%' && text_begins(text + 1, name) && text[1 + length] <= ' ')
            return text + 1;
    return NULL;
}

static void list_commands(void)
{
    for (const struct command *command = monitor_commands; command->name != NULL; command++)
        console_printf("  %-9s %-13s%s %s\n", command->name, command->arguments,
                       strlen(command->arguments) > 13 ? "\n                         " : "",
                       command->help);
}

static void help(char *const words[])
{
    const char *text = words[1] != NULL ? find_text(words[1]) : NULL;
    if (words[1] == NULL)
        list_commands();
    else if (text == NULL)
        console_printf("%s: no such command; `help` lists them\n", words[1]);
    else
        (void)decode_print(text);
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

static void audit(char *const words[])
{
    const char *text = find_text(" invariant"); /* a row each, with two gaps */
    if (!audit_enforce())
        console_printf("the audit found violations\n");
    for (unsigned i = 0; words[1] != NULL && i < AUDIT_INVARIANTS; i++) {
        const struct audit_check *check = &audit_findings()->checks[i];
        text = decode_print(text);
        console_printf("%6lu", check->looked);
        text = decode_print(text);
        console_printf(check->violated == 0 ? "ok" : "VIOLATED: %lu", check->violated);
    }
    console_printf(words[1] != NULL ? "\n" : "");
}

static void version(void)
{
    console_printf("%s\n", command_version_text);
}

static void uptime(void)
{
    uint64_t now = clock_microseconds(), seconds = now / 1000000;
    console_printf("%lu days %02lu:%02lu:%02lu, [%lu.%06lu] in the log\n", seconds / 86400,
                   seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, seconds, now % 1000000);
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
    uint64_t held = 0, owned = frames_ram_bytes(OWNER_HYPERVISOR);
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++) {
        held += range->owner == OWNER_HYPERVISOR ? range->size : 0;
        console_printf("0x%012lx-0x%012lx %8s %s\n", range->base, (range->base + range->size - 1),
                       size_text(range->size).text, owner_name(range->owner));
    }
    console_printf(
        "hypervisor: %s of RAM, of which %zu pages are handed out, and %s of registers\n",
        size_text(owned).text, pages_in_use(), size_text(held - owned).text);
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
    {"help", "[COMMAND]", "this list, or what a command does, with an example", NULL, help},
    {"guests", "", "guests and how they are", list_guests, NULL},
    {"devices", "", "PCI functions and their owners", command_devices, NULL},
    {"groups", "", "functions that can only go to a guest together", command_groups, NULL},
    {"iommu", "[-v]", "the VT-d units; -v: their capabilities by name", NULL, command_iommu},
    {"domains", "", "DMA domains and the functions in them", command_domains, NULL},
    {"walk", "RID ADDRESS | cpu GUEST GPA | irq INDEX", "follow an access through the live tables",
     NULL, command_walk},
    {"why", "RID ADDRESS", "the same, and what becomes of a read and a write", NULL, command_why},
    {"faults", "", "the latest blocked accesses", command_faults, NULL},
    {"map", "", "who has and reaches what, in records for programs", command_map, NULL},
    {"audit", "[-v]", "prove the isolation; -v: an invariant a line", NULL, audit},
    {"exits", "", "VM exits by kind, and how many a second", command_exits, NULL},
    {"top", "", "guests and their exits, again each second until a key", command_top, NULL},
    {"cpus", "", "cores and what they do", list_cpus, NULL},
    {"frames", "", "physical memory and its owners", list_frames, NULL},
    {"version", "", "which Bulkhead this is", version, NULL},
    {"uptime", "", "how long it has run", uptime, NULL},
    {"log", "[N|WORD]", "the latest N lines, or those with WORD in them", NULL, command_log},
    {"more", "[COMMAND...]", "a command's answer in pages; alone: the next page", NULL,
     command_more},
    {"start", "GUEST", "start a guest that is not running, from its image", NULL, command_change},
    {"stop", "GUEST", "stop a guest and take its devices back", NULL, command_change},
    {"restart", "GUEST", "stop a guest if it runs, and start it", NULL, command_change},
    {"pause", "GUEST", "hold its vCPUs; its devices go on", NULL, command_change},
    {"resume", "GUEST", "let a paused guest run on", NULL, command_change},
    {"move", "DEVICE FROM TO", "a function (rid or name.vfN) to another guest", NULL, command_move},
    {"console", "GUEST", "a guest's serial line; Ctrl-\\ leaves it", NULL, command_console},
    {"reboot", "", "stop all guests and reset the machine", reboot, NULL},
    {"poweroff", "", "stop all guests and switch the machine off", poweroff, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
_Static_assert(ARRAY_SIZE(monitor_commands) <= COMMANDS_MAX, "command_usages");
