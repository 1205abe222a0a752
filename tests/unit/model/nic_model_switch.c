/* SPDX-License-Identifier: MIT */
/* The layer 2 switch: what a frame reaches, from the registers alone. */
#include "tests/unit/model/nic_model.h"
#include "tests/unit/model/nic_model_registers.h"

#define LOOPBACK   UINT32_C(0x80000000) /* DTXSWC, TXSWC */
#define UNTAGGED   0x01000000u          /* VMOLR */
#define MULTICAST  0x02000000u          /* by the hash table */
#define UNICAST    0x04000000u
#define BROADCAST  0x08000000u
#define ANY_GROUP  0x10000000u
#define ANY_VLAN   0x00800000u
#define LONG       0x00010000u
#define RCTL_VFE   0x00040000u
#define RCTL_UPE   0x00000008u
#define RCTL_MPE   0x00000010u
#define RCTL_BAM   0x00008000u
#define NO_DEFAULT 0x20000000u
#define REPLICATE  0x40000000u

static uint32_t switch_control(void)
{
    return nic_look(nic_facts_of()->kind == BIT_I350 ? TXSWC : DTXSWC);
}

static uint64_t address_of(unsigned entry)
{
    return nic_look(RA_LOW(entry)) | (uint64_t)(nic_look(RA_HIGH(entry)) & 0xffff) << 32;
}

static uint32_t pools_of(uint64_t address)
{
    uint32_t pools = 0;
    for (unsigned entry = 0; entry < nic_facts_of()->addresses; entry++)
        if ((nic_look(RA_HIGH(entry)) & UINT32_C(0x80000000)) != 0 && address_of(entry) == address)
            pools |= nic_look(RA_HIGH(entry)) >> 18 & 0xff;
    return pools;
}

/* Hash of bits 47:36 of the address (RCTL.MO 0). */
static bool in_hash_table(uint64_t address)
{
    uint32_t hash = (uint32_t)(address >> 36) & 0xfff;
    return (nic_look(MTA(hash >> 5)) >> (hash & 31) & 1) != 0;
}

/* The members of a VLAN; none for one that no filter has. */
static uint32_t members(uint16_t vlan)
{
    uint32_t pools = 0;
    for (unsigned i = 0; i < 32; i++)
        if ((nic_look(VLVF(i)) & UINT32_C(0x80000000)) != 0 && (nic_look(VLVF(i)) & 0xfff) == vlan)
            pools |= nic_look(VLVF(i)) >> 12 & 0xff;
    return pools;
}

static bool pool_takes(unsigned pool, const struct nic_frame *frame)
{
    uint32_t mode = nic_look(VMOLR(pool));
    if ((nic_look(VFRE) >> pool & 1) == 0)
        return false;
    unsigned length = frame->length != 0 ? frame->length : 64;
    if (length > ((mode & LONG) != 0 ? mode & 0x3fff : 1518))
        return false;
    if (frame->vlan == 0)
        return (mode & UNTAGGED) != 0;
    return (mode & ANY_VLAN) != 0 || (members(frame->vlan) >> pool & 1) != 0;
}

static uint32_t pools_reached(const struct nic_frame *frame)
{
    uint32_t control = nic_look(RCTL), reached = 0;
    bool group = (frame->to & 1) != 0, everyone = frame->to == UINT64_C(0xffffffffffff);
    if ((nic_look(MRQC) & 7) != 3)
        return 0; /* no pools: everything is queue 0's, which is off */
    if (frame->vlan != 0 && (control & RCTL_VFE) != 0 &&
        (nic_look(VFTA(frame->vlan >> 5)) >> (frame->vlan & 31) & 1) == 0)
        return 0;
    if (!group && pools_of(frame->to) == 0 && (control & RCTL_UPE) == 0 &&
        (nic_look(VT_CTL) & NO_DEFAULT) != 0)
        return 0;
    for (unsigned pool = 0; pool < NIC_POOLS; pool++) {
        uint32_t mode = nic_look(VMOLR(pool));
        bool wanted = !group     ? (pools_of(frame->to) >> pool & 1) != 0 || (mode & UNICAST) != 0
                      : everyone ? (mode & BROADCAST) != 0
                                 : (mode & ANY_GROUP) != 0 ||
                                       ((mode & MULTICAST) != 0 && in_hash_table(frame->to));
        if (wanted && pool_takes(pool, frame))
            reached |= 1u << pool;
    }
    if (reached == 0 && (nic_look(VT_CTL) & NO_DEFAULT) == 0)
        reached = 1u << (nic_look(VT_CTL) >> 7 & 7);
    if (group && (nic_look(VT_CTL) & REPLICATE) == 0)
        reached &= -reached;
    return reached;
}

uint32_t nic_from_wire(const struct nic_frame *frame)
{
    if ((nic_look(RCTL) & RCTL_ENABLE) == 0 || !nic_link_is_up())
        return 0;
    if (frame->to == UINT64_C(0xffffffffffff) && (nic_look(RCTL) & RCTL_BAM) == 0)
        return 0;
    return pools_reached(frame);
}

uint32_t nic_from_pool(unsigned pool, const struct nic_frame *frame)
{
    uint32_t control = switch_control();
    if ((nic_look(VFTE) >> pool & 1) == 0 || (nic_look(0x400) & 2) == 0)
        return 0;
    bool forged = (control >> pool & 1) != 0 && (pools_of(frame->from) >> pool & 1) == 0;
    forged |= (control >> (8 + pool) & 1) != 0 && frame->vlan != 0 &&
              (members(frame->vlan) >> pool & 1) == 0;
    if (forged) {
        nic_set(WVBR, nic_look(WVBR) | 1u << pool);
        return 0;
    }
    if ((control & LOOPBACK) == 0)
        return NIC_WIRE;
    uint32_t reached = pools_reached(frame) & ~(1u << pool);
    /* What only a pool of this port is addressed by does not leave it. */
    bool local = (frame->to & 1) == 0 && pools_of(frame->to) != 0;
    return local ? reached : reached | NIC_WIRE;
}
