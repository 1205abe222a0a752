/* SPDX-License-Identifier: MIT */
/* A modelled VT-d unit with interrupt remapping, two functions behind it, and what is asked of an
 * entry and of the message that selects it. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/format.h"
#include "hypervisor/iommu/vtd.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

static struct pci_function *function, *other;
static struct vtd_model *unit;
static uint16_t segment;

static inline void machine_of(uint64_t cap, uint64_t ecap, bool x2apic)
{
    machine_reset();
    vtd_model_x2apic(x2apic);
    unit = vtd_model_add(0xfed90000, cap, ecap);
    machine_drhd(segment, true, unit->base);
    unsigned bus = seeded("bus", 1, 200, 1), device = seeded("device", 1, 31, 0x10);
    function = machine_function(RID(segment, bus, device, 1), NULL);
    other = machine_function(RID(segment, bus, device, 3), NULL);
    function->life = PCI_USED;
    expect(machine_start() == STATUS_OK, "the check's own machine could not be made: %s",
           host_log_text());
    vtd_model_counts_clear(unit);
}

static inline void expect_lawful(const char *after)
{
    expect(vtd_model_violations() == 0, "%s: the unit minds: %s", after,
           vtd_model_violation_text());
}

static inline const struct vtd_irte *entry_at(uint32_t index)
{
    return &vtd.unit[0].interrupts[index];
}

static inline unsigned entries_present(void)
{
    unsigned count = 0;
    for (uint32_t index = 0; index < VTD_INTERRUPT_ENTRIES; index++)
        count += (entry_at(index)->low & VTD_IRTE_P) != 0;
    return count;
}

/* The message itself, VT-d 5.1.2.2. `index` is what the function says it has given out. */
static inline void expect_message(const struct iommu_msi *msi)
{
    uint32_t low = msi->address_low, handle = (low >> 5 & 0x7fff) | (low >> 2 & 1) << 15;
    expect(low >> 20 == 0xfee && msi->address_high == 0,
           "the message's address is %#x%08x: interrupts are writes to fee00000h-feefffffh",
           msi->address_high, low);
    expect((low & 0x10) != 0,
           "the message's address is %#x: bit 4 (interrupt format) is clear, so it is in "
           "compatibility format, which names a vector itself and is blocked (VT-d 5.1.2)",
           low);
    expect(
        (low & 8) == 0,
        "the message's address is %#x: SHV (bit 3) is set, so bits 15:0 of the data are added to "
        "the handle; an MSI-X vector has a message of its own and needs no subhandle",
        low);
    expect(
        handle == msi->index,
        "the message's address %#x has handle %#x, the entry is %#x: handle 14:0 is in bits 19:5 "
        "and handle 15 in bit 2 (VT-d 5.1.2.2)",
        low, handle, msi->index);
    expect(msi->data == 0,
           "the message's data is %#x instead of 0: the vector is in the entry, and data is only a "
           "subhandle, with SHV",
           msi->data);
}

static inline void expect_destination(uint32_t index, uint32_t apic_id)
{
    uint32_t got = VTD_IRTE_DST(entry_at(index)->low);
    if (vtd.unit[0].eim) {
        expect(got == apic_id || got != apic_id << 8,
               "entry %u: the destination of APIC id %#x is in bits 47:40, its place in xAPIC "
               "format; with EIME it is all of bits 63:32 (VT-d 9.10)",
               index, apic_id);
        expect(got == apic_id, "entry %u: bits 63:32 are %#x instead of APIC id %#x", index, got,
               apic_id);
    } else {
        expect(got != apic_id,
               "entry %u: the destination of APIC id %#x is in bits 39:32, which are reserved "
               "without EIME; in xAPIC format it is bits 47:40 (VT-d 9.10)",
               index, apic_id);
        expect(got == apic_id << 8,
               "entry %u: bits 63:32 are %#x; in xAPIC format APIC id %#x is in bits 47:40 and the "
               "rest is 0",
               index, got, apic_id);
    }
}

static inline void expect_source(uint32_t index, const struct pci_function *of)
{
    uint64_t high = entry_at(index)->high, too_much = of->rid & 0xffff0000;
    expect(too_much == 0 || (high & too_much) == 0,
           "entry %u: the upper half is %#llx: the PCI segment (bits 31:16 of a rid_t) is in SQ, "
           "SVT and above; the SID has 16 bits, and the unit is of that segment",
           index, (unsigned long long)high);
    expect(VTD_IRTE_SVT(high) == 1,
           "entry %u: SVT (bits 19:18 of the upper half) is %u instead of 1: the function's own "
           "interrupts work, but the unit does not compare the requester id as it should, and "
           "another function can send them too (VT-d 9.10); the audit calls it I5",
           index, VTD_IRTE_SVT(high));
    expect(VTD_IRTE_SQ(high) == 0,
           "entry %u: SQ (bits 17:16 of the upper half) is %u: function bits are left out of the "
           "comparison (VT-d 9.10)",
           index, VTD_IRTE_SQ(high));
    expect(VTD_IRTE_SID(high) == (uint16_t)of->rid,
           "entry %u: SID is %s instead of %s, the function that was given the entry: its own "
           "messages are blocked with reason 26h",
           index, rid_text(VTD_IRTE_SID(high)).text, rid_text(of->rid).text);
    expect(
        high >> 20 == 0,
        "entry %u: bits 63:20 of the upper half are %#llx; they are reserved, the PCI segment is "
        "not part of the SID",
        index, (unsigned long long)(high >> 20));
}

static inline void expect_entry(uint32_t index, const struct pci_function *of, uint32_t apic_id,
                                uint8_t vector)
{
    uint64_t low = entry_at(index)->low;
    expect((low & VTD_IRTE_P) != 0, "entry %u: P (bit 0) is clear, so the unit sees no entry",
           index);
    expect(VTD_IRTE_VECTOR(low) == vector,
           "entry %u: the vector in bits 23:16 is %#x instead of %#x (VT-d 9.10)", index,
           VTD_IRTE_VECTOR(low), vector);
    expect(
        (low & 0xff00fffe) == 0,
        "entry %u: the lower half is %#llx; fixed delivery of an edge to one APIC by physical id "
        "is P and 0 in bits 15:1 and 31:24",
        index, (unsigned long long)low);
    expect_destination(index, apic_id);
    expect_source(index, of);
}

/* What the unit makes of it. */
static inline void expect_delivered(struct vtd_model_result got, uint32_t apic_id, uint8_t vector,
                                    const char *when)
{
    expect(got.allowed, "%s: the function's own message is blocked, reason %#x%s", when, got.reason,
           got.reason == 0x22 ? ": the unit still has the entry of before, not present, in its "
                                "interrupt entry cache until it is invalidated (VT-d 6.5.2.7)"
                              : "");
    expect(got.vector == vector && got.destination == apic_id,
           "%s: vector %#x arrives at APIC id %#x instead of %#x at %#x", when, got.vector,
           got.destination, vector, apic_id);
}
