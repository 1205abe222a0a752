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
#include "hypervisor/setup/iommu_internal.h"
#include "tests/labs/checks/scalable_bench.h"

static void unit_with(uint64_t ecap)
{
    machine_reset();
    unit = vtd_model_add(0xfed90000, MODEL_CAP, ecap);
    machine_drhd(0, true, 0xfed90000);
    (void)!machine_start();
}

static void lacking(uint64_t bits, const char *names, bool touched, const char *why)
{
    asking("vtd_format_problem() of a unit without %s", names);
    unit_with(SCALABLE_ECAP & ~bits);
    expect(!vtd.unit[0].usable, "a unit without %s was accepted: %s", names, why);
    expect(host_log_count("iommu.refused", NULL) > 0,
           "a unit without %s was refused without a word", names);
    expect(touched || (unit->rtaddr == 0 && unit->iqa == 0),
           "a unit without %s was given a root table or a queue of a format that it does not know: "
           "`answers` must be false, so that nothing is written to it",
           names);
    expect(!touched || (vtd.unit[0].answers && unit->rtaddr != 0),
           "a unit without %s was left as it is: what firmware let through stays open. It has the "
           "tables that block everything, and no function gets a PASID entry; `answers` stays true",
           names);
}

/* ECAP.C after vtd_format_problem(), beside what it was. */
static void coherence(bool c, bool smpwc)
{
    uint64_t ecap = (SCALABLE_ECAP & ~(VTD_ECAP_C | VTD_ECAP_SMPWC)) | (c ? VTD_ECAP_C : 0) |
                    (smpwc ? VTD_ECAP_SMPWC : 0);
    struct vtd_unit alone = {.answers = true, .usable = true, .extended = ecap};
    asking("vtd_format_problem() of a unit with ECAP.C %u and ECAP.SMPWC %u", c, smpwc);
    const char *problem = vtd_format_problem(&alone);
    expect(problem == NULL,
           "a unit with ECAP.C %u and ECAP.SMPWC %u was refused; its tables only have to be "
           "flushed: %s",
           c, smpwc, problem);
    expect(!vtd_coherent(&alone) || smpwc,
           "ECAP.SMPWC is 0: the unit does not snoop walks of scalable mode's tables, and nobody "
           "flushes them, since ECAP.C, which is legacy mode's, %s",
           c ? "was kept" : "was set");
    expect(!vtd_coherent(&alone) || c,
           "ECAP.C is 0: the unit snoops scalable mode's tables (ECAP.SMPWC) but not the others, "
           "and was made one that snoops all; bit C is only ever taken off");
    expect(vtd_coherent(&alone) || !c || !smpwc,
           "ECAP.C and ECAP.SMPWC are 1: the unit snoops all tables, and bit C was taken off");
    unit_with(ecap);
    expect(vtd.unit[0].usable && vtd.flush == !(c && smpwc),
           "ECAP.C is %u, ECAP.SMPWC %u, and tables are %sflushed: %s", c, smpwc,
           vtd.flush ? "" : "not ", vtd.unit[0].refusal);
}

void lab_check(void)
{
    asking("vtd_format_problem() of a unit that has everything");
    unit_with(SCALABLE_ECAP);
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
    coherence(true, false);
    coherence(false, true);
    coherence(false, false);
}
