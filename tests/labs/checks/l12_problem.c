/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/iommu/vtd_scalable.c tests/unit/model/vtd_model_scalable.c
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/iommu_quirks.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
/* L12, step 1: which units can have tables of scalable mode. */
#include "tests/labs/checks/scalable_bench.h"

static void lacking(uint64_t bits, const char *names, bool touched, const char *why)
{
    machine_reset();
    unit = vtd_model_add(0xfed90000, MODEL_CAP, SCALABLE_ECAP & ~bits);
    machine_drhd(0, true, 0xfed90000);
    asking("vtd_format_problem() of a unit without %s", names);
    (void)!machine_start();
    expect(!vtd.unit[0].usable, "a unit without %s was accepted: %s", names, why);
    expect(host_log_count("iommu.refused", NULL) > 0,
           "a unit without %s was refused without a word", names);
    expect(touched || (unit->rtaddr == 0 && unit->iqa == 0),
           "a unit without %s was given a root table or a queue of a format that it does not know: "
           "`answers` must be false, so that nothing is written to it",
           names);
}

void lab_check(void)
{
    asking("vtd_format_problem() of a unit that has everything");
    machine_of(MODEL_CAP, SCALABLE_ECAP);
    expect(vtd.unit[0].usable && vtd.unit[0].answers,
           "a unit with scalable mode, second-stage translation in it and a queue was refused: %s",
           vtd.unit[0].refusal);
    expect(!vtd.flush, "tables are flushed although the unit snoops all of them (ECAP.C and "
                       "ECAP.SMPWC are 1)");
    lacking(VTD_ECAP_SMTS, "ECAP.SMTS", false, "RTADDR.TTM 01b is reserved there (VT-d 11.4.5)");
    lacking(VTD_ECAP_QI, "ECAP.QI", false,
            "scalable mode is invalidated through the queue only (VT-d 6.5.1)");
    lacking(VTD_ECAP_SSTS, "ECAP.SSTS", true,
            "a PASID entry of second-stage type is fault 5Bh there (VT-d 9.6)");
    asking("vtd_format_problem() of a unit without ECAP.SMPWC");
    machine_of(MODEL_CAP, SCALABLE_ECAP & ~VTD_ECAP_SMPWC);
    expect(vtd.unit[0].usable, "a unit without ECAP.SMPWC was refused; it only has to be told: %s",
           vtd.unit[0].refusal);
    expect(vtd.flush, "ECAP.SMPWC is 0: the unit does not snoop walks of scalable mode's tables, "
                      "and nobody flushes them, since ECAP.C, which is legacy mode's, was kept");
}
