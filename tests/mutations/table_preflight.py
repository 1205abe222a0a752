# SPDX-License-Identifier: MIT
"""Mutations of the preflight report: what keeps it from faulting, from changing the machine, and from lying."""

from . import scenarios_preflight as scenarios
from .kinds import Edit, Mutation, System, Unit, failed

VIRTUALIZATION = "boot/preflight/virtualization.c"
SRIOV = "boot/preflight/sriov.c"
MAPPED = "boot/preflight/mapped.c"
REPORT = "boot/preflight/report.c"

PREFLIGHT_MUTATIONS = (
    # --- it must not fault ---
    Mutation("smi-count-on-trust", "SMIs are counted only by CPUs that are known to count them",
             (Edit(VIRTUALIZATION, "cpu->cpuid(0, 0).eax >= 0xb && ", ""),
              Edit(VIRTUALIZATION, "(cpu->cpuid(0xb, 0).ebx & 0xffff) != 0", "signature != 0")),
             (Unit("test_preflight_cpu", failed("test_no_msr_is_read_on_trust")),), quick=True),
    Mutation("smi-count-below-a-hypervisor", "the count is not read where a hypervisor answers",
             (Edit(VIRTUALIZATION, "facts->intel && !facts->under_hypervisor && ", "facts->intel && "),),
             (Unit("test_preflight_cpu", failed("test_no_msr_is_read_on_trust")),)),
    Mutation("vmx-msrs-on-trust", "VMX registers are read only where CPUID says that there are MSRs",
             (Edit(VIRTUALIZATION, "bool vmx = msrs && ", "bool vmx = "),),
             (Unit("test_preflight_cpu", failed("test_no_msr_is_read_on_trust")),)),
    Mutation("absent-page-read", "an address is read only if the page tables have it",
             (Edit(MAPPED, "        if ((entry & PRESENT) == 0)\n            return 0;\n", ""),),
             (Unit("test_preflight_screen", failed("test_what_is_mapped")),), quick=True),
    Mutation("other-page-read", "and if they map it to itself",
             (Edit(MAPPED, "base == ALIGN_DOWN(address, size) ? ", "base != address + 1 ? "),),
             (Unit("test_preflight_screen", failed("test_what_is_mapped")),)),
    Mutation("unit-registers-on-trust", "a unit's registers are read only where they can be",
             (Edit("boot/preflight/units.c", " || !readable(base, PAGE_SIZE)) {", ") {"),),
             (Unit("test_preflight_tables", failed("test_registers_that_cannot_be_read")),)),
    Mutation("ivrs-length-believed", "a block of IVRS ends inside the table",
             (Edit("boot/preflight/tables.c", "size < 4 || size > length - at", "size < 4"),),
             (Unit("test_preflight_tables", failed("test_a_block_past_the_end")),)),

    # --- it must not change the machine ---
    Mutation("enabled-vfs-written", "the SR-IOV capability of a PF whose VFs are on is only read",
             (Edit(SRIOV, "if (found->enabled || enabled(governing))", "if (found->total == UINT16_MAX)"),),
             (Unit("test_preflight_pci", failed("test_enabled_vfs_are_left_alone")),), quick=True),
    Mutation("vf-count-left", "NumVFs is put back",
             (Edit(SRIOV, "    pci_config_write(pf->rid, count, 2, old_count);\n", "    (void)old_count;\n"),),
             (Unit("test_preflight_pci", failed("test_nothing_is_changed")),)),
    Mutation("ari-left", "ARI Capable Hierarchy is put back",
             (Edit(SRIOV, "    pci_config_write(governing->rid, control, 2, old_control);\n", "    (void)old_control;\n"),),
             (Unit("test_preflight_pci", failed("test_nothing_is_changed")),)),
    Mutation("mcfg-in-ram", "configuration space is not looked for in RAM",
             (Edit("boot/efi/access.c", "is_ram(info, base, size) ||", "(is_ram(info, base, size) && base == size) ||"),),
             (System(scenarios.lies, r"MCFG is believed"),)),

    # --- it must not lie ---
    Mutation("half-a-report", "a report that did not fit onto the stick is not left there",
             (Edit("boot/efi/write.c", "status == EFI_SUCCESS ? file->Close(file) : file->Delete(file);", "file->Close(file);"),),
             (System(scenarios.full_stick, r"half a report is left"),)),
    Mutation("lost-lines-unsaid", "lines that did not fit are counted",
             (Edit(REPORT, "        report.lost++;\n", ""),),
             (Unit("test_preflight_report", failed("test_too_little_room")),)),
    Mutation("cut-report-believed", "an earlier report without its last line end is none",
             (Edit(REPORT, "size == 0 || text[size - 1] != '\\n'", "size == 0"),),
             (Unit("test_preflight_report", failed("test_an_earlier_report")),)),
    Mutation("same-report-written-again", "a report that has not changed is not written",
             (Edit(REPORT, "    if (!report.varies)\n", ""),),
             (Unit("test_preflight_report", failed("test_what_varies")),)),
)
