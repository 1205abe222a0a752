/* SPDX-License-Identifier: MIT */
/* A device whose MSI-X table lies in a BAR of memory, an interrupt remapping that keeps books, and
 * a guest with two cores. Static on purpose. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/iommu/interrupt.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/vdev/virtual_msix.h"
#include "tests/unit/support/host.h"

#define BAR_BASE UINT64_C(0xc0400000)
#define BAR_SIZE 0x8000u
#define TABLE    0x2000u /* in the BAR; registers share its page */
#define PBA      0x2800u
#define VECTORS  10u
#define ENTRIES  16u

/* --- the device: its BAR, and whether MSI-X is on --- */

static uint8_t bar[BAR_SIZE];
static bool msix_on, msix_masked;
static unsigned accesses;

static inline void *in_bar(uintptr_t address, unsigned width)
{
    const uintptr_t offset = address - (uintptr_t)bar;
    assert_true(offset < BAR_SIZE && offset + width <= BAR_SIZE && IS_ALIGNED(offset, width));
    accesses++;
    return bar + offset;
}

/* The device may not be given a vector that is half written (PCIe 6.1.4.2). */
static inline void check_write(uintptr_t address)
{
    const uintptr_t offset = address - (uintptr_t)bar;
    if (offset < TABLE || offset >= TABLE + VECTORS * 16 || offset % 16 == 12)
        return;
    assert_true((bar[offset / 16 * 16 + 12] & 1) != 0);
}

uint8_t mmio_read8(uintptr_t address)
{
    return *(uint8_t *)in_bar(address, 1);
}

uint16_t mmio_read16(uintptr_t address)
{
    return *(uint16_t *)in_bar(address, 2);
}

uint32_t mmio_read32(uintptr_t address)
{
    return *(uint32_t *)in_bar(address, 4);
}

uint64_t mmio_read64(uintptr_t address)
{
    return *(uint64_t *)in_bar(address, 8);
}

void mmio_write8(uintptr_t address, uint8_t value)
{
    *(uint8_t *)in_bar(address, 1) = value;
}

void mmio_write16(uintptr_t address, uint16_t value)
{
    *(uint16_t *)in_bar(address, 2) = value;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    check_write(address);
    *(uint32_t *)in_bar(address, 4) = value;
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    *(uint64_t *)in_bar(address, 8) = value;
}

void msix_enable(const struct pci_function *function, bool enable, bool mask_all)
{
    msix_on = enable;
    msix_masked = mask_all;
}

/* --- interrupt remapping --- */

static struct {
    bool used;
    uint32_t apic_id;
    uint8_t vector;
} entries[ENTRIES];
static bool remaps;
static enum status remapping_status;

bool iommu_remaps_interrupts(void)
{
    return remaps;
}

static inline unsigned used_entries(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        count += entries[i].used;
    return count;
}

enum status iommu_interrupt_allocate(const struct pci_function *function, uint32_t apic_id,
                                     uint8_t vector, struct iommu_msi *msi)
{
    if (remapping_status != STATUS_OK)
        return remapping_status;
    for (uint16_t i = 1; i < ENTRIES; i++) {
        if (entries[i].used)
            continue;
        entries[i].used = true;
        entries[i].apic_id = apic_id;
        entries[i].vector = vector;
        *msi = (struct iommu_msi){0xfee00010u | (uint32_t)i << 5, 0, 0, i};
        return STATUS_OK;
    }
    return STATUS_FULL;
}

enum status iommu_interrupt_update(const struct pci_function *function, uint16_t index,
                                   uint32_t apic_id, uint8_t vector)
{
    assert_true(index < ENTRIES && entries[index].used);
    if (remapping_status != STATUS_OK)
        return remapping_status;
    entries[index].apic_id = apic_id;
    entries[index].vector = vector;
    return STATUS_OK;
}

enum status iommu_interrupt_free(const struct pci_function *function, uint16_t index)
{
    assert_true(index < ENTRIES && entries[index].used);
    entries[index].used = false;
    return remapping_status;
}

void iommu_interrupts_release(const struct pci_function *function)
{
    memset(entries, 0, sizeof entries);
}

/* --- the guest: two cores, one with an id beyond eight bits --- */

static struct vcpu cores[2] = {{.apic_id = 3}, {.apic_id = 0x1234}};
static struct guest guest = {.name = "alpha", .cpu_count = 2, .vcpus = {&cores[0], &cores[1]}};
static struct pci_function function;
static struct guest_vector vectors[VECTORS];
static struct assignment device;

static inline int fresh(void **state)
{
    memset(bar, 0, sizeof bar);
    memset(entries, 0, sizeof entries);
    for (unsigned i = 0; i < VECTORS; i++)
        bar[TABLE + i * 16 + 12] = 1;
    remaps = true;
    remapping_status = STATUS_OK;
    function = (struct pci_function){.rid = RID(0, 1, 0x10, 1), .life = PCI_USED};
    device = (struct assignment){
        .guest = &guest,
        .function = &function,
        .bars = {[3] = {.guest_base = BAR_BASE, .host_base = 0xfe100000, .size = BAR_SIZE}},
        .has_msix = true,
        .msix = {.vectors = VECTORS,
                 .table_bar = 3,
                 .table_offset = TABLE,
                 .pba_bar = 3,
                 .pba_offset = PBA},
        .msix_table = (uintptr_t)bar + TABLE,
        .vectors = vectors,
    };
    view_reset_interrupts(&device);
    accesses = 0;
    host_log_clear();
    return 0;
}

static inline uint64_t at(unsigned vector, unsigned field)
{
    return BAR_BASE + TABLE + vector * 16 + field;
}

static inline void write(uint64_t address, unsigned width, uint64_t value)
{
    virtual_msix_write(&device, address, width, value);
}

static inline uint64_t read(uint64_t address, unsigned width)
{
    return virtual_msix_read(&device, address, width);
}

static inline uint32_t physical(unsigned vector, unsigned field)
{
    uint32_t value;
    memcpy(&value, bar + TABLE + vector * 16 + field, 4);
    return value;
}

static inline void enable(bool on)
{
    device.msix_enabled = on;
    virtual_msix_update(&device);
}

static inline void program(unsigned vector, uint64_t address, uint32_t data, bool masked)
{
    write(at(vector, 12), 4, 1);
    write(at(vector, 0), 4, (uint32_t)address);
    write(at(vector, 4), 4, address >> 32);
    write(at(vector, 8), 4, data);
    write(at(vector, 12), 4, masked);
}

/* Entry of the vector in the device's table, 0 when masked there. */
static inline unsigned entry_of(unsigned vector)
{
    if ((physical(vector, 12) & 1) != 0)
        return 0;
    assert_int_equal(physical(vector, 0) & 0xfff0001f, 0xfee00010);
    assert_int_equal(physical(vector, 4), 0);
    assert_int_equal(physical(vector, 8), 0);
    const unsigned index = physical(vector, 0) >> 5 & 0x7fff;
    assert_true(index < ENTRIES && entries[index].used);
    return index;
}

static inline void expect_delivery(unsigned vector, uint32_t apic_id, uint8_t number)
{
    const unsigned index = entry_of(vector);
    assert_int_not_equal(index, 0);
    assert_int_equal(entries[index].apic_id, apic_id);
    assert_int_equal(entries[index].vector, number);
}
