/* SPDX-License-Identifier: MIT */
// Machines whose VT-d units are known to be wrong, and the unit of the graphics.
// SOURCES: hypervisor/iommu/vtd_reserved.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/setup/iommu_scopes.c hypervisor/setup/iommu_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/frames.c hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/setup/iommu_quirks.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
#include "hypervisor/iommu/vtd.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define GRAPHICS_UNIT UINT64_C(0xfed90000)
#define OTHER_UNIT    UINT64_C(0xfeda0000)

static struct vtd_model *graphics, *other;
static struct pci_function *bridge, *display, *nic;
static uint8_t revision;
static uint16_t graphics_control;

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    if (offset == 8 && width == 1)
        return revision;
    assert_int_equal(rid, bridge->rid);
    assert_true(offset == 0x52 && width == 2);
    return graphics_control;
}

/* Host bridge, graphics behind a unit of their own, a NIC behind the other. */
static void machine(uint16_t bridge_id, uint16_t display_id, uint8_t its_revision)
{
    static struct boot_info boot;
    boot =
        (struct boot_info){.range_count = 1, .ranges = {{MIB(1), GIB(1), BOOT_MEMORY_USABLE, 0}}};
    machine_reset();
    assert_int_equal(frames_init(&boot), STATUS_OK);
    graphics = vtd_model_add(GRAPHICS_UNIT, MODEL_CAP, MODEL_ECAP);
    other = vtd_model_add(OTHER_UNIT, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, false, GRAPHICS_UNIT);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_drhd(0, true, OTHER_UNIT);
    machine_rmrr(0, MIB(100), MIB(101) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    bridge = machine_function(RID(0, 0, 0, 0), NULL);
    display = machine_function(RID(0, 0, 2, 0), NULL);
    nic = machine_function(RID(0, 0, 3, 0), NULL);
    bridge->vendor = display->vendor = nic->vendor = 0x8086;
    bridge->device = bridge_id;
    bridge->class_code = 0x060000;
    display->device = display_id;
    display->class_code = 0x030000;
    display->firmware_master = true;
    nic->device = 0x1533;
    nic->class_code = 0x020000;
    revision = its_revision;
    graphics_control = 0;
}

static void start(bool leave)
{
    iommu_regions_reserve(machine_table());
    assert_int_equal(iommu_init(machine_table(), leave), STATUS_OK);
    iommu_regions_honour();
    assert_int_equal(iommu_translate(machine_table()), STATUS_OK);
    iommu_regions_resume();
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static bool translates(const struct vtd_model *unit)
{
    return (unit->gsts & VTD_GLOBAL_TE) != 0;
}

/* Not touched: no command, no table, no queue. */
static void expect_left(const char *why)
{
    struct iommu_domain domain;
    assert_int_equal(graphics->gsts, 0);
    assert_true(graphics->rtaddr == 0 && graphics->iqa == 0 && graphics->irta == 0);
    assert_true(translates(other));
    assert_int_equal(host_log_count("iommu.refused", why), 1);
    assert_int_equal(host_log_count("iommu.enabled", "units=1 "), 1);
    /* No guest gets what is behind it, and firmware's domain is not made in vain. */
    assert_int_equal(iommu_domain_create(&domain, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_connect(display, &domain), STATUS_UNSUPPORTED);
    assert_int_equal(iommu_connect(nic, &domain), STATUS_OK);
    assert_int_equal(host_log_count("iommu.firmware", NULL), 0);
}

static void expect_translated(void)
{
    assert_true(translates(graphics) && translates(other));
    assert_int_equal(host_log_count("iommu.enabled", "units=2 "), 1);
    assert_int_equal(host_log_count("iommu.firmware", "rid=00:02.0 "), 1);
}

static void others_are_as_they_say(void **state)
{
    machine(0x3e1f, 0x3e9b, 0x07);
    start(false);
    expect_translated();
    assert_int_equal(host_log_count("iommu.quirk", NULL), 0);
    assert_int_equal(host_log_count("iommu.enabled", "ir=yes"), 1);
    assert_int_equal(other->counts.write_buffer, 0);
    /* The same ids, but another maker's, or not on the first bus. */
    machine(0x2a40, 0x1616, 0x07);
    bridge->vendor = display->vendor = 0x1002;
    start(false);
    assert_int_equal(host_log_count("iommu.quirk", NULL), 0);
    machine(0x3e1f, 0x3e9b, 0x07);
    nic->device = 0x1616;
    nic->rid = RID(0, 1, 0, 0);
    start(false);
    assert_int_equal(host_log_count("iommu.quirk", NULL), 0);
}

static void the_user_may_leave_the_graphics_unit(void **state)
{
    machine(0x3e1f, 0x3e9b, 0x07);
    start(true);
    expect_left("graphics_unit = leave");
    /* A unit with more behind it is not the graphics'. */
    machine(0x3e1f, 0x3e9b, 0x07);
    display->class_code = 0x038000;
    nic->class_code = 0x030000; /* a card in a slot, behind the unit of all others */
    start(true);
    assert_true(!translates(graphics) && translates(other));
}

static void graphics_that_fail_when_translated(void **state)
{
    static const uint16_t bridges[] = {0x2a40, 0x2e00, 0x2e10, 0x2e20, 0x2e30, 0x2e40, 0x2e90};
    for (size_t i = 0; i < ARRAY_SIZE(bridges); i++) {
        machine(bridges[i], 0x2a42, 0x07);
        start(false);
        expect_left("graphics behind it fail");
        assert_int_equal(host_log_count("iommu.quirk", "graphics=left flush=forced"), 1);
        assert_true(other->counts.write_buffer > 0);
    }
    static const uint16_t broadwell[] = {0x1602, 0x1606, 0x160a, 0x160b, 0x160d, 0x160e,
                                         0x1612, 0x1616, 0x161a, 0x161b, 0x161d, 0x161e,
                                         0x1622, 0x1626, 0x162a, 0x162b, 0x162d, 0x162e,
                                         0x1632, 0x1636, 0x163a, 0x163b, 0x163d, 0x163e};
    for (size_t i = 0; i < ARRAY_SIZE(broadwell); i++) {
        machine(0x1604, broadwell[i], 0x09);
        start(false);
        expect_left("graphics behind it fail");
    }
    machine(0x0044, 0x0046, 0x02); /* QM57 */
    start(false);
    expect_left("graphics behind it fail");
}

static void ironlake_needs_a_shadow(void **state)
{
    static const uint16_t bridges[] = {0x0040, 0x0062, 0x006a};
    for (size_t i = 0; i < ARRAY_SIZE(bridges); i++) {
        machine(bridges[i], 0x0042, 0x12);
        start(false);
        expect_left("graphics behind it fail");
        machine(bridges[i], 0x0042, 0x12);
        graphics_control = 0x0930;
        start(false);
        expect_translated();
        assert_int_equal(host_log_count("iommu.quirk", NULL), 0);
    }
}

static void chipsets_that_lose_remapped_interrupts(void **state)
{
    static const struct {
        uint16_t id;
        uint8_t revision;
        bool broken;
    } cases[] = {
        {0x3403, 0x12, true}, {0x3403, 0x13, true},  {0x3403, 0x22, false},
        {0x3405, 0x13, true}, {0x3405, 0x22, true},  {0x3405, 0x23, false},
        {0x3406, 0x13, true}, {0x3406, 0x22, false}, {0x3400, 0x13, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        machine(cases[i].id, 0x3e9b, cases[i].revision);
        start(false);
        expect_translated(); /* DMA is as confined as anywhere */
        assert_int_equal(host_log_count("iommu.enabled", cases[i].broken ? "ir=no" : "ir=yes"), 1);
        assert_int_equal(host_log_count("iommu.interrupts", "errata 47, 53"),
                         cases[i].broken ? 2 : 0);
        assert_true(iommu_remaps_interrupts() != cases[i].broken);
    }
}

static void the_x2apic_opt_out_is_said(void **state)
{
    machine(0x3e1f, 0x3e9b, 0x07);
    machine_dmar_flags(DMAR_FLAG_INTR_REMAP | DMAR_FLAG_X2APIC_OPT_OUT);
    start(false);
    assert_int_equal(host_log_count("iommu.x2apic", "opt_out=yes used=yes"), 1);
    assert_int_equal(host_log_count("iommu.enabled", "eim=yes"), 1);
    machine(0x3e1f, 0x3e9b, 0x07);
    machine_dmar_flags(DMAR_FLAG_INTR_REMAP | DMAR_FLAG_X2APIC_OPT_OUT);
    vtd_model_x2apic(false);
    start(false);
    assert_int_equal(host_log_count("iommu.x2apic", "opt_out=yes used=no"), 1);
    assert_int_equal(host_log_count("iommu.x2apic", "no guest can run"), 1);
    machine(0x3e1f, 0x3e9b, 0x07);
    start(false);
    assert_int_equal(host_log_count("iommu.x2apic", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_are_as_they_say),
        cmocka_unit_test(the_user_may_leave_the_graphics_unit),
        cmocka_unit_test(graphics_that_fail_when_translated),
        cmocka_unit_test(ironlake_needs_a_shadow),
        cmocka_unit_test(chipsets_that_lose_remapped_interrupts),
        cmocka_unit_test(the_x2apic_opt_out_is_said),
    };
    return cmocka_run_group_tests_name("iommu_quirks", tests, NULL, NULL);
}
