/* SPDX-License-Identifier: MIT */
/* The 82576's registers as a model, and the VFs' side of its mailbox; static on purpose. */
#pragma once

#include <string.h>

#include "drivers/setup/pf_drivers.h"
#include "drivers/igb/igb.h"
#include "drivers/igb/igb_registers.h"
#include "drivers/igb/setup/igb_setup_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "tests/unit/support/host.h"

#define REGISTERS UINT64_C(0x600000000000)
#define SIZE      0x20000u

static uint32_t registers[SIZE / 4];
static bool vf_owns[IGB_POOLS]; /* VFU: the VF holds the buffer */
static uint64_t reset_until;
static bool reset_hangs, phy_is_dead, no_cable, has_no_mac, has_no_nvm;
static uint64_t queue_off_at, queue_on_at; /* queue 0's ENABLE reads 0, 1 from then on */
static bool queue_stays_off;
static unsigned accesses, resets;
static uint16_t phy[32];
static struct pci_function function;
static struct pf_device device;

static uint32_t get(unsigned offset)
{
    return registers[offset / 4];
}

static void put(unsigned offset, uint64_t value)
{
    registers[offset / 4] = (uint32_t)value;
}

static void power_on(void)
{
    memset(registers, 0, sizeof registers);
    for (unsigned queue = 0; queue < IGB_QUEUES; queue++) {
        put(IGB_RX_QUEUE(queue) + IGB_QUEUE_FORMAT, 0x402);
        put(IGB_RX_QUEUE(queue) + IGB_QUEUE_CACHE, 0xa200);
        put(IGB_TX_QUEUE(queue) + IGB_QUEUE_CACHE, 0x2a00);
    }
    put(IGB_CTRL, IGB_CTRL_OBEY_PAUSE | IGB_CTRL_SEND_PAUSE); /* as an NVM may have it */
    put(IGB_PCS_ANADV, 0x1a0);
    phy[PHY_ADVERTISE] = 0x0de1;
    if (!has_no_nvm)
        put(IGB_EECD, IGB_EECD_AUTO_READ);
    if (!has_no_mac) {
        put(IGB_RAL(0), 0x12005452);
        put(IGB_RAH(0), IGB_RAH_VALID | 0x5634);
    }
}

uint32_t mmio_read32(uintptr_t address)
{
    assert_in_range(address, REGISTERS, REGISTERS + SIZE - 4);
    assert_int_equal(address % 4, 0);
    unsigned offset = (unsigned)(address - REGISTERS);
    accesses++;
    if (offset == IGB_CTRL && (reset_hangs || clock_microseconds() < reset_until))
        return get(offset) | (uint32_t)IGB_CTRL_RST;
    uint32_t value = get(offset);
    if (offset == IGB_TX_QUEUE(0) + IGB_QUEUE_CONTROL && clock_microseconds() < queue_off_at)
        value |= IGB_QUEUE_CONTROL_ENABLE;
    else if (offset == IGB_TX_QUEUE(0) + IGB_QUEUE_CONTROL &&
             (queue_stays_off || clock_microseconds() < queue_on_at))
        value &= ~IGB_QUEUE_CONTROL_ENABLE;
    bool dropped = offset >= IGB_RX_QUEUE(0) && offset < IGB_RX_QUEUE(IGB_QUEUES) &&
                   offset % 0x40 == IGB_QUEUE_DROPPED;
    bool events = offset >= IGB_V2PMAILBOX(0) && offset < IGB_V2PMAILBOX(IGB_POOLS);
    if (offset == IGB_WVBR || dropped || events)
        put(offset, 0);
    return value;
}

static void write_mailbox(unsigned vf, uint32_t value)
{
    if ((value & IGB_P2V_RESET_VFU) != 0)
        vf_owns[vf] = false;
    uint32_t now = get(IGB_P2VMAILBOX(vf)) & ~(uint32_t)IGB_P2V_PF_USES;
    now |= value & (uint32_t)(IGB_P2V_STATUS | IGB_P2V_ACK);
    if ((value & IGB_P2V_PF_USES) != 0 && !vf_owns[vf])
        now |= (uint32_t)IGB_P2V_PF_USES;
    put(IGB_P2VMAILBOX(vf), now);
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    assert_in_range(address, REGISTERS, REGISTERS + SIZE - 4);
    unsigned offset = (unsigned)(address - REGISTERS);
    accesses++;
    if (offset == IGB_CTRL && (value & IGB_CTRL_RST) != 0) {
        power_on();
        resets++;
        reset_until = clock_microseconds() + 4000;
    } else if (offset == IGB_TX_QUEUE(0) + IGB_QUEUE_CONTROL) {
        uint64_t now = clock_microseconds();
        if ((value & IGB_QUEUE_CONTROL_ENABLE) == 0)
            queue_off_at = now + 1000;
        else
            queue_on_at = now < queue_off_at ? UINT64_MAX : now + 3000;
        put(offset, value);
    } else if (offset == IGB_TX_QUEUE(0) + IGB_QUEUE_TAIL &&
               (queue_stays_off || clock_microseconds() < queue_on_at)) {
        /* lost */
    } else if (offset == IGB_MDIC) {
        bool ours = (value & IGB_MDIC_PHY(31)) == IGB_MDIC_PHY(1);
        put(offset, phy_is_dead ? value
                    : ours      ? value | IGB_MDIC_READY
                                : value | IGB_MDIC_READY | IGB_MDIC_ERROR);
        if (ours && (value & IGB_MDIC_WRITE) != 0)
            phy[value >> 16 & 0x1f] = (uint16_t)value;
        if (ours && !phy_is_dead && !no_cable && (value & 0xffff) == 0x1200 &&
            (get(IGB_CTRL) & IGB_CTRL_SLU))
            put(IGB_STATUS, IGB_STATUS_LINK_UP);
    } else if (offset == IGB_MBVFICR || offset == IGB_VFLRE ||
               (offset >= IGB_VF(0) && offset < IGB_VF(IGB_POOLS) &&
                offset % 0x100 == IGB_VF_EICR)) {
        put(offset, get(offset) & ~value);
    } else if (offset >= IGB_P2VMAILBOX(0) && offset < IGB_P2VMAILBOX(IGB_POOLS)) {
        write_mailbox((offset - IGB_P2VMAILBOX(0)) / 4, value);
    } else {
        put(offset, value);
    }
}

/* The PF's own domain: open while the driver runs, never while the device is being reset. */
static struct pf_dma dma;
static bool no_dma;
static unsigned dma_open;

struct pf_dma *pf_dma_open(struct pci_function *pf, size_t pages)
{
    assert_ptr_equal(pf, &function);
    assert_int_equal(pages, 1);
    assert_int_equal(resets, 1);
    if (no_dma)
        return NULL;
    dma_open++;
    return &dma;
}

void pf_dma_close(struct pf_dma *closed)
{
    assert_ptr_equal(closed, &dma);
    assert_int_equal(dma_open, 1);
    dma_open--;
}

/* The ring that the card is told to fetch from, and what lies there. */
static enum status dma_test_status;
static unsigned dma_tests, quiet_tests; /* so many, in the beginning, see nothing */
static uint64_t ring_at;
static uint32_t tail_at;
static uint64_t link_at;

enum status pf_dma_test(struct pci_function *pf, const void *content, size_t size,
                        void (*provoke)(void *context, uint64_t address), void *context,
                        void (*others)(const struct iommu_fault *fault))
{
    assert_ptr_equal(pf, &function);
    assert_int_equal(resets, ++dma_tests);
    assert_int_equal(size, 16);
    assert_int_equal(((const uint32_t *)content)[2], 0x28300000);
    provoke(context, 0x123456000);
    ring_at = (uint64_t)get(IGB_TX_QUEUE(0) + IGB_QUEUE_BASE_HIGH) << 32 |
              get(IGB_TX_QUEUE(0) + IGB_QUEUE_BASE_LOW);
    link_at = get(IGB_STATUS) & IGB_STATUS_LINK_UP;
    tail_at = get(IGB_TX_QUEUE(0) + IGB_QUEUE_TAIL);
    return dma_tests <= quiet_tests ? STATUS_TIMEOUT : dma_test_status;
}

static const struct pf_driver *driver(void)
{
    return &igb_pf_driver;
}

static int fresh(void **state)
{
    reset_hangs = phy_is_dead = no_cable = has_no_mac = has_no_nvm = no_dma = queue_stays_off =
        false;
    dma_tests = quiet_tests = 0;
    queue_off_at = queue_on_at = 0;
    function.life = PCI_UNKNOWN;
    memset(vf_owns, 0, sizeof vf_owns);
    if (device.vfs != 0)
        igb_pf_setup.stop(&device);
    power_on();
    host_log_clear();
    reset_until = accesses = resets = 0;
    function = (struct pci_function){.rid = RID(0, 1, 0, 0), .vendor = 0x8086, .device = 0x10c9};
    device = (struct pf_device){
        .function = &function, .driver = driver(), .registers = REGISTERS, .registers_size = SIZE};
    return 0;
}

static void start(uint16_t vfs)
{
    assert_int_equal(igb_pf_setup.start(&device, vfs), STATUS_OK);
    /* VF Enable resets the VFs, as the device does it. */
    put(IGB_VFRE, 0);
    put(IGB_VFTE, 0);
    put(IGB_VFLRE, 0xff);
    assert_int_equal(igb_pf_setup.vfs_enabled(&device), STATUS_OK);
}

/* --- the VF's side --- */

static void vf_send(unsigned vf, const uint32_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put(IGB_VMBMEM(vf) + 4 * i, words[i]);
    put(IGB_P2VMAILBOX(vf), 0);
    put(IGB_MBVFICR, get(IGB_MBVFICR) | (uint32_t)IGB_MBVFICR_REQUEST(vf));
}

static uint32_t vf_call(unsigned vf, uint32_t word, uint32_t first, uint32_t second)
{
    vf_send(vf, (uint32_t[]){word, first, second}, 3);
    host_clock_advance(2000);
    assert_true(driver()->service(&device));
    assert_int_equal(get(IGB_P2VMAILBOX(vf)) & 0xf, IGB_P2V_STATUS | IGB_P2V_ACK);
    assert_int_equal(get(IGB_MBVFICR), 0);
    return get(IGB_VMBMEM(vf));
}

static void vf_up(unsigned vf)
{
    assert_int_equal(vf_call(vf, IGB_VF_RESET, 0, 0), 0x80000001);
}

#define ACK(type)  (UINT32_C(0xa0000000) | (type))
#define NACK(type) (UINT32_C(0x60000000) | (type))
