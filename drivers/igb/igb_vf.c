/* SPDX-License-Identifier: MIT */
/* What a VF starts with, and what it must not find (datasheet 7.10.2). */
#include "drivers/igb/igb_port.h"

void igb_vf_restart(struct pf_device *device, uint16_t vf)
{
    const uint8_t *mac = igb_port_of(device)->vf_mac[vf];
    igb_filter_reset(device, vf);
    igb_write(device, IGB_RAL(vf + 1u),
              (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 |
                  (uint32_t)mac[3] << 24);
    igb_write(device, IGB_RAH(vf + 1u),
              IGB_RAH_VALID | IGB_RAH_POOL(vf) | (uint32_t)mac[4] | (uint32_t)mac[5] << 8);
    igb_update(device, IGB_VFRE, 0, BIT(vf));
    igb_update(device, IGB_VFTE, 0, BIT(vf));
}

/* The addresses in there are the last owner's. */
static void clear_queue(struct pf_device *device, unsigned block, uint32_t control, uint32_t cache)
{
    igb_write(device, block + IGB_QUEUE_CONTROL, control);
    igb_write(device, block + IGB_QUEUE_CACHE, cache);
    igb_write(device, block + IGB_QUEUE_BASE_LOW, 0);
    igb_write(device, block + IGB_QUEUE_BASE_HIGH, 0);
    igb_write(device, block + IGB_QUEUE_LENGTH, 0);
    igb_write(device, block + IGB_QUEUE_HEAD, 0);
    igb_write(device, block + IGB_QUEUE_TAIL, 0);
}

void igb_vf_clear_vectors(struct pf_device *device, uint16_t vf)
{
    if (igb_port_of(device)->kind.queues == IGB_POOLS) {
        igb_update(device, IGB_IVAR(vf / 2u), UINT64_C(0xffff) << (16 * (vf % 2u)), 0);
        return;
    }
    igb_write(device, IGB_IVAR(vf), 0);
    igb_write(device, IGB_VTIVAR(vf), 0);
    igb_write(device, IGB_VTIVAR_MISC(vf), 0);
}

static void clear_interrupts(struct pf_device *device, uint16_t vf)
{
    igb_write(device, IGB_VF(vf) + IGB_VF_EIMC, UINT32_MAX);
    igb_write(device, IGB_VF(vf) + IGB_VF_EIMS, 0);
    igb_write(device, IGB_VF(vf) + IGB_VF_EIAC, 0);
    igb_write(device, IGB_VF(vf) + IGB_VF_EIAM, 0);
    igb_write(device, IGB_VF(vf) + IGB_VF_EICR, UINT32_MAX);
    (void)igb_read(device, IGB_VF(vf) + IGB_VF_EICR);
    for (unsigned vector = 0; vector < IGB_VF_VECTORS; vector++)
        igb_write(device, IGB_EITR(vf) + 4 * vector, 0);
    igb_vf_clear_vectors(device, vf);
    igb_write(device, IGB_PBACLR, 0);
}

void igb_vf_clear(struct pf_device *device, uint16_t vf)
{
    const struct igb_port *port = igb_port_of(device);
    for (unsigned queue = vf; queue < port->kind.queues; queue += IGB_POOLS) {
        clear_queue(device, IGB_RX_QUEUE(queue), IGB_QUEUE_THRESHOLDS, port->rx_cache);
        igb_write(device, IGB_RX_QUEUE(queue) + IGB_QUEUE_FORMAT, port->rx_format);
        (void)igb_read(device, IGB_RX_QUEUE(queue) + IGB_QUEUE_DROPPED);
        clear_queue(device, IGB_TX_QUEUE(queue), 0, port->tx_cache);
        igb_write(device, IGB_TX_QUEUE(queue) + IGB_QUEUE_WRITE_BACK_LOW, 0);
        igb_write(device, IGB_TX_QUEUE(queue) + IGB_QUEUE_WRITE_BACK_HIGH, 0);
    }
    clear_interrupts(device, vf);
}
