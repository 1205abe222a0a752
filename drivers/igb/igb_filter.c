/* SPDX-License-Identifier: MIT */
/* Receive filters per pool (datasheet 7.10.3). The multicast and VLAN tables belong to the whole
 * port, so they are rebuilt from what each VF asked for. */
#include "drivers/igb/igb_port.h"

static void rebuild_multicast(struct pf_device *device)
{
    uint32_t table[IGB_MTA_COUNT] = {0};
    const struct igb_port *port = igb_port_of(device);
    for (unsigned vf = 0; vf < device->vfs; vf++)
        for (unsigned i = 0; i < port->vf[vf].hash_count; i++) {
            uint16_t hash = port->vf[vf].hash[i];
            table[(hash >> 5) & 0x7f] |= UINT32_C(1) << (hash & 0x1f);
        }
    for (unsigned i = 0; i < IGB_MTA_COUNT; i++)
        igb_write(device, IGB_MTA(i), table[i]);
}

void igb_filter_multicast(struct pf_device *device, uint16_t vf, const uint16_t *hashes,
                          unsigned count)
{
    struct igb_vf *state = &igb_port_of(device)->vf[vf];
    state->hash_count = (uint8_t)MIN(count, IGB_MULTICAST_HASHES);
    for (unsigned i = 0; i < state->hash_count; i++)
        state->hash[i] = hashes[i] & 0xfff;
    state->multicast = state->hash_count > 0;
    igb_update(device, IGB_VMOLR(vf), IGB_VMOLR_MULTICAST,
               state->multicast ? IGB_VMOLR_MULTICAST : 0);
    rebuild_multicast(device);
}

/* The VLAN's filter, else a free one; IGB_VLVF_COUNT when there is none. */
static unsigned find_filter(const struct pf_device *device, uint16_t vlan)
{
    unsigned empty = IGB_VLVF_COUNT;
    for (unsigned i = 0; i < IGB_VLVF_COUNT; i++) {
        uint32_t filter = igb_read(device, IGB_VLVF(i));
        if ((filter & IGB_VLVF_ENABLE) == 0)
            empty = MIN(empty, i);
        else if ((filter & IGB_VLVF_ID) == vlan)
            return i;
    }
    return empty;
}

static void set_vlan(struct pf_device *device, uint16_t vf, uint16_t vlan, bool member)
{
    unsigned index = find_filter(device, vlan);
    if (index == IGB_VLVF_COUNT)
        return; /* cannot be: each VF has at most IGB_VLANS_PER_VF */
    uint32_t pools = igb_read(device, IGB_VLVF(index)) & IGB_VLVF_POOLS;
    uint32_t own = (uint32_t)IGB_VLVF_POOL(vf);
    pools = member ? pools | own : pools & ~own;
    igb_write(device, IGB_VLVF(index), pools != 0 ? IGB_VLVF_ENABLE | pools | vlan : 0);
    uint64_t bit = BIT(vlan & 0x1f);
    uint64_t table = igb_read(device, IGB_VFTA(vlan >> 5)) & ~bit;
    for (unsigned i = 0; i < igb_port_of(device)->kind.vlan_writes; i++)
        igb_write(device, IGB_VFTA(vlan >> 5), pools != 0 ? table | bit : table);
}

enum status igb_filter_vlan(struct pf_device *device, uint16_t vf, uint16_t vlan, bool add)
{
    struct igb_vf *state = &igb_port_of(device)->vf[vf];
    unsigned index = 0;
    while (index < state->vlan_count && state->vlan[index] != vlan)
        index++;
    bool member = index < state->vlan_count;
    if (add == member)
        return STATUS_OK;
    if (add && state->vlan_count == IGB_VLANS_PER_VF)
        return STATUS_FULL;
    if (add)
        state->vlan[state->vlan_count++] = vlan;
    else
        state->vlan[index] = state->vlan[--state->vlan_count];
    set_vlan(device, vf, vlan, add);
    return STATUS_OK;
}

void igb_filter_length(struct pf_device *device, uint16_t vf, uint32_t bytes)
{
    igb_update(device, IGB_VMOLR(vf), IGB_VMOLR_LENGTH_MASK, IGB_VMOLR_LONG | bytes);
}

void igb_filter_reset(struct pf_device *device, uint16_t vf)
{
    struct igb_vf *state = &igb_port_of(device)->vf[vf];
    while (state->vlan_count > 0)
        set_vlan(device, vf, state->vlan[--state->vlan_count], false);
    bool had_hashes = state->hash_count > 0;
    state->hash_count = 0;
    state->multicast = false;
    if (had_hashes)
        rebuild_multicast(device);
    /* Own address, broadcast and untagged packets; nothing promiscuous. */
    bool dvmolr = igb_port_of(device)->kind.has_dvmolr;
    igb_write(device, IGB_VMOLR(vf),
              (dvmolr ? 0 : IGB_VMOLR_STRIP_CRC) | IGB_VMOLR_BROADCAST | IGB_VMOLR_UNTAGGED |
                  IGB_MAX_FRAME);
    if (dvmolr)
        igb_write(device, IGB_DVMOLR(vf), IGB_DVMOLR_STRIP_CRC);
    igb_write(device, IGB_VMVIR(vf), 0);
}
