# SPDX-License-Identifier: MIT
"""Mutations of finding and placing PCI functions."""

from .kinds import Edit, Mutation, Unit, failed

BUSES = "hypervisor/setup/pci_buses.c"
ROOTS = "hypervisor/setup/pci_roots.c"
PLACEMENT = "hypervisor/setup/pci_placement.c"
SRIOV = "hypervisor/setup/pci_sriov.c"
PROBE = "hypervisor/setup/pci_vf_probe.c"
REGIONS = "hypervisor/iommu/vtd_reserved_map.c"
CAPABILITIES = "hypervisor/setup/pci_capabilities.c"
ENUMERATE = "hypervisor/setup/pci_enumerate.c"

PCI_MUTATIONS = (
    # --- bus numbers ---
    Mutation("bus-of-others-taken", "a bus number that another bridge forwards is not taken for VFs",
             (Edit(BUSES, "(!pci_is_behind(top, other) && forwards(other, bus))", "(other == top && forwards(other, bus))"),),
             (Unit("test_buses", failed("a_full_neighbourhood_makes_it_move")),), quick=True),
    Mutation("bus-past-the-root", "bus numbers end at the next root bus",
             (Edit(BUSES, "end = MIN(end, RID_BUS(other->rid) - 1u);", "end = MAX(end, RID_BUS(other->rid));"),),
             (Unit("test_buses", failed("an_exhausted_range_is_refused")),)),
    Mutation("bus-number-not-learned", "a function that moved is written to before it sends with its new id",
             (Edit(BUSES, "        pci_update16(rid, PCI_COMMAND, 0, 0);\n", ""),),
             (Unit("test_buses", failed(r"\w+")),)),
    Mutation("bus-silence-believed", "numbers under which a device does not answer are taken back",
             (Edit(BUSES, "    if (silent != NULL)\n        put_back(count);\n    else\n        log_changes(count);",
                   "    if (silent != NULL && count == 0)\n        put_back(count);\n    else\n        log_changes(count);"),),
             (Unit("test_buses", failed("what_does_not_answer_goes_back")),)),
    Mutation("bus-of-tables-not-translated", "DMAR's scopes follow buses that were renumbered",
             (Edit("hypervisor/setup/iommu_scopes.c", "        scope.start_bus = (uint8_t)bus;\n", ""),),
             (Unit("test_pf_reserved", failed("scopes_follow_buses_that_were_renumbered")),)),

    # --- root bridges ---
    Mutation("root-of-others", "registers are placed in windows of the card's own root bridge only",
             (Edit(ROOTS, "if (!usable[i] || window->root != (uint32_t)root ||", "if (!usable[i] ||"),
              Edit(ROOTS, "if (window->root == (uint32_t)root || problem_alone(window) != NULL ||",
                   "if (window->root == (uint32_t)root || problem_alone(window) == NULL ||")),
             (Unit("test_roots", failed("each_card_stays_below_its_own_root")),), quick=True),
    Mutation("root-windows-overlap", "windows that two root bridges claim are not used",
             (Edit(ROOTS, "            refuse(i, \"another root bridge claims a part of it\");\n", "            continue;\n"),),
             (Unit("test_roots", failed("windows_that_contradict_are_not_used")),)),
    Mutation("root-window-over-ram", "a root bridge's window where there is RAM is not used",
             (Edit(ROOTS, "if (pci_overlaps_ram(window->base, window->size))", "if (window->size == 0)"),),
             (Unit("test_roots", failed("windows_that_contradict_are_not_used")),)),
    Mutation("root-windows-foreign-registers", "a window that holds registers of another root bridge's devices is not used",
             (Edit(ROOTS, "        check_function(function);\n", "        if (window_count() == 0)\n            check_function(function);\n"),),
             (Unit("test_roots", failed("a_window_with_foreign_registers_is_not_used")),)),
    Mutation("windows-stay-grown", "bridges' windows that grew in vain are as before",
             (Edit(PLACEMENT, "            bridge_window_restore(level[left], prefetchable, &old[left]);\n", "            continue;\n"),),
             (Unit("test_roots", failed("what_grew_in_vain_shrinks_again")),)),
    Mutation("vf-registers-not-probed", "VFs whose registers nobody decodes are refused",
             (Edit(SRIOV, "        if (!sriov_registers_answer(", "        if (i > 1 && !sriov_registers_answer("),),
             (Unit("test_roots", failed("without_a_list_it_is_guessed_and_tried")),), quick=True),
    Mutation("last-vf-not-probed", "the last VF's registers are looked at as well as the first one's",
             (Edit(SRIOV, "const uint16_t ends[] = {0, (uint16_t)(sriov->num_vfs - 1)};", "const uint16_t ends[] = {0, 0};"),),
             (Unit("test_roots", failed("the_last_vf_is_tried_as_well")),)),

    # --- PFs that firmware uses ---
    Mutation("pf-regions-not-mapped", "a PF reaches the memory that firmware keeps for it in its driver's domain, too",
             (Edit(REGIONS, "    enum status status = vtd_regions_map(domain, regions);\n    if (status == STATUS_OK)\n        status = iommu_firmware_disconnect(function);",
                   "    enum status status = iommu_firmware_disconnect(function);"),),
             (Unit("test_pf_reserved", failed("firmware_goes_on_in_the_pfs_own_domain")),), quick=True),
    Mutation("pf-regions-meet-its-pages", "firmware's regions do not lie over what the driver shares with its PF",
             (Edit(REGIONS, "if (meet(regions, base, size)) {", "if (meet(regions, base, size) && size == 0) {"),),
             (Unit("test_pf_reserved", failed("a_region_at_the_drivers_addresses_is_refused_by_name")),)),
    Mutation("pf-domain-regions-unaudited", "the audit knows how far a PF's regions reach",
             (Edit("hypervisor/audit/audit_iommu.c", "            !in_regions(dma->function, address, &walk) &&",
                   "            !frames_owned_by(walk.physical, walk.page_size, OWNER_FIRMWARE) &&"),),
             (Unit("test_audit_pf", failed("what_firmware_keeps_for_a_pf_passes")),)),

    # --- functions that do not comply ---
    Mutation("no-bars-sized", "what stands where BARs are is not written to on functions that are known for it",
             (Edit("hypervisor/setup/pci_bars.c", "    if (has_no_bars(function))\n        count = 0;\n", ""),),
             (Unit("test_pci", failed("what_is_no_bar_is_not_written")),)),
    Mutation("peripherals-sized", "BARs of the chipset's own functions are not written to unless somebody asks for them",
             (Edit(ENUMERATE, "bool plain = !pci_is_peripheral(function) || asked_for(function, config);",
                   "bool plain = !pci_is_peripheral(function) || config == NULL || asked_for(function, config);"),),
             (Unit("test_pci", failed("the_chipsets_own_are_sized_only_on_request")),)),
    Mutation("peripherals-fill-the-table", "functions that nobody uses leave room in the table for cards",
             (Edit("hypervisor/setup/pci_functions.c", "    return pci_is_peripheral(function) ? PERIPHERAL_LIMIT : ENDPOINT_LIMIT;",
                   "    return pci_is_peripheral(function) ? PCI_MAX_FUNCTIONS - 48 : ENDPOINT_LIMIT;"),),
             (Unit("test_pci", failed("a_machine_with_two_thousand_functions")),)),
    Mutation("flr-that-hangs", "functions that hang in FLR are not reset by it",
             (Edit(CAPABILITIES, "        function->has_flr = false;\n", ""),),
             (Unit("test_reset_methods", failed("flr_is_believed_with_exceptions")),)),
    Mutation("console-address-not-looked-up", "console = pci: means the function that firmware had there, under whatever number",
             (Edit("hypervisor/setup/console_pci.c", "pci_rid_now(console_choice.wanted.rid)", "console_choice.wanted.rid"),),
             (Unit("test_console_choice", failed("test_pci_port")),)),
    Mutation("refused-units-stay-off", "a unit that cannot be used blocks, as long as it obeys",
             (Edit("hypervisor/setup/iommu_init.c", "return unit->answers && !vtd_unit_is_left(unit);",
                   "return unit->answers && unit->usable && !vtd_unit_is_left(unit);"),),
             (Unit("test_vtd_units", failed("unusable_capabilities_are_refused")),)),
)
