/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/iommu_quirks.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
/* L6, steps 1 to 5: an entry is made for one message of one function, and taken away. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/labs/checks/irq_bench.h"

static uint8_t vector;
static uint32_t apic_id;

/* --- what the unit could see between two writes: each write to the table is stepped over --- */

#define TABLE_SIZE (VTD_INTERRUPT_ENTRIES * sizeof(struct vtd_irte))
static struct {
    uintptr_t table, written;
    bool torn;
    struct vtd_irte seen;
} watch;

static void on_write(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    if (watch.table == 0 || address - watch.table >= TABLE_SIZE) {
        signal(number, SIG_DFL);
        return;
    }
    watch.written = watch.table + (address - watch.table) / 16 * 16;
    mprotect((void *)watch.table, TABLE_SIZE, PROT_READ | PROT_WRITE);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= 0x100; /* TF */
}

static void after_write(int number, siginfo_t *info, void *context)
{
    struct vtd_irte entry = *(const volatile struct vtd_irte *)watch.written;
    bool whole = VTD_IRTE_SVT(entry.high) == 1 &&
                 VTD_IRTE_SID(entry.high) == (uint16_t)function->rid &&
                 VTD_IRTE_VECTOR(entry.low) == vector;
    if ((entry.low & VTD_IRTE_P) != 0 && !whole && !watch.torn) {
        watch.torn = true;
        watch.seen = entry;
    }
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100;
    mprotect((void *)watch.table, TABLE_SIZE, PROT_READ);
}

static void watch_begin(void)
{
    struct sigaction write = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO},
                     after = {.sa_sigaction = after_write, .sa_flags = SA_SIGINFO};
    watch.table = (uintptr_t)vtd.unit[0].interrupts;
    watch.torn = false;
    sigaction(SIGSEGV, &write, NULL);
    sigaction(SIGTRAP, &after, NULL);
    expect(mprotect((void *)watch.table, TABLE_SIZE, PROT_READ) == 0,
           "the check could not watch the table");
}

static void watch_end(const char *what, const char *rule)
{
    mprotect((void *)watch.table, TABLE_SIZE, PROT_READ | PROT_WRITE);
    watch.table = 0;
    signal(SIGSEGV, SIG_DFL);
    signal(SIGTRAP, SIG_DFL);
    expect(
        !watch.torn,
        "%s: between two writes the entry is present and not whole (lower half %#llx, upper half "
        "%#llx); %s",
        what, (unsigned long long)watch.seen.low, (unsigned long long)watch.seen.high, rule);
}

/* --- */

static enum status allocate(struct iommu_msi *msi)
{
    asking("iommu_interrupt_allocate(APIC id %#x, vector %#x)", apic_id, vector);
    return iommu_interrupt_allocate(function, apic_id, vector, msi);
}

static enum status give_back(const struct pci_function *of, uint16_t index)
{
    asking("iommu_interrupt_free(entry %u)", index);
    return iommu_interrupt_free(of, index);
}

static struct vtd_model_result send(const struct pci_function *from, const struct iommu_msi *msi)
{
    asking("a message of %s", rid_text(from->rid).text);
    return vtd_model_interrupt(unit, (uint16_t)from->rid, msi->address_low, msi->data);
}

static void expect_costs(const char *what)
{
    expect(unit->counts.iec_index == 1 && unit->counts.iec_global == 0,
           "%s: the interrupt entry cache was invalidated %u times for one entry and %u times for "
           "all; 1 and 0 are expected",
           what, unit->counts.iec_index, unit->counts.iec_global);
    vtd_model_counts_clear(unit);
}

static void in_and_out(const char *kind)
{
    char when[96];
    struct iommu_msi early = {VTD_MSI_ADDRESS | VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(1), 0, 0, 1},
                     msi = {0};
    /* A unit with caching mode remembers that nothing was there. */
    expect(!send(function, &early).allowed, "a message is delivered before it has an entry");
    expect(allocate(&msi) == STATUS_OK, "iommu_interrupt_allocate() refuses, %s: %s", kind,
           host_log_text());
    expect(msi.index != 0,
           "entry 0 was given out: a message whose index was never set would hit it");
    expect_entry(msi.index, function, apic_id, vector);
    expect_message(&msi);
    snprintf(when, sizeof when, "allocated, %s", kind);
    expect_delivered(send(function, &msi), apic_id, vector, when);
    expect_lawful(when);
    expect(!send(other, &msi).allowed,
           "%s: another function's message with that index gets through", when);
    expect_lawful(when);

    expect(give_back(function, msi.index) == STATUS_OK, "iommu_interrupt_free() refuses, %s: %s",
           kind, host_log_text());
    expect((entry_at(msi.index)->low & VTD_IRTE_P) == 0,
           "entry %u is still present after iommu_interrupt_free()", msi.index);
    expect(entry_at(msi.index)->low == 0 && entry_at(msi.index)->high == 0,
           "the rest of entry %u is left: %#llx %#llx", msi.index,
           (unsigned long long)entry_at(msi.index)->low,
           (unsigned long long)entry_at(msi.index)->high);
    snprintf(when, sizeof when, "freed, %s", kind);
    expect(!send(function, &msi).allowed,
           "%s: the message is still delivered; what is cleared in memory stays in the interrupt "
           "entry cache until it is invalidated (VT-d 6.5.2.7)",
           when);
    expect_lawful(when);
}

static void order(void)
{
    struct iommu_msi msi;
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    watch_begin();
    enum status status = allocate(&msi);
    watch_end("iommu_interrupt_allocate()", "the unit may look at any moment: P comes last");
    expect(status == STATUS_OK, "iommu_interrupt_allocate() refuses: %s", host_log_text());
    expect(unit->counts.iec_present == unit->counts.iec_index,
           "iommu_interrupt_allocate(): the unit was told to forget the entry before it was there; "
           "it may have looked again in between");
    expect_costs("iommu_interrupt_allocate()");
    watch_begin();
    status = give_back(function, msi.index);
    watch_end("iommu_interrupt_free()", "the unit may look at any moment: P goes first");
    expect(status == STATUS_OK, "iommu_interrupt_free() refuses: %s", host_log_text());
    expect(unit->counts.iec_present == 0,
           "iommu_interrupt_free(): the unit was told to forget the entry while it was still "
           "present; it may have looked again before it was cleared");
    expect_costs("iommu_interrupt_free()");
    uint16_t first = msi.index;
    expect(allocate(&msi) == STATUS_OK && msi.index == first + 1,
           "entry %u was given back, and the next one given out is %u instead of %u: the search "
           "begins behind the entry that was found last (interrupt_hint), or it looks at all of "
           "those in use each time",
           first, msi.index, first + 1);
}

static void destinations(void)
{
    struct iommu_msi msi;
    machine_of(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_EIM, true);
    asking("iommu_interrupt_allocate(APIC id 0x100) on a unit with 8-bit destinations");
    expect(iommu_interrupt_allocate(function, 0x100, vector, &msi) == STATUS_UNSUPPORTED,
           "APIC id 100h was accepted on a unit without EIM: eight bits hold 0 of it, another core "
           "(STATUS_UNSUPPORTED)");
    expect(iommu_interrupt_allocate(function, 0xff, vector, &msi) == STATUS_UNSUPPORTED,
           "APIC id ffh was accepted in xAPIC format, where it is all cores (STATUS_UNSUPPORTED)");
    expect(entries_present() == 0, "a refused call left an entry present");
}

static void allocation_refusals(void)
{
    struct iommu_msi msi;
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    for (unsigned number = 0; number < 16; number++) {
        asking("iommu_interrupt_allocate(vector %u)", number);
        expect(iommu_interrupt_allocate(function, apic_id, (uint8_t)number, &msi) == STATUS_INVALID,
               "vector %u was accepted: APICs take no message with a vector below 16 "
               "(SDM 3A 11.5.2; STATUS_INVALID)",
               number);
    }
    asking("iommu_interrupt_allocate(vector 16)");
    expect(iommu_interrupt_allocate(function, apic_id, 16, &msi) == STATUS_OK,
           "vector 16 was refused: 16 is the first that an APIC takes");
    vtd.unit[0].usable = false;
    expect(allocate(&msi) == STATUS_UNSUPPORTED,
           "an entry was made in a unit that is not usable (STATUS_UNSUPPORTED)");
    vtd.unit[0].usable = true;
    vtd.unit[0].remapping = false;
    expect(allocate(&msi) == STATUS_UNSUPPORTED,
           "an entry was made in a unit that does not remap (STATUS_UNSUPPORTED)");
    vtd.unit[0].remapping = true;
    unit->queue_silent = true;
    expect(allocate(&msi) != STATUS_OK,
           "a unit does not answer and nobody heard: whether it sees the entry is not known, so "
           "invalidate_entry()'s status is the result");
}

static void fill(void)
{
    static bool seen[65536];
    struct iommu_msi msi;
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    for (unsigned i = VTD_INTERRUPT_FIRST; i < VTD_INTERRUPT_ENTRIES; i++) {
        enum status status = allocate(&msi);
        expect(status == STATUS_OK, "entry number %u of %u was refused: %s", i,
               VTD_INTERRUPT_ENTRIES - 1, status_name(status));
        expect(msi.index != 0 && msi.index < VTD_INTERRUPT_ENTRIES,
               "entry %u was given out; 1 to %u are there to be", msi.index,
               VTD_INTERRUPT_ENTRIES - 1);
        expect(!seen[msi.index],
               "entry %u was given out twice: an entry is free when P is clear, nothing else",
               msi.index);
        seen[msi.index] = true;
    }
    expect(allocate(&msi) == STATUS_FULL, "the table is full and an entry was given out "
                                          "(STATUS_FULL)");
    expect(give_back(function, VTD_INTERRUPT_ENTRIES - 2) == STATUS_OK &&
               allocate(&msi) == STATUS_OK && msi.index == VTD_INTERRUPT_ENTRIES - 2,
           "entry %u is free in a table that is full otherwise, and was not found",
           VTD_INTERRUPT_ENTRIES - 2);
    uint16_t gap = (uint16_t)seeded("gap", 2, 4000, 77);
    expect(give_back(function, gap) == STATUS_OK, "iommu_interrupt_free(entry %u) refuses", gap);
    expect(allocate(&msi) == STATUS_OK && msi.index == gap,
           "entry %u is free in a table that is full otherwise, and was not found: the search goes "
           "on at entry 1 behind the last",
           gap);
}

static void free_refusals(void)
{
    struct iommu_msi msi;
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    expect(allocate(&msi) == STATUS_OK, "iommu_interrupt_allocate() refuses: %s", host_log_text());
    expect(give_back(other, msi.index) == STATUS_DENIED,
           "a function freed an entry of another one: the entry's SID says whose it is "
           "(STATUS_DENIED)");
    expect(give_back(function, (uint16_t)(msi.index + 1)) == STATUS_DENIED,
           "an entry was freed that is not present (STATUS_DENIED)");
    expect(give_back(function, 0xffff) == STATUS_DENIED,
           "an entry was freed that is not in the table (STATUS_DENIED)");
    expect(entries_present() == 1, "a refused call took an entry away");
    vtd.unit[0].remapping = false;
    expect(give_back(function, msi.index) == STATUS_UNSUPPORTED,
           "a unit that does not remap has no entries to free (STATUS_UNSUPPORTED)");
    vtd.unit[0].remapping = true;
    vtd.unit[0].usable = false;
    expect(give_back(function, msi.index) == STATUS_OK && entries_present() == 0,
           "a unit that takes no functions any more (`usable` is false) has still an entry of one, "
           "which could not be given back: the unit goes by it as before");
    vtd.unit[0].usable = true;
    expect(allocate(&msi) == STATUS_OK, "iommu_interrupt_allocate() refuses: %s", host_log_text());
    unit->queue_silent = true;
    expect(give_back(function, msi.index) != STATUS_OK,
           "a unit does not answer and nobody heard: it may deliver the message still");
}

void lab_check(void)
{
    vector = (uint8_t)seeded("vector", 0x20, 0xef, 0x41);
    apic_id = seeded("core", 2, 0xfd, 5);
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    in_and_out("with 32-bit destinations (EIME)");
    apic_id |= 0x12300;
    in_and_out("with an APIC id above ffh");
    apic_id &= 0xff;
    machine_of(MODEL_CAP, MODEL_ECAP, false);
    in_and_out("with cores in xAPIC mode");
    machine_of(MODEL_CAP, MODEL_ECAP & ~VTD_ECAP_C, true);
    in_and_out("on a unit that does not snoop caches (ECAP.C is 0)");
    machine_of(MODEL_CAP | VTD_CAP_CM, MODEL_ECAP, true);
    in_and_out("on a unit with caching mode (CAP.CM is 1)");
    segment = 2;
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    in_and_out("in segment 2");
    segment = 0;
    order();
    destinations();
    allocation_refusals();
    free_refusals();
    fill();
}
