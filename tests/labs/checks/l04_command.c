/* SPDX-License-Identifier: MIT */
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
/* L4, steps 1 and 2: one command at a time, and its end. */
#include "tests/labs/checks/vtd_on_bench.h"

static uint64_t queue[512] __attribute__((aligned(4096)));
static struct vtd_unit driven; /* the driver's side of `unit` */

static void fresh(uint32_t on)
{
    unit_of(MODEL_CAP, MODEL_ECAP);
    unit->gsts = on;
    unit->iqa = physical_address(queue);
    driven = (struct vtd_unit){.base = BASE,
                               .registers = map_device(BASE, VTD_REGISTERS_SIZE),
                               .capability = unit->cap,
                               .extended = unit->ecap};
}

/* Until the unit is done. */
static void settle(void)
{
    for (unsigned i = 0; i < unit->latency + 2; i++)
        (void)vtd_read32(&driven, VTD_GSTS);
}

/* A command with `before` on has to change exactly this. */
static void command(uint32_t before, uint32_t set, uint32_t clear, uint32_t after, const char *what)
{
    fresh(before);
    asking("vtd_command(%#x, %#x) with GSTS %#x", set, clear, before);
    vtd_command(&driven, set, clear);
    expect(vtd_model_violations() == 0,
           "vtd_command(), %s: the unit minds: %s; a command is the status without its one-shot "
           "bits, with one bit changed (VT-d 11.4.4.1)",
           what, vtd_model_first_violation_text());
    expect(unit->pending != 0, "vtd_command(), %s: nothing was written to GCMD", what);
    settle();
    expect(unit->gsts == after,
           "vtd_command(), %s: GSTS is %#x afterwards instead of %#x; what is on stays on, and "
           "nothing else comes on",
           what, unit->gsts, after);
}

static void commands(void)
{
    command(0, VTD_GLOBAL_QIE, 0, VTD_GLOBAL_QIE, "QIE on from nothing");
    command(VTD_GLOBAL_QIE, VTD_GLOBAL_SRTP, 0, VTD_GLOBAL_QIE | VTD_GLOBAL_SRTP,
            "SRTP while QIE is on");
    command(VTD_GLOBAL_QIE | VTD_GLOBAL_SRTP, VTD_GLOBAL_TE, 0,
            VTD_GLOBAL_QIE | VTD_GLOBAL_SRTP | VTD_GLOBAL_TE,
            "TE while QIE is on and a root table is set (RTPS, bit 30)");
    command(VTD_GLOBAL_TE | VTD_GLOBAL_QIE | VTD_GLOBAL_SRTP, 0, VTD_GLOBAL_TE,
            VTD_GLOBAL_QIE | VTD_GLOBAL_SRTP, "TE off while QIE stays on");
    command(VTD_GLOBAL_CFI | VTD_GLOBAL_QIE, 0, VTD_GLOBAL_CFI, VTD_GLOBAL_QIE, "CFI off");
}

static void switched(uint32_t before, uint32_t bit, bool on, const char *what)
{
    fresh(before);
    asking("vtd_switch(%s)", what);
    enum status status = vtd_switch(&driven, bit, on);
    expect(vtd_model_violations() == 0, "vtd_switch(), %s: the unit minds: %s", what,
           vtd_model_first_violation_text());
    expect(status == STATUS_OK, "vtd_switch(), %s: status %s although the unit followed", what,
           status_name(status));
    expect(unit->pending == 0,
           "vtd_switch(), %s: it came back before the unit had followed; a command is done when "
           "GSTS says so, and the next must not be given earlier (VT-d 11.4.4.1)",
           what);
    expect(((unit->gsts & bit) != 0) == on, "vtd_switch(), %s: the bit is %s in GSTS", what,
           on ? "off" : "on");
}

static void never_follows(uint32_t before, bool on, const char *what)
{
    fresh(before);
    unit->stuck = VTD_GLOBAL_QIE;
    asking("vtd_switch(%s) on a unit that never follows", what);
    enum status status = vtd_switch(&driven, VTD_GLOBAL_QIE, on);
    expect(status == STATUS_TIMEOUT,
           "vtd_switch(), %s: the unit never followed, and the status is %s; STATUS_TIMEOUT is "
           "expected after VTD_WAIT",
           what, status_name(status));
}

void lab_check(void)
{
    commands();
    switched(0, VTD_GLOBAL_QIE, true, "QIE on");
    switched(VTD_GLOBAL_QIE, VTD_GLOBAL_QIE, false, "QIE off");
    switched(VTD_GLOBAL_CFI, VTD_GLOBAL_CFI, false, "CFI off");
    switched(VTD_GLOBAL_QIE, VTD_GLOBAL_QIE, true, "QIE on, which it is already");
    switched(0, VTD_GLOBAL_CFI, false, "CFI off, which it is already");
    never_follows(0, true, "QIE on");
    never_follows(VTD_GLOBAL_QIE, false, "QIE off");
}
