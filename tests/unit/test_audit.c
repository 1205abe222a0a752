/* SPDX-License-Identifier: MIT */
// The audit's own test: a sound system built by the real code over the modelled unit passes; then
// one entry at a time is falsified, behind everybody's back, and the audit has to name it.
// SOURCES: hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/audit/audit.c
// SOURCES: hypervisor/audit/audit_report.c hypervisor/audit/audit_iommu.c hypervisor/pci/msix.c
// SOURCES: hypervisor/audit/audit_functions.c hypervisor/pci/acs.c hypervisor/audit/audit_pci.c
// SOURCES: hypervisor/pci/bars.c hypervisor/audit/audit_life.c hypervisor/pci/life.c
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/setup/iommu_reserved.c hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/iommu/vtd_fault.c hypervisor/setup/iommu_init.c
// SOURCES: hypervisor/setup/iommu_enable.c hypervisor/iommu/vtd_interrupt.c
// SOURCES: hypervisor/iommu/vtd_queue.c hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c
// SOURCES: tests/unit/model/vtd_model_queue.c tests/unit/model/vtd_model_walk.c
// SOURCES: tests/unit/model/vtd_machine.c hypervisor/audit/audit_pf.c -pages.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/pci/sriov.c
// SOURCES: hypervisor/setup/iommu_quirks.c
#include "tests/unit/support/audit_fixture.h"

/* --- what the falsifiers use --- */

static volatile uint64_t *entry_of(const struct page_table *table, uint64_t input, unsigned level)
{
    struct page_walk walk;
    page_table_walk(table, input, &walk);
    for (unsigned i = 0; i < walk.steps; i++)
        if (walk.step[i].level == level)
            return virtual_address(walk.step[i].entry_address);
    fail_msg("no entry at level %u for %#llx", level, (unsigned long long)input);
    return NULL;
}

static struct vtd_context_entry *context_of(unsigned n)
{
    struct vtd_context_entry *table = virtual_address(vtd.unit[0].root[1].low & VTD_ROOT_ADDRESS);
    return &table[RID(0, 1, 0x10, n) & 0xff];
}

static struct vtd_irte *irte_of(unsigned n)
{
    return &vtd.unit[0].interrupts[message[n].index];
}

static struct page_table *ept(void)
{
    return &guests[0].memory;
}

static struct page_table *dma(void)
{
    return &guests[0].domain.table;
}

// clang-format off
static void two_owners(void) { listed[1].base = KIB(512); }
static void a_frame_too_many(void) { map(ept(), MEMORY, RAM(1), PAGE_SIZE, PAGE_READ | PAGE_WRITE); }
static void nobodys_frame(void) { map(ept(), MEMORY, RAM(0) + MEMORY, PAGE_SIZE, PAGE_READ); }
static void ram_twice(void) { map(ept(), MEMORY, RAM(0), PAGE_SIZE, PAGE_READ); }
static void ram_elsewhere(void)
{
    *entry_of(ept(), 0, 2) =
        ept()->format->leaf(RAM(0) + PAGE_2M, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE, 2);
}
static void msix_mapped(void) { map(ept(), GPA_BAR3, BAR3(0), PAGE_SIZE, REGISTERS); }
static void msix_given_and_mapped(void)
{
    owns(BAR3(0), PAGE_SIZE, OWNER_GUEST(0));
    msix_mapped();
}
static void msix_moved(void) { msix_table[0] = 0x1003; }
static void msix_nowhere(void) { msix_table[0] = 0x10003; }
static void bar_moved(void) { moved_to[0] = BAR0(1); }
static void bar_of_nobody_moved(void) { moved_to[2] = BAR0(1); }
static void bar_mapped_crosswise(void)
{
    *entry_of(ept(), GPA_BAR0, 1) = ept()->format->leaf(BAR0(0) + PAGE_SIZE, REGISTERS, 1);
}
static void others_registers(void) { map(ept(), GIB(4), BAR0(1), PAGE_SIZE, REGISTERS); }
static void registers_of_no_bar(void)
{
    owns(0xc100000000, PAGE_SIZE, OWNER_GUEST(0));
    map(ept(), GIB(4), 0xc100000000, PAGE_SIZE, REGISTERS);
}
static void registers_cached(void)
{
    *entry_of(ept(), GPA_BAR0, 1) = ept()->format->leaf(BAR0(0), PAGE_READ | PAGE_WRITE, 1);
}
static void registers_executable(void)
{
    *entry_of(ept(), GPA_BAR0, 1) = ept()->format->leaf(BAR0(0), REGISTERS | PAGE_EXECUTE, 1);
}
static void bar_over(uint64_t base)
{
    functions[0]->bar[5] = (struct pci_bar){.base = base, .size = PAGE_SIZE};
    owns(base, PAGE_SIZE, OWNER_GUEST(0));
    map(ept(), GIB(4), base, PAGE_SIZE, REGISTERS);
}
static void type_of(struct page_table *table, uint64_t address, unsigned level, unsigned type)
{
    bool ept_format = table->format == &page_format_ept;
    volatile uint64_t *entry = entry_of(table, address, level);
    *entry = (*entry & ~BITS(6, 3)) | (ept_format ? (uint64_t)type << 3 : type == 1 ? BIT(3) : 0) |
             (ept_format ? 0 : BITS(6, 5));
}
static void registers_write_through(void) { type_of(ept(), GPA_BAR0, 1, 1); }
static void ram_write_through(void) { type_of(ept(), 0, 2, 1); }
static void ram_uncached(void)
{
    *entry_of(ept(), 0, 2) = ept()->format->leaf(RAM(0), REGISTERS | PAGE_EXECUTE, 2);
}
static void host_combined(void) { *entry_of(&host, MIB(4), 2) |= BIT(3); }
static void host_uncached_minus(void) { *entry_of(&host, MIB(4), 2) |= BIT(4); }
static void snooped_where_reserved(void) { *entry_of(dma(), 0, 2) |= BIT(11); }
static void unit_cannot_snoop(void)
{
    vtd.snoop = true;
    *entry_of(dma(), 0, 2) |= BIT(11);
    *entry_of(dma(), MIB(2), 2) |= BIT(11);
}
static void not_snooped(void)
{
    vtd.snoop = true;
    unit->ecap |= VTD_ECAP_SC;
}
static void phantoms(void) { controls[0] |= BIT(9); }
static void no_snoop(void) { controls[0] |= BIT(11); }
static void errors_reported(void) { controls[0] |= BIT(3); }
static void translations_kept(void) { ats[0] |= BIT(15); }
static void no_redirection(void) { acs[0] &= (uint16_t)~BIT(2); }
static void no_redirection_above(void) { acs[3] &= (uint16_t)~BIT(4); }
static void direct_translated(void) { acs[3] |= BIT(6); }
static void unit_mapped(void) { bar_over(UNIT_BASE); }
static void apic_mapped(void) { bar_over(0xfee00000); }
static void ept_in_guest(void)
{
    *entry_of(ept(), GPA_BAR0, 2) = ept()->format->table(RAM(0) + MIB(2));
}
static void ept_owned_by_guest(void)
{
    uint64_t table = *entry_of(ept(), GPA_BAR0, 2) & PAGE_ENTRY_ADDRESS;
    owns(table, PAGE_SIZE, OWNER_GUEST(0));
}
static void other_root(void) { live_root[0] = physical_address(guests[1].memory.root); }
static void no_nested_paging(void) { live_root[0] = 0; }

static void dma_page_too_many(void) { map(dma(), MEMORY, RAM(1), PAGE_SIZE, PAGE_READ | PAGE_WRITE); }
static void dma_to_hypervisor(void) { map(dma(), MEMORY, HOST_DATA, PAGE_SIZE, PAGE_READ); }
static void dma_to_registers(void) { map(dma(), GPA_BAR0, BAR0(0), PAGE_SIZE, PAGE_READ); }
static void dma_prepared_wrongly(void)
{
    functions[0]->life = PCI_CLEAN;
    commands[0] = 0;
    context_of(0)->low = 0;
    irte_of(0)->low = 0;
    dma_page_too_many();
}
static void dma_elsewhere(void) { map(dma(), MEMORY, RAM(0), PAGE_SIZE, PAGE_READ); }
static void dma_alone(void)
{
    assert_int_equal(page_table_unmap(ept(), 0, PAGE_SIZE), STATUS_OK);
}
static void dma_table_in_guest(void)
{
    *entry_of(dma(), 0, 3) = dma()->format->table(RAM(0) + MIB(2));
}
static void dma_root_in_guest(void) { context_of(0)->low = RAM(0) | VTD_CONTEXT_P; }

static void translation_off(void) { unit->gsts &= ~VTD_GLOBAL_TE; }
static void other_format(void) { unit->rtaddr |= BIT(10); }
static void root_in_guest(void) { unit->rtaddr = RAM(0); }
static void contexts_in_guest(void) { vtd.unit[0].root[7].low = RAM(0) | VTD_ROOT_P; }
static void stranger(void) { *context_of(2) = *context_of(0); }
static void left_after_detach(void)
{
    functions[0]->life = PCI_CLEAN;
    commands[0] = 0;
}
static void entry_missing(void) { context_of(0)->low = 0; }
static void bus_missing(void) { vtd.unit[0].root[1].low = 0; }
static void other_domain(void) { context_of(0)->high = context_of(1)->high; }
static void others_memory(void) { context_of(0)->low = context_of(1)->low; }
static void pass_through(void) { context_of(0)->low |= BIT(3); }
static void device_tlb(void) { context_of(0)->low |= BIT(2); }
static void stranger_behind_refused_unit(void)
{
    vtd.unit[0].usable = false;
    stranger();
}

static void remapping_off(void) { unit->gsts &= ~VTD_GLOBAL_IRE; }
static void compatible(void) { unit->gsts |= VTD_GLOBAL_CFI; }
static void source_unchecked(void) { irte_of(0)->high &= 0xffff; }
static void source_partly_checked(void) { irte_of(0)->high |= BIT(16); }
static void source_a_bus(void) { irte_of(0)->high ^= BIT(18) | BIT(19); }
static void interrupt_of_stranger(void) { irte_of(0)->high ^= BIT(1); }
static void others_core(void) { irte_of(0)->low ^= UINT64_C(3) << 32; }
static void control_core(void) { irte_of(0)->low &= BITS(31, 0); }
static void exception_vector(void) { irte_of(0)->low &= ~BITS(23, 20); }
static void delivers_nmi(void) { irte_of(0)->low |= UINT64_C(4) << 5; }
static void logical(void) { irte_of(0)->low |= BIT(2); }
static void posted(void) { irte_of(0)->low |= BIT(15); }
static void table_in_guest(void) { owns(unit->irta & VTD_IRTA_MASK, PAGE_SIZE, OWNER_GUEST(1)); }

static struct page_table *firmwares(void)
{
    return &iommu_domain_of(functions[4]->rid)->table;
}
static void region_free(void) { listed[2].owner = OWNER_NOBODY; }
static void region_given(void) { listed[2].owner = OWNER_GUEST(1); }
static void region_of_another(void) { map(firmwares(), RESERVED + MIB(4), RESERVED + MIB(4), PAGE_SIZE, PAGE_READ); }
static void region_elsewhere(void) { map(firmwares(), MIB(1), RESERVED, PAGE_SIZE, PAGE_READ); }
static void region_of_guest(void) { owns(RESERVED + MIB(1), PAGE_SIZE, OWNER_GUEST(0)); }
static void firmware_to_guest(void) { map(firmwares(), RAM(0), RAM(0), PAGE_SIZE, PAGE_READ); }
static void firmware_root(void) { context_of(4)->low = RAM(0) | VTD_CONTEXT_P; }
static void firmware_domain(void) { context_of(4)->high = context_of(0)->high; }
static void firmware_pass_through(void) { context_of(4)->low |= BIT(3); }
static void firmware_entry_missing(void) { context_of(4)->low = 0; }
static void firmwares_and_a_guests(void) { functions[4]->owner = OWNER_GUEST(0); }
static void firmware_master_left(void) { assert_int_equal(iommu_firmware_disconnect(functions[4]), STATUS_OK); }

static void master_without_owner(void) { commands[2] |= PCI_COMMAND_BUS_MASTER; }
static void writable_and_executable(void)
{
    map(&host, MIB(8), HOST_DATA, PAGE_SIZE, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE);
}
static void boot_code_left(void)
{
    map(&host, MIB(8), HOST_DATA, PAGE_SIZE, PAGE_READ | PAGE_EXECUTE);
}
static void window_left_open(void) { map(&host, MIB(8), RAM(0), MIB(2), PAGE_READ | PAGE_WRITE); }
static void host_root_lost(void) { host_root = RAM(0); }

/* What a reset that failed and a move that overlaps a start would leave behind. */
static void unusable_and_owned(void) { functions[0]->life = PCI_UNUSABLE; }
static void unusable_and_attached(void)
{
    functions[0]->life = PCI_UNUSABLE;
    functions[0]->owner = OWNER_HYPERVISOR;
}
static void vf_of_unusable_pf(void)
{
    static struct pci_function pf;
    pf = (struct pci_function){.rid = RID(0, 1, 0, 0), .life = PCI_UNUSABLE};
    functions[0]->is_vf = true;
    functions[0]->pf = &pf;
}
static void clean_vf_of_unusable_pf(void)
{
    vf_of_unusable_pf();
    left_after_detach();
    context_of(0)->low = 0;
    irte_of(0)->low = 0;
}
static void freed_while_attached(void) { functions[0]->owner = OWNER_NOBODY; }
static void given_while_attached(void)
{
    functions[0]->owner = OWNER_GUEST(1);
    guests[1].assignments[guests[1].assignment_count++] = &devices[0];
    guests[0].assignment_count = 0;
}
static void owner_without_device(void) { functions[2]->owner = OWNER_GUEST(0); }
static void registers_taken(void)
{
    assert_int_equal(page_table_unmap(ept(), GPA_BAR0, BAR_SIZE), STATUS_OK);
}
static void a_page_of_registers_taken(void)
{
    assert_int_equal(page_table_unmap(ept(), GPA_BAR3 + 2 * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
}
static void registers_kept(void)
{
    functions[0]->life = PCI_UNUSABLE;
    functions[0]->owner = OWNER_HYPERVISOR;
    context_of(0)->low = 0;
    irte_of(0)->low = 0;
    commands[0] = 0;
}
static void attached_after_the_end(void) { guests[0].state = GUEST_STOPPED; }
static void attached_but_clean(void) { functions[0]->life = PCI_CLEAN; }
// clang-format on

static const struct {
    void (*falsify)(void);
    const char *invariant, *subject, *message;
} cases[] = {
    {two_owners, "I1", "frames", "two owners"},
    {a_frame_too_many, "I2", "alpha", "does not own"},
    {nobodys_frame, "I2", "alpha", "does not own"},
    {ram_twice, "I2", "alpha", "neither the guest's RAM nor"},
    {ram_elsewhere, "I2", "alpha", "neither the guest's RAM nor"},
    {msix_mapped, "I2", "alpha", "does not own"},
    {msix_mapped, "I2", "alpha", "MSI-X table is mapped"},
    {msix_given_and_mapped, "I2", "alpha", "MSI-X table is mapped"},
    {msix_moved, "I2", "alpha", "MSI-X table is mapped"},
    {msix_nowhere, "I2", "alpha", "cannot be read"},
    {others_registers, "I2", "alpha", "does not own"},
    {bar_moved, "I2", "01:10.0", "moved past the hypervisor"},
    {bar_moved, "I2", "alpha", "elsewhere than where"},
    {bar_of_nobody_moved, "I2", "01:10.2", "moved past the hypervisor"},
    {bar_mapped_crosswise, "I2", "alpha", "elsewhere than where"},
    {registers_of_no_bar, "I2", "alpha", "nor a BAR"},
    {registers_cached, "I2", "alpha", "cached or executable"},
    {registers_executable, "I2", "alpha", "cached or executable"},
    {registers_write_through, "I2", "alpha", "cached or executable"},
    {ram_write_through, "I2", "alpha", "not mapped write-back"},
    {ram_uncached, "I2", "alpha", "not mapped write-back"},
    {host_combined, "I2", "host", "memory type"},
    {host_uncached_minus, "I2", "host", "memory type"},
    {snooped_where_reserved, "I3", "alpha", "snoop control"},
    {unit_cannot_snoop, "I3", "alpha", "snoop control"},
    {not_snooped, "I3", "alpha", "snoop control"},
    {phantoms, "I4", "alpha", "phantom functions"},
    {no_snoop, "I4", "alpha", "may bypass the caches"},
    {errors_reported, "I4", "alpha", "errors of the whole machine"},
    {translations_kept, "I4", "alpha", "ATS is on"},
    {no_redirection, "I4", "alpha", "ACS is off"},
    {no_redirection_above, "I4", "alpha", "ACS is off"},
    {direct_translated, "I4", "alpha", "ACS is off"},
    {unit_mapped, "I2", "alpha", "registers of the IOMMU"},
    {apic_mapped, "I2", "alpha", "registers of the IOMMU or of the local APIC"},
    {ept_in_guest, "I2", "alpha", "points at a table outside"},
    {ept_owned_by_guest, "I2", "alpha", "a table lies in memory"},
    {other_root, "I2", "alpha", "walks other tables"},
    {no_nested_paging, "I2", "alpha", "walks other tables"},
    {dma_page_too_many, "I3", "alpha", "not the guest's RAM"},
    {dma_prepared_wrongly, "I3", "alpha", "not the guest's RAM"},
    {dma_to_hypervisor, "I3", "alpha", "not the guest's RAM"},
    {dma_to_registers, "I3", "alpha", "not the guest's RAM"},
    {dma_elsewhere, "I3", "alpha", "not the guest's RAM there"},
    {dma_alone, "I3", "alpha", "guest's own tables do not"},
    {dma_table_in_guest, "I3", "alpha", "points at a table outside"},
    {dma_root_in_guest, "I3", "alpha", "no table of the hypervisor's"},
    {translation_off, "I4", "unit", "translation is off"},
    {other_format, "I4", "unit", "another format"},
    {root_in_guest, "I4", "unit", "root table is not"},
    {contexts_in_guest, "I4", "unit", "context table lies"},
    {stranger, "I4", "01:10.2", "without an owner"},
    {left_after_detach, "I4", "01:10.0", "without an owner"},
    {entry_missing, "I4", "01:10.0", "is missing"},
    {bus_missing, "I4", "01:10.0", "is missing"},
    {other_domain, "I4", "01:10.0", "another domain"},
    {others_memory, "I3", "alpha", "not the guest's RAM"},
    {pass_through, "I4", "01:10.0", "untranslated"},
    {device_tlb, "I4", "01:10.0", "untranslated"},
    {stranger_behind_refused_unit, "I4", "01:10.2", "without an owner"},
    {remapping_off, "I5", "unit", "remapping is off"},
    {compatible, "I5", "unit", "compatibility-format"},
    {source_unchecked, "I5", "alpha", "does not verify"},
    {source_partly_checked, "I5", "alpha", "does not verify"},
    {source_a_bus, "I5", "alpha", "does not verify"},
    {interrupt_of_stranger, "I5", "01:10.2", "without an owner"},
    {others_core, "I5", "alpha", "owner's cores"},
    {control_core, "I5", "alpha", "owner's cores"},
    {exception_vector, "I5", "alpha", "owner's cores"},
    {delivers_nmi, "I5", "alpha", "owner's cores"},
    {logical, "I5", "alpha", "owner's cores"},
    {posted, "I5", "alpha", "owner's cores"},
    {table_in_guest, "I5", "unit", "interrupt table lies"},
    {region_free, "I1", "frames", "free or a guest's"},
    {region_given, "I1", "frames", "free or a guest's"},
    {region_of_another, "I3", "01:10.4", "more than firmware keeps"},
    {region_elsewhere, "I3", "01:10.4", "more than firmware keeps"},
    {region_of_guest, "I3", "01:10.4", "more than firmware keeps"},
    {firmware_to_guest, "I3", "01:10.4", "more than firmware keeps"},
    {firmware_root, "I3", "01:10.4", "no table of the hypervisor's"},
    {firmware_domain, "I4", "01:10.4", "another domain"},
    {firmware_pass_through, "I4", "01:10.4", "untranslated"},
    {firmware_entry_missing, "I4", "01:10.4", "is missing"},
    {firmwares_and_a_guests, "I4", "01:10.4", "without an owner"},
    {firmware_master_left, "I6", "01:10.4", "masters the bus"},
    {unusable_and_owned, "I4", "01:10.0", "could not be reset or detached has an owner"},
    {unusable_and_attached, "I4", "01:10.0", "without an owner"},
    {vf_of_unusable_pf, "I4", "01:10.0", "could not be reset or detached has an owner"},
    {clean_vf_of_unusable_pf, "I4", "01:10.0", "could not be reset or detached has an owner"},
    {freed_while_attached, "I4", "01:10.0", "without an owner"},
    {freed_while_attached, "I4", "alpha", "does not own"},
    {freed_while_attached, "I1", "alpha", "registers of a function that it does not own"},
    {given_while_attached, "I4", "01:10.0", "another domain"},
    {given_while_attached, "I2", "alpha", "neither the guest's RAM nor a BAR"},
    {owner_without_device, "I4", "01:10.2", "does not have it among its devices"},
    {registers_taken, "I2", "alpha", "are not mapped"},
    {a_page_of_registers_taken, "I2", "alpha", "are not mapped"},
    {registers_kept, "I1", "alpha", "registers of a function that it does not own"},
    {registers_kept, "I2", "alpha", "neither the guest's RAM nor a BAR"},
    {attached_after_the_end, "I4", "alpha", "after the end of its guest"},
    {attached_but_clean, "I4", "alpha", "contradict each other"},
    {master_without_owner, "I6", "01:10.2", "masters the bus"},
    {writable_and_executable, "W^X", "host", "writable and executable"},
    {boot_code_left, "W^X", "host", "resident code"},
    {window_left_open, "I2", "host", "mapped on the control core"},
    {host_root_lost, "W^X", "host", "own tables"},
};

static void each_falsified_entry_is_named(void **state)
{
    static const struct page_table_format *const formats[] = {&page_format_ept, &page_format_npt};
    for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(formats); i++) {
        size_t n = i / ARRAY_SIZE(formats);
        build(formats[i % ARRAY_SIZE(formats)]);
        cases[n].falsify();
        char wanted[64];
        snprintf(wanted, sizeof wanted, "audit.violation invariant=%s subject=%s ",
                 cases[n].invariant, cases[n].subject);
        assert_false(audit_run());
        if (host_log_count(wanted, cases[n].message) == 0)
            fail_msg("case %zu: no \"%s... %s\" in:\n%s", n, wanted, cases[n].message,
                     host_log_text());
        assert_int_equal(host_log_count("audit.ok", NULL), 0);
    }
}

static void a_sound_system_passes(void **state)
{
    build(&page_format_ept);
    assert_true(audit_run());
    /* Three domains of two leaves, two memories of 2 + 7, two host leaves. */
    assert_int_equal(host_log_count("audit.ok", "leaves=26 contexts=65536 interrupts=2"), 1);
    assert_int_equal(host_log_count("audit.violation", NULL), 0);
}

static void it_still_passes_once_devices_are_taken_back(void **state)
{
    build(&page_format_npt);
    for (unsigned n = 0; n < GUEST_COUNT; n++) {
        commands[n] = PCI_COMMAND_MEMORY;
        iommu_interrupts_release(functions[n]);
        assert_int_equal(iommu_disconnect(functions[n], &guests[n].domain), STATUS_OK);
        functions[n]->life = PCI_CLEAN;
    }
    assert_true(audit_run());
    assert_int_equal(host_log_count("audit.ok", "interrupts=0"), 1);
}

/* The bit is hard-wired to one in many of them. */
static void a_host_bridge_may_master_the_bus(void **state)
{
    build(&page_format_ept);
    functions[2]->class_code = 0x060000;
    commands[2] |= PCI_COMMAND_BUS_MASTER;
    assert_true(audit_run());
}

/* What a unit that was refused covers is given to nobody, so its state is not the audit's. */
static void a_refused_unit_that_firmware_left_is_not_judged(void **state)
{
    build(&page_format_ept);
    for (unsigned n = 0; n < GUEST_COUNT; n++) {
        assert_int_equal(iommu_disconnect(functions[n], &guests[n].domain), STATUS_OK);
        functions[n]->life = PCI_CLEAN;
        commands[n] = 0;
    }
    vtd.unit[0].usable = false;
    unit->rtaddr = RAM(1) + MEMORY;
    assert_true(audit_run());
    unit->gsts = 0;
    assert_true(audit_run());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_system_passes),
        cmocka_unit_test(it_still_passes_once_devices_are_taken_back),
        cmocka_unit_test(a_refused_unit_that_firmware_left_is_not_judged),
        cmocka_unit_test(a_host_bridge_may_master_the_bus),
        cmocka_unit_test(each_falsified_entry_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
