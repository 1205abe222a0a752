"""The mutations: each takes one protection away, and something has to notice.

`old` must occur exactly once in `file`: a mutation that no longer fits the source is an error, not a pass."""

from dataclasses import dataclass
from typing import Callable

from . import scenarios


@dataclass(frozen=True)
class Edit:
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Unit:
    """A unit test that has to fail, with this (a regular expression) in its output."""

    test: str
    symptom: str

    @property
    def lane(self) -> str:
        return "unit"

    @property
    def catcher(self) -> str:
        return self.test


@dataclass(frozen=True)
class System:
    """A scenario in QEMU that has to give a symptom that matches the regular expression."""

    scenario: Callable
    symptom: str

    @property
    def lane(self) -> str:
        return "tcg"

    @property
    def catcher(self) -> str:
        return self.scenario.__name__


@dataclass(frozen=True)
class Mutation:
    name: str
    removes: str
    edits: tuple[Edit, ...]
    checks: tuple[Unit | System, ...]
    quick: bool = False  # part of the selection that `make test` runs


def failed(test: str) -> str:
    """How cmocka reports it."""
    return rf"\[  FAILED  \] {test}\b"


DEVICE = "hypervisor/guest/device.c"
RESET = "hypervisor/pci/reset.c"
GUESTS = "hypervisor/guest/guests.c"
LOAD = "hypervisor/guest/load.c"
DOMAIN = "hypervisor/iommu/vtd_domain.c"
FIRMWARE = "hypervisor/iommu/vtd_reserved.c"
NVME = "drivers/nvme/nvme.c"
AUDIT_BLIND = Edit("hypervisor/monitor/audit.c", "bool audit_run(void)\n{\n",
                   "bool audit_run(void)\n{\n    if (pci_function_count() != 0)\n        return true;\n")

EPT_ONE_MORE = Edit(GUESTS, "page_table_map(&guest->memory, 0, guest->memory_base, size,",
                    "page_table_map(&guest->memory, 0, guest->memory_base, size + PAGE_SIZE,")
MSIX_MAPPED = Edit(DEVICE, "if (!device->has_msix || device->msix.table_bar != number)\n        return;",
                   "if (!device->has_msix || device->msix.table_bar != number || PAGE_SIZE != 0)\n        return;")
MUTATIONS = (
    # --- the five that must never go unnoticed ---
    Mutation("context-entry-left", "the context entry is cleared when a guest ends",
             (Edit(DEVICE, "    enum status detach = iommu_detach(function, &device->guest->domain);",
                   "    enum status detach = STATUS_OK;"),),
             (Unit("test_device_order", failed(r"\w+")),
              System(scenarios.hello, r"audit\.violation I4 .*without an owner")), quick=True),
    Mutation("iotlb-not-flushed", "IOTLB entries of the domain are invalidated on attach and detach",
             (Edit(DOMAIN, "        {.kind = VTD_IOTLB_OF_DOMAIN, .domain = domain},\n    };",
                   "        {.kind = VTD_CONTEXT_DEVICE, .domain = domain, .source = (uint16_t)rid},\n    };"),),
             (Unit("test_vtd_domains", failed(r"\w+")),
              System(scenarios.invalidations, r"IOTLB entries are invalidated 0 times")), quick=True),
    Mutation("source-id-unchecked", "an interrupt entry verifies the requester",
             (Edit("hypervisor/iommu/vtd_interrupt.c", "return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;",
                   "return (uint16_t)rid;"),),
             (Unit("test_vtd_interrupts", failed(r"\w+")),
              System(scenarios.live_audit, r"audit\.violation I5 .*does not verify")), quick=True),
    Mutation("msix-table-mapped", "the MSI-X table's pages are left out of the guest's memory tables",
             (MSIX_MAPPED,),
             (Unit("test_device", failed(r"\w+")),
              System(scenarios.hello, r"audit\.violation I2 .*MSI-X table")), quick=True),
    Mutation("ept-one-frame-more", "a guest's memory tables end with its memory",
             (EPT_ONE_MORE,), (System(scenarios.hello, r"audit\.violation I2 .*does not own"),), quick=True),

    # --- the same without the audit: what the guest itself can then do ---
    Mutation("msix-table-mapped-unaudited", "as above, and the audit sees nothing: the guest writes the raw table, its "
             "interrupt goes wherever it says", (MSIX_MAPPED, AUDIT_BLIND),
             (System(scenarios.aim, r"was not refused"),)),
    Mutation("ept-one-frame-more-unaudited", "as above, and the audit sees nothing: the guest reads the frame",
             (EPT_ONE_MORE, AUDIT_BLIND), (System(scenarios.hole, r"run\.unexpected guest=alpha .*got=exit/9"),)),

    # --- DMA remapping ---
    Mutation("iotlb-not-flushed-on-unmap", "unmapping invalidates",
             (Edit(DOMAIN, "domain->functions == 0 ? STATUS_OK : invalidate_domain(domain, address, size);",
                   "STATUS_OK;"),),
             (Unit("test_vtd_domains", failed("unmapping_reaches_the_caches")),), quick=True),
    Mutation("context-cache-not-flushed", "context-cache entries are invalidated on attach and detach",
             (Edit(DOMAIN, "{.kind = VTD_CONTEXT_DEVICE, .domain = context_domain, .source = (uint16_t)rid},",
                   "{.kind = VTD_IOTLB_OF_DOMAIN, .domain = context_domain, .source = (uint16_t)rid},"),),
             (Unit("test_vtd_domains", failed(r"\w+")),
              System(scenarios.invalidations, r"context entry are invalidated 0 times"))),
    Mutation("queue-wait-removed", "an invalidation is over only when the unit says so",
             (Edit("hypervisor/iommu/vtd_queue.c", "        if (unit->status[0] == unit->sequence)\n            break;",
                   "        if (unit->sequence != 0)\n            break;"),),
             (Unit("test_vtd_queue", failed(r"\w+")),), quick=True),
    Mutation("dma-one-page-more", "a DMA domain ends with the guest's memory",
             (Edit(GUESTS, "iommu_domain_map(&guest->domain, 0, guest->memory_base, guest->memory_size,",
                   "iommu_domain_map(&guest->domain, 0, guest->memory_base, guest->memory_size + PAGE_SIZE,"),),
             (System(scenarios.hello, r"audit\.violation I3 .*not the guest's RAM"),)),
    Mutation("dma-one-page-more-unaudited", "as above, and the audit sees nothing: the device reaches the page",
             (Edit(GUESTS, "iommu_domain_map(&guest->domain, 0, guest->memory_base, guest->memory_size,",
                   "iommu_domain_map(&guest->domain, 0, guest->memory_base, guest->memory_size + PAGE_SIZE,"),
              AUDIT_BLIND),
             (System(scenarios.overreach, r"run\.unexpected guest=rogue .*faults=0"),)),
    Mutation("pass-through-context", "requests of an attached function are translated",
             (Edit(DOMAIN, "entry->low = physical_address(domain->table.root) | VTD_CONTEXT_P;",
                   "entry->low = physical_address(domain->table.root) | BIT(3) | VTD_CONTEXT_P;"),),
             (Unit("test_vtd_domains", failed(r"\w+")),)),
    Mutation("interrupt-range-mapped", "0xFEExxxxx is never part of a domain",
             (Edit(DOMAIN, "return base < VTD_INTERRUPT_RANGE_END && base + size > VTD_INTERRUPT_RANGE_BASE;",
                   "return base < base + size && base + size > VTD_INTERRUPT_RANGE_END && base == 0;"),),
             (Unit("test_vtd_domains", failed("the_interrupt_range_is_never_mapped")),)),
    Mutation("firmware-regions-ignored", "a function that firmware uses through an RMRR is given away by name only",
             (Edit(DEVICE, "        status = check_reserved(guest, function);",
                   "        status = guest == NULL ? check_reserved(guest, function) : STATUS_OK;"),),
             (Unit("test_device", failed("test_firmwares_functions")),)),
    Mutation("firmware-regions-free", "memory that firmware keeps for a device is never a guest's",
             (Edit(FIRMWARE, "frames_take(region->base, region->size, BIT(OWNER_NOBODY), OWNER_FIRMWARE)",
                   "frames_take(region->base, region->size, BIT(OWNER_NONE), OWNER_FIRMWARE)"),),
             (Unit("test_vtd_reserved", failed("usable_memory_is_withheld")),
              System(scenarios.reserved, r"audit\.violation I1 .*free or a guest's"))),
    Mutation("firmware-regions-of-others", "a reserved region is mapped only where all of it is firmware's",
             (Edit(FIRMWARE, "            !frames_owned_by(region->base, region->size, OWNER_FIRMWARE))",
                   "            region->size == 0)"),),
             (Unit("test_vtd_reserved", failed("others_keep_what_they_have")),)),
    Mutation("firmware-reaches-more", "the host's function reaches its reserved regions and nothing else",
             (Edit(FIRMWARE, "iommu_domain_map(domain, start, start, end - start, PAGE_READ | PAGE_WRITE);",
                   "iommu_domain_map(domain, start, start, end - start + PAGE_SIZE, PAGE_READ | PAGE_WRITE);"),),
             (Unit("test_vtd_reserved", failed("the_hosts_functions_reach_their_memory")),
              Unit("test_audit", failed("a_sound_system_passes")))),
    Mutation("firmware-not-let-go", "firmware's mapping ends when a function is given away",
             (Edit(DEVICE, "        status = iommu_firmware_detach(function);", "        status = STATUS_OK;"),),
             (Unit("test_device", failed("test_firmwares_functions")),)),
    Mutation("firmware-neighbour-ignored", "who reaches a function that firmware uses is not given away",
             (Edit(DEVICE, "other->owner == OWNER_HYPERVISOR ||\n"
                   "                                                          iommu_firmware_attached(other->rid);",
                   "other->owner == OWNER_HYPERVISOR;"),),
             (Unit("test_device", failed("test_neighbours_without_acs")),)),
    Mutation("audit-trusts-firmware", "the audit walks the tables of the host's functions too",
             (Edit("hypervisor/monitor/audit_iommu.c",
                   "    if (!find_table(audit, audit_function(function->rid), root, levels, &live))",
                   "    if (!find_table(audit, audit_function(function->rid), root, levels, &live) || live.levels != 0)"),),
             (Unit("test_audit", failed("each_falsified_entry_is_named")),)),
    Mutation("shared-requester-ids-accepted", "a function without a requester id of its own is refused",
             (Edit(DOMAIN, "    if (!has_own_requester_id(function))\n",
                   "    if (!has_own_requester_id(function) && function == NULL)\n"),),
             (Unit("test_vtd_domains", failed(r"\w+")),)),
    Mutation("bus-master-sweep-removed", "firmware's devices lose bus mastering before anything else",
             (Edit("hypervisor/pci/enumerate.c", "pci_update16(rid, PCI_COMMAND, PCI_COMMAND_BUS_MASTER, 0);",
                   "pci_update16(rid, PCI_COMMAND, 0, 0);"),
              Edit("hypervisor/pci/silence.c", "port_write16(data, (uint16_t)(command & ~PCI_COMMAND_BUS_MASTER));",
                   "port_write16(data, command);")),
             (Unit("test_pci", failed(r"\w+")),
              System(scenarios.firmware_masters, r"audit\.violation I6 .*masters the bus"))),
    Mutation("function-not-reset", "a function is reset before it changes hands",
             (Edit(DEVICE, "    enum status status = pci_reset_start(device->function, &device->reset);\n",
                   "    enum status status = STATUS_OK;\n"),
              Edit(DEVICE, "        device->reset_status = pci_reset_poll(device->function, &device->reset);",
                   "        device->reset_status = STATUS_OK;")),
             (Unit("test_device_order", failed(r"\w+")),)),
    Mutation("failed-reset-forgotten", "a function whose reset failed is nobody's until a reboot",
             (Edit(DEVICE, "    if (reset != STATUS_OK)\n        keep_back(", "    if (reset == STATUS_FULL)\n        keep_back("),
              Edit(DEVICE, "    if (reset != STATUS_OK || detach != STATUS_OK)\n", "    if (detach != STATUS_OK)\n")),
             (Unit("test_life", failed("a_failed_reset_sticks_after_an_end")),
              Unit("test_life", failed("a_failed_reset_sticks_after_a_move"))), quick=True),
    Mutation("unusable-assigned", "an unusable function is not assigned",
             (Edit(DEVICE, "    if (pci_unusable(function))\n", "    if (function == NULL)\n"),
              Edit(DEVICE, "    if (function->owner != OWNER_NOBODY)\n", "    if (function->owner == OWNER_LOADER)\n")),
             (Unit("test_life", failed("a_failed_reset_sticks_after_an_end")),)),
    Mutation("unusable-moved", "an unusable function is not moved",
             (Edit("hypervisor/guest/move.c", "    if (pci_unusable(device->function)) {", "    if (device == NULL) {"),),
             (Unit("test_life", failed("a_failed_reset_sticks_after_an_end")),)),
    Mutation("unclean-attached", "a context entry is written for a clean function only",
             (Edit(DEVICE, "    if (pci_unusable(function) || function->life != PCI_CLEAN ||\n", "    if ("),),
             (Unit("test_device_order", failed("test_only_what_is_clean_is_attached")),)),
    Mutation("vfs-not-reset-on-assignment", "a VF that is not known to be clean is reset before a guest gets it",
             (Edit(DEVICE, "    if (status == STATUS_OK && function->life != PCI_CLEAN)",
                   "    if (status == STATUS_OK && !function->is_vf && function->life != PCI_CLEAN)"),),
             (Unit("test_device", failed("test_a_vf_is_reset_unless_it_is_clean")),)),
    Mutation("start-during-a-move", "a guest does not start while one of its functions is being moved",
             (Edit("hypervisor/guest/lifecycle.c", "guest->holds != 0 ||\n        guest_moving(guest))", "guest->holds != 0)"),),
             (Unit("test_life", failed("a_start_during_a_move")),), quick=True),
    Mutation("reset-waits", "the control loop goes on while a device's requests drain",
             (Edit(RESET, "        if (!all(function, reset, quiet)) {\n            if (!over)\n                return STATUS_BUSY;\n",
                   "        if (!WAIT_UNTIL(all(function, reset, quiet), PENDING_TIME)) {\n            over = true;\n"),),
             (Unit("test_life", failed("slow_devices_hold_nobody_up")),), quick=True),
    Mutation("bus-reset-reaches-others", "a bus reset is for a function that is alone with its owner below the bridge",
             (Edit(RESET, "function->bridge->secondary_bus != 0 && bystander(function) == NULL;",
                   "function->bridge->secondary_bus != 0;"),),
             (Unit("test_reset_methods", failed("a_bus_reset_reaches_nobody_else")),)),
    Mutation("reset-not-verified", "a reset that left the registers as they were is none",
             (Edit(RESET, "(pci_read16(function->rid, PCI_COMMAND) & function->saved.witness) != 0;", "false;"),),
             (Unit("test_reset_methods", failed("a_reset_that_was_none_is_noticed")),)),
    Mutation("soft-reset-believed", "D3hot and back counts only where it resets",
             (Edit(RESET, "& PM_CONTROL_NO_SOFT_RESET) == 0;", "& PM_CONTROL_NO_SOFT_RESET) < 9;"),),
             (Unit("test_reset_methods", failed("the_gentlest_comes_first")),)),

    # --- interrupts ---
    Mutation("compatibility-format-on", "interrupts in compatibility format are blocked",
             (Edit("hypervisor/iommu/vtd_interrupt.c", "if (vtd_switch(unit, VTD_GLOBAL_CFI, false) != STATUS_OK) {",
                   "if (vtd_switch(unit, VTD_GLOBAL_CFI, (vtd_read32(unit, VTD_GSTS) & VTD_GLOBAL_CFI) != 0) != STATUS_OK) {"),),
             (Unit("test_vtd_interrupts", failed("compatibility_format_is_turned_off")),)),
    Mutation("interrupt-cache-not-flushed", "a changed interrupt entry is invalidated",
             (Edit("hypervisor/iommu/vtd_interrupt.c",
                   "    return vtd_invalidate(unit, &request, 1);\n}\n\nstatic bool entry_is_of(",
                   "    return request.index == index ? STATUS_OK : vtd_invalidate(unit, &request, 1);\n}\n\n"
                   "static bool entry_is_of("),),
             (Unit("test_vtd_interrupts", failed(r"\w+")),)),
    Mutation("anybodys-entry-changed", "an interrupt entry is changed only for the function it names",
             (Edit("hypervisor/iommu/vtd_interrupt.c",
                   "           VTD_IRTE_SID(unit->interrupts[index].high) == (uint16_t)rid;",
                   "           rid <= UINT32_MAX;"),),
             (Unit("test_vtd_interrupts", failed("only_the_owner_changes_an_entry")),)),
    Mutation("foreign-core-accepted", "a guest's interrupts go to its own cores only",
             (Edit("hypervisor/guest/virtual_msix.c",
                   "        if (guest->vcpus[cpu] != NULL && guest->vcpus[cpu]->apic_id == apic_id)",
                   "        if (guest->vcpus[cpu] != NULL && apic_id < 64)"),),
             (System(scenarios.aim, r"was not refused|audit\.violation I5"),)),

    # --- CPUs ---
    Mutation("icr-written-directly", "interrupt commands are filtered",
             (Edit("hypervisor/vcpu/msr_policy.c",
                   "{MSR_X2APIC_ICR, MSR_X2APIC_ICR, .read = DIRECT, .write = EMULATE, .on_write = write_icr},",
                   "{MSR_X2APIC_ICR, MSR_X2APIC_ICR, .read = DIRECT, .write = DIRECT, .on_write = write_icr},"),),
             (Unit("test_msr_policy", failed(r"\w+")),), quick=True),
    Mutation("every-start-logged", "a storm of INIT and start-up IPIs writes few lines",
             (Edit("hypervisor/vcpu/exits.c", "    if ((starts & (starts - 1)) == 0)\n", "    if (starts != 0)\n"),),
             (Unit("test_vcpu_run", failed("test_a_storm_of_starts_is_logged_by_powers_of_two")),), quick=True),
    Mutation("nmi-not-intercepted", "an NMI makes a guest's core leave guest mode (SVM)",
             (Edit("hypervisor/vcpu/svm/state.c", "vmcb->intercept_1 = INTERCEPT_NMI | INTERCEPT_INIT",
                   "vmcb->intercept_1 = INTERCEPT_INIT"),),
             (Unit("test_svm", failed(r"\w+")), System(scenarios.loop, r"guest\.lost"))),
    Mutation("cr4-not-intercepted", "a guest sets only those bits of CR4 that its CPUID names (SVM)",
             (Edit("hypervisor/vcpu/svm/state.c", "vmcb->intercept_cr = INTERCEPT_CR_READ(4) | INTERCEPT_CR_WRITE(4);",
                   "vmcb->intercept_cr = INTERCEPT_CR_READ(4);"),),
             (Unit("test_svm", failed("test_machine_checks_stay_on")),), quick=True),
    Mutation("machine-checks-off-in-guests", "the CPU runs a guest with machine checks on (SVM)",
             (Edit("hypervisor/vcpu/svm/state.c", "(state->cr4 & ~CR4_MCE) | vcpu->backend_state[SVM_SLOT_HOST_MCE];",
                   "state->cr4;"),),
             (Unit("test_svm", failed("test_machine_checks_stay_on")),
              System(scenarios.two_machine_checks, "the machine is gone")), quick=True),
    Mutation("machine-check-left-pending", "the next machine check finds room",
             (Edit("hypervisor/x86/machine_check.c", "(void)!msr_write_safe(MSR_MCG_STATUS, 0); /* last",
                   "(void)0; /* last"),),
             (Unit("test_machine_check", failed("verdicts")),
              System(scenarios.two_machine_checks, "the machine is gone"))),
    Mutation("machine-check-bystanders-end", "a machine check of another core ends nobody",
             (Edit("hypervisor/x86/machine_check.c", "if ((status & signalled) != signalled)", "if ((status & signalled) == 0)"),),
             (Unit("test_machine_check", failed("verdicts")),), quick=True),
    Mutation("corrupt-core-used-again", "a core whose state is corrupt runs no guest any more",
             (Edit("hypervisor/guest/lifecycle.c", "if (cpu->state != CPU_FAILED && cpu->state != CPU_RETIRED)",
                   "if (cpu->state != CPU_FAILED)"),),
             (Unit("test_lifecycle", failed("test_a_core_that_is_retired")),), quick=True),
    Mutation("no-look-before-entry", "a request that comes while a vCPU is loaded is not lost",
             (Edit("hypervisor/vcpu/exits.c", "enum outcome outcome = on_nmi(vcpu);",
                   "enum outcome outcome = OUTCOME_RESUME;"),),
             (Unit("test_vcpu_run", failed(r"\w+")),), quick=True),
    Mutation("nmi-exiting-off", "an NMI makes a guest's core leave guest mode (VMX)",
             (Edit("hypervisor/vcpu/vmx/controls.c", "{VMX_PIN, REQUIRED, PIN_NMI_EXIT,",
                   "{VMX_PIN, OFF, PIN_NMI_EXIT,"),),
             (Unit("test_vmx_controls", failed(r"\w+")),), quick=True),
    Mutation("stale-registers", "a handler sees the registers that the guest had at this exit, not at an earlier one (VMX)",
             (Edit("hypervisor/vcpu/vmx/exit.c", "    if (rule->all)\n", "    if (false)\n"),),
             (Unit("test_vmx_exit", failed(r"other_exits_ask_for_all_registers")),), quick=True),
    Mutation("hypercall-pointer-unchecked", "a guest call's buffer lies in the guest's memory",
             (Edit("hypervisor/guest/events.c",
                   "if (address > memory_size || size > memory_size - address)\n        return ABI_BAD_ADDRESS;",
                   "if (address > memory_size && size > UINT64_MAX - address)\n        return ABI_BAD_ADDRESS;"),),
             (System(scenarios.call, r"cpu\.exception .*vector=14"),)),

    Mutation("ports-open", "every port access of a guest exits",
             (Edit("hypervisor/vcpu/svm/bitmaps.c", "memset(iopm, 0xff, SVM_IOPM_PAGES * PAGE_SIZE);",
                   "memset(iopm, 0x00, SVM_IOPM_PAGES * PAGE_SIZE);"),),
             (Unit("test_msr_policy", failed(r"\w+")),)),
    Mutation("registers-cached", "device registers are mapped uncached",
             (Edit(DEVICE, "const unsigned rights = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;",
                   "const unsigned rights = PAGE_READ | PAGE_WRITE;"),),
             (System(scenarios.hello, r"audit\.violation I2 .*cached or executable"),)),

    # --- life cycle and policy ---
    Mutation("no-scrub-at-stop", "the memory of a guest that ended is overwritten at once",
             (Edit("hypervisor/guest/lifecycle.c", "} else if (load_scrub(guest) != STATUS_OK) {",
                   "} else if (guest->memory_size == 0) {"),),
             (System(scenarios.remains, r"still holds"),)),
    Mutation("no-scrub-at-all", "a guest starts with memory that holds nothing",
             (Edit(LOAD, "    memset(memory, 0, guest->memory_size);\n", ""),),
             (System(scenarios.remains, r"still holds"),
              System(scenarios.restart, r"found the first one's memory"))),
    Mutation("queues-left-to-the-next", "a VF's queue registers hold nothing of its last owner",
             (Edit("drivers/igb/igb.c", "for (unsigned queue = vf; queue < IGB_QUEUES; queue += IGB_POOLS) {",
                   "for (unsigned queue = vf; queue < vf; queue += IGB_POOLS) {"),),
             (Unit("test_igb", failed("nothing_is_left_for_the_next_owner")),
              System(scenarios.residue, r"the last owner's: .*BAR 0 0x280c"))),
    Mutation("vectors-left-to-the-next", "a VF's interrupt registers hold nothing of its last owner",
             (Edit("drivers/igb/igb.c", "    clear_interrupts(device, vf);\n", "    if (vf == IGB_POOLS)\n        clear_interrupts(device, vf);\n"),),
             (Unit("test_igb", failed("nothing_is_left_for_the_next_owner")),
              System(scenarios.residue, r"the last owner's: .*BAR 0 0x1700"))),
    Mutation("pause-obeyed", "pause frames stop nobody",
             (Edit("drivers/igb/igb.c", "IGB_CTRL_FORCE_SPEED | IGB_CTRL_FORCE_DUPLEX | IGB_CTRL_OBEY_PAUSE |",
                   "IGB_CTRL_FORCE_SPEED | IGB_CTRL_FORCE_DUPLEX |"),),
             (Unit("test_igb", failed("no_flow_control_is_offered_or_obeyed")),)),
    Mutation("pause-offered", "a link partner is not told that pause frames may come",
             (Edit("drivers/igb/igb.c", "write_phy(device, PHY_ADVERTISE, PHY_ADVERTISE_10_100)",
                   "write_phy(device, PHY_ADVERTISE, PHY_ADVERTISE_10_100 | 0x0c00)"),),
             (Unit("test_igb", failed("no_flow_control_is_offered_or_obeyed")),)),
    Mutation("forged-addresses-sent", "a VF cannot send with another's address",
             (Edit("drivers/igb/igb.c", "control |= IGB_DTXSWC_MAC_SPOOF(vf) | IGB_DTXSWC_VLAN_SPOOF(vf);",
                   "control |= IGB_DTXSWC_VLAN_SPOOF(vf);"),),
             (Unit("test_igb", failed("the_switch_is_set_up_for_isolation")),)),
    Mutation("messages-without-limit", "a flood of messages is held to a rate",
             (Edit("drivers/igb/igb_mailbox.c", "    state->credit--;\n", ""),),
             (Unit("test_igb", failed("a_flood_is_held_to_a_rate")),)),
    Mutation("ats-left-on", "a device does not translate addresses by itself, whatever firmware told it",
             (Edit("hypervisor/pci/enumerate.c", "if (function->cap_ats != 0)\n", "if (function->cap_ats == 0)\n"),),
             (Unit("test_pci", failed("capability_lists")),)),
    Mutation("fault-threshold-ignored", "a device that goes on faulting is taken off the bus",
             (Edit("hypervisor/guest/faults.c", "if (count >= guest->config->fault_threshold && device != NULL",
                   "if (count > UINT32_MAX && device != NULL"),),
             (System(scenarios.sriov, r"never taken off the bus|run\.unexpected guest=rogue"),)),
    Mutation("flood-logged-in-full", "a flood of faults does not become a flood of lines",
             (Edit("hypervisor/guest/faults.c", "if (acted || count <= LOGGED_ALONE || (count & (count - 1)) == 0)",
                   "if (acted || count <= 2 * LOGGED_ALONE || (count & (count - 1)) == 0)"),),
             (Unit("test_faults", failed("test_a_flood_is_logged_by_powers_of_two")),)),
    Mutation("overflow-not-cleared", "faults are recorded again after the records overflowed",
             (Edit("hypervisor/iommu/vtd_fault.c", "    if (status & VTD_FSTS_PFO)\n        vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);",
                   "    if (status & VTD_FSTS_PFO & VTD_FSTS_PPF)\n        vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);"),),
             (Unit("test_vtd_faults", failed("overflow_is_told_and_cleared")),)),
    Mutation("one-function-two-guests", "a function belongs to one guest",
             (Edit(DEVICE, "    if (OWNER_IS_GUEST(function->owner)) {", "    if (function->owner == OWNER_NONE) {"),
              Edit(DEVICE, "    if (function->owner != OWNER_NOBODY)\n", "    if (function->owner == OWNER_LOADER)\n")),
             (Unit("test_device", failed(r"\w+")),
              System(scenarios.contended, r"not refused by name|audit\.violation|run\.unexpected guest=beta"))),
    Mutation("window-left-open", "no guest's memory stays mapped on the control core",
             (Edit(LOAD, "    enum status status = fill(guest, memory, start);\n    window_close();",
                   "    enum status status = fill(guest, memory, start);"),),
             (System(scenarios.hello, r"audit\.violation I2 host: .*control core"),)),
    Mutation("text-writable", "nothing writable is executable",
             (Edit("hypervisor/memory/address_space.c", "{image_text_start, image_text_end, PAGE_READ | PAGE_EXECUTE},",
                   "{image_text_start, image_text_end, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE},"),),
             (System(scenarios.hello, r"audit\.violation W\^X host: writable and executable"),)),
    Mutation("groups-not-closed", "a group holds whatever its members reach",
             (Edit("hypervisor/pci/acs.c", "for (size_t done = 0; done < group->count; done++) {",
                   "for (size_t done = 0; done < 1; done++) {"),),
             (Unit("test_acs", failed("groups_are_closed")),)),
    Mutation("stale-mappings-after-hold", "a held core forgets what it cached of tables that changed meanwhile",
             (Edit("hypervisor/vcpu/exits.c", "        vcpu_backend()->flush_memory(vcpu);\n    }\n}", "    }\n}"),),
             (Unit("test_vcpu_run", failed("test_held")),)),
    Mutation("moved-registers-left-mapped", "the former owner of a moved function loses its registers",
             (Edit("hypervisor/guest/move.c", "enum status status = device_unmap(device);", "enum status status = STATUS_OK;"),),
             (Unit("test_move", failed("test_between_running_guests")),)),
    Mutation("moved-before-reset", "a function changes hands only after its reset",
             (Edit("hypervisor/guest/move.c", "device == NULL || !device_detach_ready(device) ||", "device == NULL ||"),),
             (Unit("test_move", failed("test_between_running_guests")),)),
    Mutation("initrd-over-kernel", "an initial RAM disk lies behind the kernel, inside the guest's memory",
             (Edit(LOAD, "payload->size > end || ALIGN_DOWN(end - payload->size, PAGE_SIZE) < kernel_end",
                   "payload->size > end || ALIGN_DOWN(end - payload->size, PAGE_SIZE) < kernel_end - kernel_end"),),
             (Unit("test_load", failed("test_initrd_refusals")),)),
    Mutation("config-ports-reach-every-bus", "the configuration ports end at the guest's own bus",
             (Edit("hypervisor/guest/ports.c", " && FIELD(address, 23, 16) == 0", ""),),
             (Unit("test_ports", failed("config_ports_reach_nothing_else")),)),

    # --- NVMe ---
    Mutation("namespaces-left-attached", "a namespace is taken from every controller before it is given to one",
             (Edit("drivers/nvme/nvme_secondary.c", "        status = nvme_detach_all(controller, namespace);\n        if (status != STATUS_OK)\n"
                   "            return status;\n        if (taken", "        if (taken"),),
             (Unit("test_nvme", failed("each_vf_gets_its_share_and_one_namespace")),), quick=True),
    Mutation("namespaces-unwatched", "a controller that attaches itself to another's namespace goes offline",
             (Edit(NVME, "    if (count == wanted && (count == 0", "    if (count <= wanted || (count != 0"),),
             (Unit("test_nvme", failed("who_takes_anothers_namespace_loses_its_own")),), quick=True),
    Mutation("secondary-controllers-unasked", "a device is refused whose VFs may manage each other's namespaces",
             (Edit("drivers/nvme/nvme_secondary.c", "        !device->unsafe_controllers)", "        device->vfs == 0)"),),
             (Unit("test_nvme_hostile", failed("secondary_controllers_that_may_too_much")),), quick=True),
    Mutation("controller-left-online", "a VF without an owner is offline and has no namespace",
             (Edit(DEVICE, "driver->vf_release != NULL ? driver->vf_release :", "driver->vf_reset != NULL ? driver->vf_reset :"),),
             (Unit("test_device_release", failed(r"\w+")),), quick=True),
    Mutation("pf-dma-one-page-more", "a PF's domain maps what its driver shares with it",
             (Edit("hypervisor/iommu/pf_dma.c", "pages * PAGE_SIZE, PAGE_READ | PAGE_WRITE);",
                   "(pages + 1) * PAGE_SIZE, PAGE_READ | PAGE_WRITE);"),),
             (Unit("test_nvme", failed("the_pf_reaches_its_queues_only")), Unit("test_audit_pf", failed(r"\w+")))),
    Mutation("silent-controller-asked-again", "a controller that did not answer is not asked again",
             (Edit("drivers/nvme/nvme_admin.c", "    controller->dead = true;\n", ""),),
             (Unit("test_nvme_hostile", failed("a_controller_that_falls_silent_costs_one_wait")),)),

    # --- what is said ---
    Mutation("guest-lines-unmarked", "the lines of a guest in front are told from the log's",
             (Edit("hypervisor/monitor/guest_console.c", '"%s%s| ", how, guest->name)', '"%s", guest->index > 99 ? guest->name : how)'),),
             (Unit("test_guest_console", failed("test_text_is_marked")),), quick=True),
    Mutation("returns-unmarked", "a carriage return does not lead before the mark",
             (Edit("hypervisor/monitor/guest_console.c", '        begin_line(guest, "\\r");\n', '        put("\\r", 1);\n'),),
             (Unit("test_guest_console", failed("test_text_is_marked")),)),
    Mutation("long-lines-unmarked", "a guest's line is no wider than the terminal",
             (Edit("hypervisor/monitor/guest_console.c", "#define SCREEN_COLUMNS 79", "#define SCREEN_COLUMNS 200"),),
             (Unit("test_guest_console", failed("test_the_narrowest_terminal_wraps_nothing")),)),
    Mutation("log-lines-behind-guests", "a line of the log begins a row, whatever a guest in front left there",
             (Edit("hypervisor/monitor/console.c", "    if (guest_line)\n", "    if (false)\n"),),
             (Unit("test_guest_console", failed("test_a_line_of_the_log_begins_a_row")),)),
    Mutation("escapes-let-through", "no control byte of a guest in front reaches the terminal",
             (Edit("hypervisor/monitor/guest_console.c", "    if (in_sequence(byte))\n        return;\n",
                   "    if (in_sequence(byte))\n        put(&byte, 1);\n"),),
             (Unit("test_guest_console", failed("test_any_bytes")),)),
    Mutation("end-before-the-output", "a guest's end waits for what it and its cores have said",
             (Edit("hypervisor/guest/lifecycle.c", "    return !left || deadline_passed(guest->output_until);\n",
                   "    return !left || !deadline_passed(guest->output_until);\n"),),
             (Unit("test_lifecycle_hold", failed("test_an_end_waits_for_the_output")),)),
    Mutation("one-guest-fills-the-turn", "a guest's output holds the control core for a slice only",
             (Edit("hypervisor/monitor/guest_console.c", "#define TURN_LIMIT MILLISECONDS(10)", "#define TURN_LIMIT MILLISECONDS(1000)"),),
             (Unit("test_guest_console", failed("test_a_turn_is_short")),)),
    Mutation("registers-counted-as-memory", "configuration space does not count as the hypervisor's memory",
             (Edit("hypervisor/memory/frames.c", "            bytes += end > base ? end - base : 0;\n",
                   "            bytes += end != base ? ranges[i].size : 0;\n"),),
             (Unit("test_frames_take", failed("test_taking_leaves_others_alone")),)),

    # --- memory types and snooping ---
    Mutation("memory-type-half-read", "the audit tells a memory type from all bits that the CPU reads",
             (Edit("hypervisor/memory/formats.c", "return type == CPU_UNCACHED ? PAGE_DEVICE : type == 0 ? 0 : PAGE_OTHER_TYPE;",
                   "return type != 0 ? PAGE_DEVICE : 0;"),),
             (Unit("test_audit", failed("each_falsified_entry_is_named")), Unit("test_page_formats", failed("test_memory_types")))),
    Mutation("ram-uncached-unnoticed", "the audit looks at the memory type of RAM",
             (Edit("hypervisor/monitor/audit.c", "else if ((walk.rights & (PAGE_DEVICE | PAGE_OTHER_TYPE)) != 0)",
                   "else if ((walk.rights & PAGE_OTHER_TYPE) != 0 && walk.page_size == 0)"),),
             (Unit("test_audit", failed("each_falsified_entry_is_named")),)),
    Mutation("requests-not-snooped", "domains make every request snoop where the units can",
             (Edit(DOMAIN, "rights | (vtd.snoop ? PAGE_SNOOPED : 0)", "rights"),),
             (Unit("test_vtd_domains", failed("requests_snoop_where_every_unit_can_make_them")),
              System(scenarios.hello, r"audit\.violation I3 .*snoop control"))),
    Mutation("scrubbing-stays-in-caches", "memory that was overwritten is flushed where requests need not snoop",
             (Edit(LOAD, "if (iommu_enabled() && !iommu_snoops())", "if (iommu_enabled() && !iommu_enabled())"),),
             (Unit("test_load", failed("overwriting_reaches_memory")),)),
    Mutation("no-snoop-left-on", "Enable No Snoop is off in every function",
             (Edit("hypervisor/pci/enumerate.c", "PCIE_DEVICE_CONTROL_PHANTOM | PCIE_DEVICE_CONTROL_NO_SNOOP, 0);",
                   "PCIE_DEVICE_CONTROL_PHANTOM, 0);"),),
             (Unit("test_pci", failed("phantom_functions_are_switched_off")),)),
    # --- what outlives a guest in a whole function ---
    Mutation("flash-given-silently", "a whole function needs a word for its flash",
             (Edit("hypervisor/guest/device_check.c", "    if (function->is_vf || accepts_flash(guest, function))",
                   "    if (function->is_vf || accepts_flash(guest, function) || guest->config != NULL)"),),
             (Unit("test_device", failed("test_flash_must_be_accepted")),)),
    Mutation("flash-bar-mapped", "the BAR of a known flash is left out",
             (Edit("hypervisor/guest/device_check.c", "            number == flash_bars[i].bar)",
                   "            number == flash_bars[i].bar + 6u)"),),
             (Unit("test_device", failed("test_known_flash_stays_hidden")),)),

    # --- errors of the whole machine ---
    Mutation("errors-reported", "no function reports errors",
             (Edit("hypervisor/pci/errors.c", "PCIE_DEVICE_CONTROL_ERRORS, 0);", "0, 0);"),),
             (Unit("test_errors", failed("a_function_reports_nothing")),)),
    Mutation("system-errors-on", "a root port makes no system error of what comes from below",
             (Edit("hypervisor/pci/errors.c", "PCIE_ROOT_CONTROL_SYSTEM_ERRORS, 0);", "0, 0);"),),
             (Unit("test_errors", failed("its_ports_make_no_system_errors")),)),
    Mutation("chipset-errors-unmasked", "chipsets of XSA-59 make no system error of guests' requests",
             (Edit("hypervisor/pci/errors.c", "        pci_errors_chipset(function);\n", ""),),
             (Unit("test_errors", failed("chipsets_of_xsa_59")),)),

    # --- where registers lie ---
    Mutation("overlaps-believed", "two functions at one address are given to nobody",
             (Edit("hypervisor/pci/claims.c", "    check_overlaps();\n", "    if (pci_function_at(0) == NULL)\n        check_overlaps();\n"),),
             (Unit("test_claims", failed("two_at_one_address_are_refused_by_name")),)),
    Mutation("windows-unchecked", "a BAR that the bridges above do not forward is given to nobody",
             (Edit("hypervisor/pci/claims.c", "    check_windows();\n", "    if (pci_function_at(0) == NULL)\n        check_windows();\n"),),
             (Unit("test_claims", failed("each_bridge_above_must_forward")),)),
    Mutation("moved-bar-given", "a function whose BAR moved is not given away",
             (Edit("hypervisor/guest/device_check.c", "    if (pci_bars_hold(function))", "    if (function->rid != 0)"),),
             (Unit("test_device", failed("test_registers_in_the_wrong_place")),)),

    # --- the audit itself ---
    Mutation("quarantine-off", "what the audit finds is taken out of service",
             (Edit("hypervisor/monitor/quarantine.c", "    if (clean)\n        return true;", "    if (clean || found != NULL)\n        return clean;"),),
             (Unit("test_quarantine", failed("the_guest_whose_tables_are_wrong")),)),
    Mutation("acs-not-looked-at-again", "the audit reads the ports' ACS again",
             (Edit("hypervisor/monitor/audit_functions.c", "if (!acs_is_on(at))", "if (!acs_is_on(at) && at->rid == 0)"),),
             (Unit("test_audit", failed("each_falsified_entry_is_named")),)),
    Mutation("audit-skips-bars", "the audit reads BARs again",
             (Edit("hypervisor/monitor/audit.c", "    audit_bars(&audit);\n", ""),),
             (Unit("test_audit", failed("each_falsified_entry_is_named")),)),
    Mutation("audit-skips-pf-domains", "the audit looks at what a PF's domain maps",
             (Edit("hypervisor/monitor/audit_iommu.c", "address - PF_DMA_BASE >= dma->pages * PAGE_SIZE ||",
                   "address - PF_DMA_BASE >= GIB(512) ||"),),
             (Unit("test_audit_pf", failed("each_falsified_entry_is_named")),)),
    Mutation("audit-skips-contexts", "the audit looks at every requester id",
             (Edit("hypervisor/monitor/audit_iommu.c", "for (unsigned low = 0; low < 256; low++) {",
                   "for (unsigned low = 0; low < 128; low++) {"),),
             (Unit("test_audit", failed(r"\w+")),)),
    Mutation("audit-believes-the-books", "the audit takes MSI-X tables from the device, not from who owns the frame",
             (Edit("hypervisor/monitor/audit.c", "if (physical < tables[i].end && physical + size > tables[i].start)",
                   "if (physical < tables[i].start && physical + size > tables[i].end)"),),
             (Unit("test_audit", failed(r"\w+")),)),
)
