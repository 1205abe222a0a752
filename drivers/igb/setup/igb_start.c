/* SPDX-License-Identifier: MIT */
/*
 * Bringing the PF of an 82576 or I350 up: reset, internal switch, pools (82576
 * datasheet 4.6, 7.10). Everything goes through registers; the PF itself never does DMA and raises
 * no interrupts.
 */
#include "drivers/igb/igb.h"
#include "drivers/igb/igb_port.h"
#include "drivers/igb/setup/igb_link.h"
#include "drivers/igb/setup/igb_setup_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/pf_setup.h"

/* Registers must not be touched before (datasheet 4.2.1.3). */
#define RESET_SETTLE MILLISECONDS(3)
#define RESET_TIME   MILLISECONDS(500)
#define NVM_TIME     MILLISECONDS(100)
#define QUEUE_TIME   MILLISECONDS(100)
#define LINK_TIME    MILLISECONDS(4000) /* 1000BASE-T takes 2 to 3 s */
#define DMA_ATTEMPTS 3

static bool igb_probe(const struct pci_function *function)
{
    return igb_card_of(function) != NULL;
}

/* Bus mastering is off, so no request of ours can be under way: the GIO master handshake that
 * otherwise comes before a reset is not needed. */
static enum status reset(struct pf_device *device)
{
    igb_write(device, IGB_EIMC, UINT32_MAX);
    igb_write(device, IGB_IMC, UINT32_MAX);
    igb_write(device, IGB_RCTL, 0);
    igb_write(device, IGB_TCTL, 0);
    igb_update(device, IGB_CTRL, 0, IGB_CTRL_RST);
    clock_delay(RESET_SETTLE);
    if (!WAIT_UNTIL((igb_read(device, IGB_CTRL) & IGB_CTRL_RST) == 0, RESET_TIME))
        return igb_refuse(device, STATUS_TIMEOUT, "the device does not come out of reset");
    /* Boards without an NVM set neither; what was not loaded shows in the MAC address. */
    (void)WAIT_UNTIL((igb_read(device, IGB_EECD) & IGB_EECD_AUTO_READ) != 0 ||
                         (igb_read(device, IGB_RAH(0)) & IGB_RAH_VALID) != 0,
                     NVM_TIME);
    if (igb_card_of(device->function)->facts->has_phpm)
        igb_write(device, IGB_STATUS, IGB_STATUS_RESET_DONE);
    igb_write(device, IGB_EIMC, UINT32_MAX);
    igb_write(device, IGB_IMC, UINT32_MAX);
    igb_write(device, IGB_EIAC, 0);
    igb_write(device, IGB_GPIE, IGB_GPIE_MSIX_MODE | IGB_GPIE_PBA);
    (void)igb_read(device, IGB_ICR);
    return STATUS_OK;
}

/* VF n's address is the PF's, made locally administered, with n + 1 in the third byte: ports of one
 * card have neighbouring addresses, which counting in the last byte would run into. */
static enum status read_mac(struct pf_device *device, struct igb_port *port)
{
    uint32_t low = igb_read(device, IGB_RAL(0)), high = igb_read(device, IGB_RAH(0));
    uint8_t all = 0;
    for (unsigned i = 0; i < 6; i++) {
        port->mac[i] = (uint8_t)((i < 4 ? low >> (8 * i) : high >> (8 * (i - 4))) & 0xff);
        all |= port->mac[i];
    }
    if (all == 0 || (port->mac[0] & 1) != 0)
        return igb_refuse(device, STATUS_DEVICE, "the NVM holds no MAC address");
    for (unsigned vf = 0; vf < device->vfs; vf++) {
        memcpy(port->vf_mac[vf], port->mac, 6);
        port->vf_mac[vf][0] |= 2;
        port->vf_mac[vf][2] ^= (uint8_t)(vf + 1);
    }
    return STATUS_OK;
}

/* What a reset leaves: addresses and filters of whoever had the card before. */
static void clear_tables(struct pf_device *device, const struct igb_facts *facts)
{
    for (unsigned i = 0; i < IGB_MTA_COUNT; i++)
        igb_write(device, IGB_MTA(i), 0);
    for (unsigned i = 0; i < IGB_VFTA_COUNT * facts->kind.vlan_writes; i++)
        igb_write(device, IGB_VFTA(i / facts->kind.vlan_writes), 0);
    for (unsigned i = 0; i < IGB_VLVF_COUNT; i++)
        igb_write(device, IGB_VLVF(i), 0);
    /* Entry 0 keeps the PF's own address with no pool behind it: such packets are dropped. */
    for (unsigned i = 1; i < facts->receive_addresses; i++) {
        igb_write(device, IGB_ALL_RAL(i) + 4, 0);
        igb_write(device, IGB_ALL_RAL(i), 0);
    }
    for (unsigned pool = 0; pool < IGB_POOLS; pool++) {
        igb_write(device, IGB_VMOLR(pool),
                  (facts->kind.has_dvmolr ? 0 : IGB_VMOLR_STRIP_CRC) | IGB_MAX_FRAME);
        igb_write(device, IGB_VMVIR(pool), 0);
        igb_vf_clear_vectors(device, (uint16_t)pool);
    }
}

/* The internal switch (7.10.3): VFs reach each other inside, forged source addresses and VLANs are
 * dropped, a packet for nobody goes to nobody, and a pool that does not take its packets loses them
 * instead of holding up the others. */
static void start_switch(struct pf_device *device, const struct igb_facts *facts)
{
    uint64_t control = IGB_DTXSWC_LOOPBACK, drop = 0;
    for (unsigned vf = 0; vf < device->vfs; vf++)
        control |= IGB_DTXSWC_MAC_SPOOF(vf) | IGB_DTXSWC_VLAN_SPOOF(vf);
    for (unsigned queue = 0; queue < facts->kind.queues; queue++)
        drop |= BIT(queue);
    igb_write(device, IGB_VFRE, 0);
    igb_write(device, IGB_VFTE, 0);
    igb_write(device, IGB_MRQC, IGB_MRQC_VMDQ);
    igb_write(device, IGB_VT_CTL,
              IGB_VT_CTL_DEFAULT_POOL(MIN(device->vfs, IGB_POOLS - 1)) |
                  IGB_VT_CTL_NO_DEFAULT_POOL | IGB_VT_CTL_REPLICATION);
    igb_write(device, facts->switch_control, control);
    igb_write(device, IGB_QDE, drop);
    if (facts->has_rplolr)
        igb_write(device, IGB_RPLOLR, IGB_RPLOLR_STRIP_CRC);
    igb_write(device, IGB_RLPML, IGB_MAX_FRAME);
    igb_write(device, IGB_RCTL,
              IGB_RCTL_ENABLE | IGB_RCTL_LONG | IGB_RCTL_BROADCAST | IGB_RCTL_VLAN_FILTER |
                  IGB_RCTL_STRIP_CRC);
    igb_write(device, IGB_TCTL, IGB_TCTL_ENABLE | IGB_TCTL_PAD | IGB_TCTL_COLLISIONS);
}

static bool switch_queue(const struct pf_device *device, unsigned queue, uint32_t enable)
{
    igb_write(device, queue + IGB_QUEUE_CONTROL, enable);
    return WAIT_UNTIL((igb_read(device, queue + IGB_QUEUE_CONTROL) & IGB_QUEUE_CONTROL_ENABLE) ==
                          enable,
                      QUEUE_TIME);
}

/* Queue 0, which is on after a reset: one descriptor, whose status is to be written back, in a ring
 * that the PF must not reach. It is of a packet's first part, so nothing is sent. A tail that is
 * written before the queue is on is lost (datasheet 4.5.10). */
static void fetch_descriptor(void *context, uint64_t address)
{
    struct pf_device *device = context;
    const unsigned queue = IGB_TX_QUEUE(0);
    if (!switch_queue(device, queue, 0))
        return;
    igb_write(device, queue + IGB_QUEUE_BASE_LOW, address);
    igb_write(device, queue + IGB_QUEUE_BASE_HIGH, address >> 32);
    igb_write(device, queue + IGB_QUEUE_LENGTH, IGB_LEAST_RING);
    igb_write(device, queue + IGB_QUEUE_HEAD, 0);
    igb_write(device, queue + IGB_QUEUE_TAIL, 0);
    igb_write(device, IGB_TCTL, IGB_TCTL_ENABLE | IGB_TCTL_PAD);
    if (switch_queue(device, queue, IGB_QUEUE_CONTROL_ENABLE))
        igb_write(device, queue + IGB_QUEUE_TAIL, 1);
}

static enum status igb_dma_test(struct pf_device *device,
                                void (*others)(const struct iommu_fault *fault))
{
    static const uint32_t descriptor[4] = {[2] = IGB_DESCRIPTOR_DATA | IGB_DESCRIPTOR_ADVANCED |
                                                 IGB_DESCRIPTOR_REPORT};
    const struct igb_card *card = igb_card_of(device->function);
    if (card == NULL || device->registers == 0 || device->registers_size < IGB_MIN_REGISTERS)
        return STATUS_INVALID;
    /* A unit with a single fault register loses a fault that comes right after another. Without a
     * link the card fetches nothing; the last attempt waits for one, which may never come. */
    enum status status = STATUS_TIMEOUT;
    for (unsigned attempt = 0; status == STATUS_TIMEOUT && attempt < DMA_ATTEMPTS; attempt++) {
        if (reset(device) != STATUS_OK)
            return STATUS_DEVICE;
        if (attempt == DMA_ATTEMPTS - 1 && igb_start_link(device, card) == STATUS_OK)
            (void)WAIT_UNTIL((igb_read(device, IGB_STATUS) & IGB_STATUS_LINK_UP) != 0, LINK_TIME);
        status = pf_dma_test(device->function, descriptor, sizeof descriptor, fetch_descriptor,
                             device, others);
    }
    if (status != STATUS_OK)
        (void)!reset(device); /* the queue still knows the page */
    return status;
}

static enum status igb_start(struct pf_device *device, uint16_t vfs)
{
    if (vfs == 0 || vfs > IGB_POOLS)
        return igb_refuse(device, STATUS_INVALID, "the card has pools for 1 to 8 VFs");
    if (device->registers == 0 || device->registers_size < IGB_MIN_REGISTERS)
        return igb_refuse(device, STATUS_INVALID, "BAR 0 is smaller than the card's registers");
    struct igb_port *port = igb_port_of(device);
    if (port == NULL)
        port = igb_port_of(NULL);
    if (port == NULL)
        return igb_refuse(device, STATUS_FULL, "more ports than the driver keeps state for (8)");
    const struct igb_card *card = igb_card_of(device->function);
    if (card == NULL)
        return STATUS_UNSUPPORTED;
    *port = (struct igb_port){.device = device, .kind = card->facts->kind};
    device->vfs = vfs;
    enum status status = reset(device);
    if (status == STATUS_OK)
        status = read_mac(device, port);
    if (status == STATUS_OK) {
        /* The PF's queues stay off and the page is never used. But QEMU's card takes no frame from
         * outside, not for a VF either, before the PF masters the bus. */
        port->dma = pf_dma_open(device->function, 1);
        status = port->dma != NULL ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (status != STATUS_OK) {
        port->device = NULL;
        return status;
    }
    port->rx_format = igb_read(device, IGB_RX_QUEUE(0) + IGB_QUEUE_FORMAT);
    port->rx_cache = igb_read(device, IGB_RX_QUEUE(0) + IGB_QUEUE_CACHE);
    port->tx_cache = igb_read(device, IGB_TX_QUEUE(0) + IGB_QUEUE_CACHE);
    clear_tables(device, card->facts);
    start_switch(device, card->facts);
    igb_update(device, IGB_CTRL_EXT, 0, IGB_CTRL_EXT_PFRSTD);
    /* No link is no reason to stop: VFs reach each other through the switch, and the status of the
     * link is shown. */
    bool link = igb_start_link(device, card) == STATUS_OK;
    const uint8_t *mac = port->mac;
    log_event("igb.started", "pf=%s vfs=%u mac=%02x:%02x:%02x:%02x:%02x:%02x link=%s",
              rid_text(device->function->rid).text, vfs, mac[0], mac[1], mac[2], mac[3], mac[4],
              mac[5], link ? "negotiating" : "failed");
    return STATUS_OK;
}

static enum status igb_vfs_enabled(struct pf_device *device)
{
    if (igb_port_of(device) == NULL)
        return STATUS_INVALID;
    for (uint16_t vf = 0; vf < device->vfs; vf++)
        (void)!igb_pf_driver.vf_reset(device, vf);
    uint32_t wanted = (uint32_t)(BIT(device->vfs) - 1);
    if ((igb_read(device, IGB_VFRE) & wanted) != wanted ||
        (igb_read(device, IGB_VFTE) & wanted) != wanted)
        return igb_refuse(device, STATUS_DEVICE, "the device does not enable the VFs' queues");
    return STATUS_OK;
}

static void igb_stop(struct pf_device *device)
{
    struct igb_port *port = igb_port_of(device);
    if (port == NULL)
        return;
    igb_write(device, IGB_VFTE, 0);
    igb_write(device, IGB_VFRE, 0);
    pf_dma_close(port->dma);
    (void)!reset(device);
    port->device = NULL;
    device->vfs = 0;
}

const struct pf_setup igb_pf_setup = {
    .driver = &igb_pf_driver,
    .probe = igb_probe,
    .dma_test = igb_dma_test,
    .start = igb_start,
    .vfs_enabled = igb_vfs_enabled,
    .stop = igb_stop,
};
