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
/* L4, steps 3 to 5: a unit takes its root table and translates, and no request passes meanwhile. */
#include "tests/labs/checks/vtd_on_bench.h"

static uint64_t foreign[512] __attribute__((aligned(4096)));

static void expect_root(const char *what)
{
    const uint64_t ours = physical_address(vtd.unit[0].root);
    expect(unit->rtaddr == ours,
           "%s: RTADDR is %#llx and this unit's root table is at %#llx, a physical address with "
           "TTM (bits 11:10) 0",
           what, (unsigned long long)unit->rtaddr, (unsigned long long)ours);
    expect(unit->root == ours,
           "%s: the unit works with the root table at %#llx, ours is at %#llx; it takes what is in "
           "RTADDR at the moment of SRTP, and not before or later (VT-d 11.4.5)",
           what, (unsigned long long)unit->root, (unsigned long long)ours);
}

static void plain(void)
{
    unit_of(MODEL_CAP, MODEL_ECAP);
    start("a unit that nobody used");
    expect_root("a unit that nobody used");
    expect((unit->gsts & VTD_GLOBAL_TE) != 0,
           "the unit does not translate (TES is 0): all requests pass");
    expect(unit->counts.context_global == 1 && unit->counts.iotlb_global == 1,
           "all of the context cache was invalidated %u times and all of the IOTLB %u times; once "
           "each after SRTP is expected (VT-d 6.6)",
           unit->counts.context_global, unit->counts.iotlb_global);
    expect(vtd.unit[0].translating,
           "`translating` of the unit is still false: nobody looks at its fault records");
    expect((unit->gsts & VTD_GLOBAL_IRE) != 0,
           "interrupts are not remapped (IRES is 0): a device can forge any vector");
    expect((unit->fectl & VTD_FECTL_IM) == 0,
           "the fault event is still masked (FECTL.IM): faults are found late, by polling");
    asking("a request of a function that is in no domain");
    struct vtd_model_result result = vtd_model_dma(unit, 0x100, 0x1000, true);
    expect(!result.allowed, "a function that is in no domain gets through");
}

static void write_buffer(void)
{
    unit_of(MODEL_CAP | VTD_CAP_RWBF, MODEL_ECAP);
    start("a unit whose write buffer has to be flushed (CAP.RWBF is 1)");
}

/* The tables of firmware's devices are there before anything translates. */
static void firmware_devices(uint32_t on, const char *what)
{
    static struct iommu_domain domain;
    memset(&domain, 0, sizeof domain);
    unit_of(MODEL_CAP, MODEL_ECAP);
    const uint16_t source = (uint16_t)(seeded("firmware", 2, 30, 0x14) * 8);
    unit->gsts = on;
    unit->firmware[source / 64] |= BIT(source % 64);
    asking("connecting a device of the firmware's");
    const struct dmar *dmar = machine_table();
    enum status status = machine_init();
    struct pci_function *device = machine_function(source, NULL);
    expect(status == STATUS_OK && iommu_domain_create(&domain, OWNER_FIRMWARE) == STATUS_OK &&
               iommu_connect(device, &domain) == STATUS_OK,
           "the check's own domain could not be made: %s", host_log_text());
    asking("turning the unit on, %s", what);
    status = iommu_translate(dmar);
    expect(vtd_model_violations() == 0,
           "%s: the unit minds: %s; context entries come before TE, in the table that the unit is "
           "given",
           what, vtd_model_first_violation_text());
    expect(status == STATUS_OK, "%s: the unit is not turned on: %s", what, host_log_text());
}

static void takeover(void)
{
    static const char what[] = "a unit that firmware left translating";
    unit_of(MODEL_CAP, MODEL_ECAP);
    unit->gsts = VTD_GLOBAL_TE | VTD_GLOBAL_SRTP;
    unit->root = unit->rtaddr = physical_address(foreign);
    start(what);
    expect_root(what);
    expect(unit->counts.translation_off == 0,
           "%s: translation was turned off, and every request passed untranslated in between; a "
           "new root table is taken over while TE is on",
           what);
    expect(host_log_count("iommu.takeover", "stays on") == 1,
           "%s: it was taken over without a line iommu.takeover", what);
    unit_of(MODEL_CAP, MODEL_ECAP);
    unit->gsts = VTD_GLOBAL_TE | VTD_GLOBAL_SRTP;
    unit->root = physical_address(foreign);
    unit->rtaddr = unit->root | UINT64_C(1) << 10;
    start("a unit that firmware left in scalable mode");
    expect(unit->counts.translation_off == 1,
           "TTM, the format of the table, was changed while TE was on; only that needs translation "
           "off (VT-d 11.4.5)");
    expect(host_log_count("iommu.takeover", "") == 1 &&
               host_log_count("iommu.takeover", "stays on") == 0,
           "a unit that firmware left in scalable mode: translation was off for a moment, and "
           "iommu.takeover should say that once, and not that it stays on");
}

static void protected_memory(void)
{
    unit_of(MODEL_CAP | VTD_CAP_PLMR, MODEL_ECAP);
    unit->pmen = VTD_PMEN_EPM | VTD_PMEN_PRS;
    start("a unit with protected memory regions");
    expect(unit->pmen == 0, "the protected memory regions are still on: they block what the tables "
                            "allow (VT-d 11.4.14)");
}

static void without_interrupts(void)
{
    unit_of(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_IR);
    start("a unit that cannot remap interrupts (STATUS_UNSUPPORTED)");
    expect(vtd.unit[0].usable && (unit->fectl & VTD_FECTL_IM) == 0,
           "a unit that cannot remap interrupts was refused or left half set up; for whoever needs "
           "remapping, `remapping` says no");
    unit_of(MODEL_CAP, MODEL_ECAP);
    machine_dmar_flags(0);
    start("a machine whose DMAR table has INTR_REMAP (flags, bit 0) clear");
    expect((unit->gsts & VTD_GLOBAL_IRE) == 0,
           "interrupts are remapped on a machine whose DMAR table has INTR_REMAP (flags, bit 0) "
           "clear: the platform says that it cannot (VT-d 8.1)");
}

/* From the root table on nothing is answered. */
static void never_invalidates(void)
{
    static const char what[] = "a unit that does not carry out invalidations";
    unit_of(MODEL_CAP, MODEL_ECAP);
    const struct dmar *dmar = machine_table();
    expect(machine_init() == STATUS_OK, "the unit cannot be prepared: %s", host_log_text());
    unit->queue_silent = true;
    asking("turning on %s", what);
    enum status status = iommu_translate(dmar);
    expect(vtd_model_violations() == 0,
           "%s: the unit minds: %s; the status of vtd_invalidate() is that of set_root_table()",
           what, vtd_model_first_violation_text());
    expect(status != STATUS_OK && (unit->gsts & VTD_GLOBAL_TE) == 0,
           "%s is turned on all the same: it may go by what it remembers of other tables; the "
           "status of vtd_invalidate() counts",
           what);
}

static void never_follows(uint32_t bit, const char *name, const char *message)
{
    unit_of(MODEL_CAP, MODEL_ECAP);
    unit->stuck = bit;
    asking("turning on a unit that never follows %s", name);
    enum status status = machine_start();
    expect(status != STATUS_OK && !vtd.unit[0].usable,
           "a unit that never follows %s is used all the same: it must be refused", name);
    expect(host_log_count("iommu.refused", message) == 1,
           "a unit that never follows %s is refused without saying so once: \"%s\"", name, message);
    expect(vtd_model_violations() == 0,
           "a unit that never follows %s gets further commands: the unit minds: %s", name,
           vtd_model_first_violation_text());
}

void lab_check(void)
{
    plain();
    write_buffer();
    firmware_devices(0, "with a device that firmware uses");
    takeover();
    firmware_devices(VTD_GLOBAL_TE | VTD_GLOBAL_SRTP,
                     "left translating, with a device that firmware uses");
    protected_memory();
    without_interrupts();
    never_follows(VTD_GLOBAL_SRTP, "SRTP", "does not take a root table");
    never_follows(VTD_GLOBAL_TE, "TE", "translation cannot be turned on");
    never_invalidates();
    never_follows(VTD_GLOBAL_IRE, "IRE", "interrupt remapping cannot be set up");
    expect(vtd.unit[0].translating && (unit->fectl & VTD_FECTL_IM) == 0,
           "a unit that cannot set up interrupt remapping translates all the same, and %s; what it "
           "blocks is to be reported like any other's",
           vtd.unit[0].translating ? "its fault event is still masked"
                                   : "`translating` says that it does not");
}
