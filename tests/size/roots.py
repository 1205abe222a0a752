# SPDX-License-Identifier: MIT
"""Where the walks over the graph of functions begin, and where they end. Names as Graph.find() takes them; `->service` stands
for all functions that a member of this name holds.

What relocations cannot show is written down here: pointers that one function stores and another calls. A name that is gone
and a cut that cuts nothing are errors, and so is a function whose address only boot code takes and that is not listed.
"""

# What a guest's exit, interrupt command, fault or mailbox message makes run.
GUEST = (
    ("the guest's own core", (
        "guest_core",  # runs vCPUs and takes every exit
        "vmx_exit_point", "vmx_launch_kicked", "vmx_resume_kicked",  # host state and NMI windows of VMX name them
        "vmx_guarded_exit_point", "vmx_guarded_launch_kicked", "vmx_guarded_resume_kicked",
    )),
    ("the control core for it", (
        "control_calls_service",  # calls what control_call() was given: the callers refer to that
        "log_service", "guest_console_service",  # print what it said
    )),
    ("interrupts", (
        "vector_entries", "discard_entry",  # the interrupt descriptor tables
        "hypervisor/monitor/control_loop.c:wake", "vtd_fault_event",  # interrupt_register()
    )),
    ("faults", ("faults_answer",)),
    ("mailboxes", ("->service",)),
    ("its end", ("hypervisor/guest/lifecycle.c:check",)),  # the control loop sees guest_note_end()
)

# What else runs after the guests have started: prompt, audit, moves, machine checks, verdict; cores that wake up late.
CONTROL = ("control_loop", "core_gate")

# Who calls a pointer that another function stored: from, to, and what stored it.
STORED = (
    ("exception_panic", "stack_is_guard", "cpu_init_boot()"),
    ("exception_panic", "crash_report", "last_log_start()"),
    ("log_flush", "hypervisor/monitor/console.c:console_flush", "console_start()"),
)

# Tables of pointers that are copied, so that only the copy is used: `file:name` as below.
COPIED = {
    "hypervisor/setup/console.c:*": "console_register(), log_sink",
    "hypervisor/setup/console_input.c:*": "console_register()",
    "hypervisor/setup/console_late.c:*": "console_register()",
}

# From, to, and why a guest's doings do not lead on.
GUEST_CUTS = (
    ("hypervisor/guest/lifecycle.c:check", "start_again", "only the prompt asks for a restart"),
)

# Likewise, why nothing leads on after the start.
BOOT_CUTS = ()

# Functions whose address only boot code takes, and why nobody calls them later: `file:name`, `*` for all of a file.
BOOT_POINTERS = {
    "boot/multiboot2/entry.asm:*": "the way into 64-bit mode",
    "boot/multiboot2/convert.c:pool_page": "an argument of paging_init(), which does not keep it",
    "drivers/igb/setup/igb_start.c:fetch_descriptor": "an argument of pf_dma_test(), which does not keep it",
    "hypervisor/acpi/spcr.c:spcr_parse": "an argument of console.c's try_table(), which does not keep it",
    "hypervisor/acpi/dbg2.c:dbg2_parse": "likewise",
    "hypervisor/setup/console.c:identity": "an argument of acpi_find(), which does not keep it",
    "hypervisor/setup/console.c:ignore": "an argument of config_parse(), which does not keep it",
    "hypervisor/setup/actions.c:read_register": "an argument of acpi_action_run(), which does not keep it",
    "hypervisor/setup/actions.c:write_register": "likewise",
    "hypervisor/setup/configuration.c:complain": "an argument of config_parse(), which does not keep it",
    "hypervisor/setup/tables.c:map_table": "an argument of the readers of ACPI tables, which run at boot",
    "hypervisor/setup/tables.c:unmap_table": "likewise",
    "hypervisor/setup/pci_functions.c:pci_secondary_bus": "an argument of dmar_scope_rid(), which does not keep it",
    "hypervisor/setup/vcpu.c:vcpu_start_core": "an argument of cpu_start_all(): the other cores call it at boot",
    "hypervisor/setup/trampoline.asm:*": "the start of the other cores",
}
