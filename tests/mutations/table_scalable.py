# SPDX-License-Identifier: MIT
"""Mutations of the tables of VT-d's scalable mode (SCALABLE=1), which host tests link; see table.py."""

from .kinds import Edit, Mutation, Unit, failed

SCALABLE = "hypervisor/iommu/vtd_scalable.c"
QUEUE = "hypervisor/iommu/vtd_queue.c"
ENABLE = "hypervisor/setup/iommu_enable.c"


def by(test: str) -> tuple[Unit]:
    return (Unit("test_vtd_scalable", failed(test)),)


SCALABLE_MUTATIONS: tuple[Mutation, ...] = (
    Mutation("half-of-the-bus", "each half of a bus's root entry has its own devices",
             (Edit(SCALABLE, "(rid & 0x80) != 0 ? &root->high : &root->low;", "&root->low;"),), by("both_halves_of_a_bus")),
    Mutation("pasid-passes-through", "requests are translated by the domain's second-stage tables",
             (Edit(SCALABLE, "(uint64_t)VTD_PASID_SECOND_STAGE << 6", "UINT64_C(4) << 6"),),
             by("connecting_and_disconnecting_cost_four_descriptors_each")),
    Mutation("pasid-of-the-last-domain", "an id that was another domain's leads to the new one's tables",
             (Edit(SCALABLE, "    if (domain->functions == 0)\n", "    if (pages->directory[0] == 0)\n"),),
             (Unit("test_vtd_scalable", "AddressSanitizer: heap-use-after-free"),)),
    Mutation("pasid-written-under-way", "a PASID entry that functions use is left alone",
             (Edit(SCALABLE, "    if (domain->functions == 0)\n        write_pasid_entry(pages, domain);",
                   "    if (domain->functions != 0)\n        pages->table[0].low = 0;\n    memory_fence();\n    write_pasid_entry(pages, domain);"),),
             by("functions_of_a_domain_share_its_pasid_table")),
    Mutation("pasid-not-flushed", "units that do not snoop these tables see what is written",
             (Edit(SCALABLE, "        cache_flush_range(pages, sizeof *pages);", "        memory_fence();"),),
             by("it_works_on_every_kind_of_unit")),
    Mutation("coherent-by-legacy", "walks of these tables are coherent by a capability of their own",
             (Edit(SCALABLE, "        unit->extended &= ~VTD_ECAP_C;\n", "        unit->extended &= ~VTD_ECAP_SMPWC;\n"),),
             by("tables_are_flushed_where_walks_do_not_snoop")),
    Mutation("pasid-cache-kept", "what was read below a context entry is forgotten with it",
             (Edit(QUEUE, "            append(unit, vtd_format.below(list[i]));", "            (void)vtd_format.below(list[i]);"),),
             by("connecting_and_disconnecting_cost_four_descriptors_each")),
    Mutation("narrow-descriptors", "descriptors have 256 bits in scalable mode",
             (Edit(SCALABLE, ".slots = 2,", ".slots = 1,"),), by("connecting_and_disconnecting_cost_four_descriptors_each")),
    Mutation("scalable-unasked", "a unit without scalable mode is left alone",
             (Edit(SCALABLE, "unit->answers && (unit->extended & VTD_ECAP_SMTS) != 0 &&", "unit->answers &&"),),
             by("units_that_cannot_are_refused")),
    Mutation("second-stage-unasked", "a unit whose scalable mode has no second stage is refused",
             (Edit(SCALABLE, "    if ((unit->extended & VTD_ECAP_SSTS) == 0)\n", "    if (unit->extended == 0)\n"),),
             by("units_that_cannot_are_refused")),
    Mutation("any-pasid-type", "the audit and `walk` take only second-stage translation for tables",
             (Edit(SCALABLE, " ||\n        VTD_PASID_PGTT(report->pasid_low) != VTD_PASID_SECOND_STAGE)", ")"),),
             by("the_report_reads_what_the_unit_reads")),
    Mutation("any-table-mode", "tables of another format are not read as scalable mode's",
             (Edit(SCALABLE, "    if ((root_table & VTD_RTADDR_TTM) == VTD_RTADDR_SCALABLE)\n", ""),),
             by("the_report_reads_what_the_unit_reads")),
    Mutation("format-exchanged-under-way", "a unit that translates with legacy tables is switched off before it gets others",
             (Edit(ENABLE, "& VTD_RTADDR_TTM) != vtd_format.table_mode) {", "& VTD_RTADDR_TTM) > vtd_format.table_mode) {"),),
             by("a_unit_in_legacy_mode_is_taken_over")),
)
