/* SPDX-License-Identifier: MIT */
/* The PF driver on a modelled card of each kind, and the VFs' side of its mailbox; static on
 * purpose. */
#pragma once

#include <string.h>

#include "drivers/igb/igb.h"
#include "drivers/setup/pf_drivers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "tests/unit/model/nic_model.h"
#include "tests/unit/support/host.h"

#define REGISTERS UINT64_C(0x600000000000)
#define SIZE      0x20000u

static struct pci_function function;
static struct pf_device device;

static const struct part {
    const char *name;
    uint16_t device;
    enum nic_kind kind;
    enum nic_medium medium;
    unsigned port;
} parts[] = {
    {"82576", 0x10c9, NIC_82576, NIC_COPPER, 0},
    {"82576, second port", 0x10c9, NIC_82576, NIC_COPPER, 1},
    {"82576 fibre", 0x10e6, NIC_82576, NIC_SERDES, 0},
    {"82576 SerDes", 0x10e7, NIC_82576, NIC_SERDES, 0},
    {"I350", 0x1521, NIC_I350, NIC_COPPER, 0},
    {"I350, second port", 0x1521, NIC_I350, NIC_COPPER, 1},
    {"I350, third port", 0x1521, NIC_I350, NIC_COPPER, 2},
    {"I350, fourth port", 0x1521, NIC_I350, NIC_COPPER, 3},
    {"I350 fibre", 0x1522, NIC_I350, NIC_SERDES, 0},
    {"I350 SerDes", 0x1523, NIC_I350, NIC_SERDES, 0},
    {"I350 backplane", 0x1523, NIC_I350, NIC_KX, 0},
    {"I350 SGMII", 0x1524, NIC_I350, NIC_SGMII, 0},
};
static const struct part *part;

#define FOR_EACH_PART for (part = parts; part < parts + ARRAY_SIZE(parts); part++)

uint32_t mmio_read32(uintptr_t address)
{
    assert_in_range(address, REGISTERS, REGISTERS + SIZE - 4);
    assert_int_equal(address % 4, 0);
    return nic_read((unsigned)(address - REGISTERS));
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    assert_in_range(address, REGISTERS, REGISTERS + SIZE - 4);
    nic_write((unsigned)(address - REGISTERS), value);
}

static struct pf_dma *const dma = (struct pf_dma *)&device;

struct pf_dma *pf_dma_open(struct pci_function *pf, size_t pages)
{
    return dma;
}

void pf_dma_close(struct pf_dma *closed)
{
    assert_ptr_equal(closed, dma);
}

enum status pf_dma_test(struct pci_function *pf, const void *content, size_t size,
                        void (*provoke)(void *context, uint64_t address), void *context,
                        void (*others)(const struct iommu_fault *fault))
{
    provoke(context, 0x123456000);
    return STATUS_OK;
}

static void plug(void)
{
    if (device.vfs != 0)
        igb_pf_setup.stop(&device);
    nic_power_on(part->kind, part->medium, part->port);
    host_log_clear();
    function = (struct pci_function){
        .rid = RID(0, 1, 0, part->port), .vendor = 0x8086, .device = part->device};
    device = (struct pf_device){.function = &function,
                                .driver = &igb_pf_driver,
                                .registers = REGISTERS,
                                .registers_size = SIZE};
}

static void lawful(void)
{
    if (nic_violations() != 0)
        fail_msg("%s: %u violations, the first: %s", part->name, nic_violations(),
                 nic_first_violation());
}

static void start(uint16_t vfs)
{
    plug();
    assert_int_equal(igb_pf_setup.start(&device, vfs), STATUS_OK);
    nic_enable_vfs();
    assert_int_equal(igb_pf_setup.vfs_enabled(&device), STATUS_OK);
}

static int fresh(void **state)
{
    nic_faults = (struct nic_faults){0};
    part = parts;
    plug();
    return 0;
}

static uint32_t call(unsigned vf, uint32_t word, uint32_t first, uint32_t second)
{
    nic_vf_send(vf, (uint32_t[]){word, first, second}, 3);
    host_clock_advance(2000);
    assert_true(igb_pf_driver.service(&device));
    return nic_look(0x800 + 64 * vf);
}

#define ACKED(word) (((word) & 0xe0000000) == 0xa0000000)

static void handshake(unsigned vf)
{
    assert_int_equal(call(vf, 1, 0, 0), 0x80000001);
}

/* What the VF was told. */
__attribute__((unused)) static uint64_t told(unsigned vf)
{
    handshake(vf);
    return nic_look(0x804 + 64 * vf) | (uint64_t)(nic_look(0x808 + 64 * vf) & 0xffff) << 32;
}
