/* SPDX-License-Identifier: MIT */
#include "tests/unit/model/nic_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/clock.h"
#include "tests/unit/model/nic_model_registers.h"

#define RESET_QUIET 3000 /* microseconds after CTRL.RST in which nothing may be touched */
#define RESET_TIME  6000 /* until the flash was read again */
#define MDI_TIME    100
#define LOG_SIZE    16384

struct nic_faults nic_faults;

static const struct nic_facts facts[] = {
    [NIC_82576] = {.kind = BIT_82576, .queues = 16, .addresses = 24, .vlan_writes = 1},
    [NIC_I350] = {.kind = BIT_I350, .queues = 8, .addresses = 32, .vlan_writes = 10},
};

static struct {
    const struct nic_facts *facts;
    enum nic_medium medium;
    unsigned port;
    uint32_t words[NIC_SPACE / 4];
    uint64_t quiet_until, busy_until, mdi_until, phy_taken_at;
    bool resetting;
    uint16_t phy[32];
    unsigned vlan_at, vlan_count; /* the entry of VFTA being written, and how often it was */
    uint32_t vlan_value;
    struct nic_access log[LOG_SIZE];
    unsigned logged, violations;
    char first[160];
} nic;

uint32_t nic_look(unsigned offset)
{
    return nic.words[offset / 4];
}

void nic_set(unsigned offset, uint32_t value)
{
    nic.words[offset / 4] = value;
}

const struct nic_facts *nic_facts_of(void)
{
    return nic.facts;
}

void nic_violate(const char *format, ...)
{
    if (nic.violations++ > 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(nic.first, sizeof nic.first, format, arguments);
    va_end(arguments);
}

unsigned nic_violations(void)
{
    return nic.violations;
}

const char *nic_first_violation(void)
{
    return nic.first;
}

void nic_forget_violations(void)
{
    nic.violations = 0;
    nic.first[0] = '\0';
}

unsigned nic_accesses(const struct nic_access **list)
{
    *list = nic.log;
    return nic.logged;
}

uint16_t nic_phy(unsigned phy_register)
{
    return nic.phy[phy_register];
}

static uint32_t phy_bit(void)
{
    static const uint32_t bits[] = {0x02, 0x04, 0x20, 0x40}; /* SW_PHY_SM0 to 3 */
    return bits[nic.port];
}

bool nic_is_released(void)
{
    return (nic_look(SWSM) & 3) == 0 && (nic_look(SW_FW_SYNC) & phy_bit()) == 0;
}

/* What no reset clears (82576 4.2, I350 4.2): the tables of the filters. */
static const struct {
    unsigned offset, size;
} kept[] = {{MTA(0), 512},  {0x05408, 120}, {0x054e0, 128},
            {VFTA(0), 512}, {VLVF(0), 128}, {VMOLR(0), 32}};

/* What CTRL.RST brings back. Semaphores, PHPM and what the flash holds survive it too. */
static void defaults(void)
{
    static uint32_t before[NIC_SPACE / 4];
    memcpy(before, nic.words, sizeof before);
    uint32_t semaphore = nic_look(SWSM), owners = nic_look(SW_FW_SYNC);
    uint32_t power = nic_look(PHPM);
    memset(nic.words, 0, sizeof nic.words);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        memcpy(nic.words + kept[i].offset / 4, before + kept[i].offset / 4, kept[i].size);
    nic_set(SWSM, semaphore);
    nic_set(SW_FW_SYNC, owners);
    nic_set(PHPM, power);
    /* As a flash may have it: both kinds of pause frames, the laser's pin an output that is high.
     */
    nic_set(CTRL, CTRL_RFCE | CTRL_TFCE);
    nic_set(CTRL_EXT, (uint32_t)nic.medium << 22 | SDP3_DIRECTION | SDP3_DATA);
    nic_set(STATUS, nic.port << 2 | (nic.facts->kind == BIT_I350 ? STATUS_RESET_DONE : 0));
    nic_set(PCS_ANADV, 0x1a0);
    nic_set(MDICNFG, nic_faults.phy_is_external ? UINT32_C(0x80000000) : 0);
    nic_set(MDIC, nic_faults.phy_is_external ? MDIC_DESTINATION : 0);
    nic_set(FWSM, nic_faults.firmware_holds_semaphore);
    nic_set(RA_LOW(0), 0x129f36a0);
    nic_set(RA_HIGH(0), UINT32_C(0x80000000) | 0x5634);
    for (unsigned queue = 0; queue < nic.facts->queues; queue++) {
        nic_set(RX_QUEUE(queue) + 0x0c, 0x402);
        nic_set(RX_QUEUE(queue) + 0x14, 0xa200);
        nic_set(RX_QUEUE(queue) + 0x28, 0x10000);
        nic_set(TX_QUEUE(queue) + 0x14, 0x2a00);
    }
    if (nic.facts->kind == BIT_I350) /* CRC stripping is a pool's own, and on */
        for (unsigned pool = 0; pool < NIC_POOLS; pool++)
            nic_set(DVMOLR(pool), 0);
    nic.phy[0] = 0x1140;
    nic.phy[4] = 0x0de1;
    nic.vlan_count = 0;
}

void nic_power_on(enum nic_kind kind, enum nic_medium medium, unsigned port)
{
    memset(&nic, 0, sizeof nic);
    nic.facts = &facts[kind];
    nic.medium = medium;
    nic.port = port;
    /* Firmware's driver takes the link down when it ends, and may leave addresses behind. */
    nic_set(PHPM, kind == NIC_I350 ? PHPM_GO_LINK_DISCONNECT : 0);
    nic_set(SWSM, nic_faults.driver_left_semaphore);
    nic_set(SW_FW_SYNC, (nic_faults.driver_left_phy ? phy_bit() : 0) |
                            (nic_faults.firmware_holds_phy ? phy_bit() << 16 : 0));
    defaults();
    nic_set(EECD, nic_faults.no_flash ? 0 : EECD_AUTO_READ);
    for (unsigned entry = 1; entry < nic.facts->addresses; entry++) {
        nic_set(RA_LOW(entry), 0x0badc0de);
        nic_set(RA_HIGH(entry), UINT32_C(0x83fc0bad)); /* valid, for every pool */
    }
    for (unsigned n = 0; n < 128; n++) {
        nic_set(MTA(n), 0x01010101);
        nic_set(VFTA(n), 0x01010101);
    }
    nic_set(VLVF(5), UINT32_C(0x800ff020)); /* a VLAN of all pools */
    for (unsigned pool = 0; pool < NIC_POOLS; pool++)
        nic_set(VMOLR(pool), UINT32_C(0x3f800000)); /* and all of them promiscuous */
    nic_set(TX_QUEUE(0) + 0x28, 0);
}

static void advance(void)
{
    if (!nic.resetting || nic_faults.reset_hangs || clock_microseconds() < nic.busy_until)
        return;
    nic.resetting = false;
    nic_set(CTRL, nic_look(CTRL) & ~CTRL_RST);
    nic_set(EECD, nic_faults.no_flash ? 0 : EECD_AUTO_READ);
}

static void reset(void)
{
    if (nic_look(RCTL) & RCTL_ENABLE)
        nic_violate("a reset while RCTL.RXEN is set");
    if ((nic_look(SW_FW_SYNC) & phy_bit()) != 0 && nic.phy_taken_at != 0)
        nic_violate("a reset while the driver holds the PHY's semaphore");
    defaults();
    nic_set(CTRL, nic_look(CTRL) | CTRL_RST);
    nic.resetting = true;
    nic.quiet_until = clock_microseconds() + RESET_QUIET;
    nic.busy_until = clock_microseconds() + RESET_TIME;
}

bool nic_link_is_up(void)
{
    bool on = !nic_faults.no_cable && (nic_look(CTRL) & CTRL_SLU) != 0;
    if (nic.medium == NIC_COPPER)
        return on && (nic_look(PHPM) & PHPM_GO_LINK_DISCONNECT) == 0 &&
               (nic.phy[0] & 0x1c00) == 0x1000 && !nic_faults.phy_is_dead &&
               (nic_look(CTRL) & (CTRL_FRCSPD | CTRL_FRCDPLX)) == 0;
    bool laser = (nic_look(CTRL_EXT) & SDP3_DATA) == 0;
    if (nic.facts->kind == BIT_82576) /* both software-defined pins feed the module as well */
        laser = laser && (nic_look(CTRL) & CTRL_SWDPINS) == CTRL_SWDPINS;
    bool code = (nic_look(PCS_CFG) & PCS_ENABLE) != 0;
    bool negotiates = (nic_look(PCS_LCTL) & PCS_AN_ENABLE) != 0;
    if (nic.medium != NIC_SGMII) /* one speed, which is to be forced on the MAC */
        on = on && (nic_look(CTRL) & CTRL_FORCED) == CTRL_FORCED;
    if (!negotiates)
        on = on && nic.medium != NIC_SGMII && (nic_look(PCS_LCTL) & PCS_FORCED) == PCS_FORCED;
    return on && laser && code && (nic.medium != NIC_KX || !negotiates);
}

/* The PHY's interface (MDIC). The port's own PHY answers to address 1; on the I350 the address is
 * MDICNFG's, and what MDIC says about it is ignored. */
static void write_mdic(uint32_t value)
{
    if ((nic_look(SW_FW_SYNC) & phy_bit()) == 0 || nic.phy_taken_at == 0)
        nic_violate("MDIC written without the PHY's semaphore");
    if (nic_look(MDIC) != 0 && (nic_look(MDIC) & MDIC_READY) == 0 &&
        clock_microseconds() < nic.mdi_until)
        nic_violate("MDIC written while a transaction runs");
    unsigned phy_register = value >> 16 & 31, address = value >> 21 & 31;
    bool ours = nic.facts->kind == BIT_I350 || address == 1;
    bool write = (value & MDIC_WRITE) != 0, read = (value & MDIC_READ) != 0;
    if (write == read)
        nic_violate("MDIC %#x is neither a read nor a write", value);
    nic_set(MDIC, value);
    nic.mdi_until = clock_microseconds() + MDI_TIME;
    if (nic_faults.phy_is_dead)
        nic.mdi_until = UINT64_MAX;
    else if (!ours || nic_faults.phy_is_external || nic.medium != NIC_COPPER)
        nic_set(MDIC, value | MDIC_ERROR);
    else if (write)
        nic.phy[phy_register] = (uint16_t)value & (phy_register == 0 ? 0xfdff : 0xffff);
    else
        nic_set(MDIC, (value & ~UINT32_C(0xffff)) | nic.phy[phy_register]);
}

/* Only who read SMBI as 0 has it, and the second bit does not latch while firmware has it. */
static void write_semaphore(uint32_t value)
{
    if ((value & 2) != 0 && !nic_faults.firmware_holds_semaphore)
        nic_set(SWSM, nic_look(SWSM) | 2);
    nic_set(SWSM, nic_look(SWSM) & (value | ~UINT32_C(3)));
}

static void write_owners(uint32_t value)
{
    uint32_t before = nic_look(SW_FW_SYNC);
    if ((nic_look(SWSM) & 3) != 3)
        nic_violate("SW_FW_SYNC written with SWSM %#x: both semaphores are to be held",
                    nic_look(SWSM));
    if (((value ^ before) & UINT32_C(0xffff0000)) != 0)
        nic_violate("firmware's bits of SW_FW_SYNC changed, %#x to %#x", before, value);
    if ((value & phy_bit() & before >> 16) != 0)
        nic_violate("the PHY taken while firmware has it");
    if (((value ^ before) & 0xffff & ~phy_bit()) != 0)
        nic_violate("another port's bits of SW_FW_SYNC changed, %#x to %#x", before, value);
    if ((value & phy_bit()) != 0) {
        nic.phy_taken_at = clock_microseconds();
    } else {
        if (nic.phy_taken_at != 0 && clock_microseconds() - nic.phy_taken_at > 1000000)
            nic_violate("the PHY's semaphore held for more than a second");
        nic.phy_taken_at = 0;
    }
    nic_set(SW_FW_SYNC, value);
}

/* An I350 may lose a write to VFTA while its management controller filters; ten in a row are
 * never lost. The model loses the first nine. */
static void write_vlan(unsigned offset, uint32_t value)
{
    if (nic.vlan_at != offset || nic.vlan_value != value)
        nic.vlan_count = 0;
    nic.vlan_at = offset;
    nic.vlan_value = value;
    if (++nic.vlan_count == nic.facts->vlan_writes) {
        nic_set(offset, value);
        nic.vlan_count = 0;
    }
}

static void write_queue(unsigned offset, uint32_t value)
{
    unsigned block = offset & ~0x3fu, at = offset & 0x3f;
    bool runs = (nic_look(block + 0x28) & QUEUE_ENABLE) != 0;
    bool fixed = at <= 0x0c;
    if (runs && fixed)
        nic_violate("queue register %#x written while the queue runs", offset);
    if (!runs && at == 0x18 && value != 0)
        return; /* lost: the queue is off */
    nic_set(offset, value);
}

static void write_mailbox(unsigned offset, uint32_t value)
{
    uint32_t now = nic_look(offset) & 0x04; /* VFU */
    if ((value & 0x10) != 0)
        now = 0;
    now |= value & 3;
    if ((value & 8) != 0 && now == (value & 3))
        now |= 8;
    nic_set(offset, now);
}

static const struct nic_register *find(unsigned offset)
{
    for (unsigned i = 0; nic_registers[i].count != 0; i++) {
        const struct nic_register *entry = &nic_registers[i];
        unsigned stride = entry->stride != 0 ? entry->stride : 4;
        if ((entry->kinds & nic.facts->kind) != 0 && offset >= entry->offset &&
            (offset - entry->offset) % stride == 0 &&
            (offset - entry->offset) / stride < entry->count)
            return entry;
    }
    return NULL;
}

static const struct nic_register *look_up(unsigned offset, const char *access)
{
    const struct nic_register *entry = find(offset);
    if (entry == NULL)
        nic_violate("%s of %#x: this kind has no such register", access, offset);
    if (clock_microseconds() < nic.quiet_until)
        nic_violate("%s of %#x within %u us of a reset", access, offset, RESET_QUIET);
    return entry;
}

uint32_t nic_read(unsigned offset)
{
    const struct nic_register *entry = look_up(offset, "read");
    advance();
    if (nic.resetting && offset != CTRL && offset != EECD && offset != STATUS)
        nic_violate("read of %#x before the reset is over", offset);
    uint32_t value = nic_look(offset);
    if (offset == STATUS)
        value |= nic_link_is_up() ? 2 : 0;
    if (offset == MDIC && clock_microseconds() >= nic.mdi_until)
        value |= MDIC_READY;
    if (offset == SWSM)
        nic_set(SWSM, value | 1);
    if (entry != NULL && entry->special == CLEARED_BY_READING)
        nic_set(offset, 0);
    return value;
}

void nic_write(unsigned offset, uint32_t value)
{
    const struct nic_register *entry = look_up(offset, "write");
    advance();
    if (nic.logged < LOG_SIZE)
        nic.log[nic.logged++] = (struct nic_access){offset, value};
    if (nic.resetting)
        nic_violate("write of %#x before the reset is over", offset);
    if (entry == NULL)
        return;
    if ((value & ~entry->writable & ~entry->ignored & ~nic_look(offset)) != 0)
        nic_violate("write of %#x to %#x: bits %#x are reserved or read-only", value, offset,
                    value & ~entry->writable & ~entry->ignored & ~nic_look(offset));
    uint32_t kept = nic_look(offset) & ~entry->writable;
    switch (entry->special) {
    case PLAIN:
    case CLEARED_BY_READING:
        nic_set(offset, kept | (value & entry->writable));
        break;
    case WRITE_ONE_TO_CLEAR:
        nic_set(offset, nic_look(offset) & ~(value & entry->writable));
        break;
    case WRITE_ONLY:
        break;
    case CONTROL:
        if ((value & CTRL_RST) != 0)
            reset();
        else
            nic_set(offset, value);
        break;
    case PHY_INTERFACE:
        write_mdic(value);
        break;
    case SEMAPHORE:
        write_semaphore(value);
        break;
    case OWNERS:
        write_owners(value);
        break;
    case VLAN_TABLE:
        write_vlan(offset, value);
        break;
    case QUEUE:
        write_queue(offset, value);
        break;
    case MAILBOX:
        write_mailbox(offset, value);
        break;
    }
}

void nic_reset_vf(unsigned vf)
{
    nic_set(VFLRE, nic_look(VFLRE) | 1u << vf);
    nic_set(VFRE, nic_look(VFRE) & ~(1u << vf));
    nic_set(VFTE, nic_look(VFTE) & ~(1u << vf));
}

void nic_enable_vfs(void)
{
    for (unsigned vf = 0; vf < NIC_POOLS; vf++)
        nic_reset_vf(vf);
}

void nic_vf_send(unsigned vf, const uint32_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nic_set(VMBMEM(vf) + 4 * i, words[i]);
    nic_set(P2VMAILBOX(vf), 0);
    nic_set(MBVFICR, nic_look(MBVFICR) | 1u << vf);
}
