/* SPDX-License-Identifier: MIT */
/*
 * The registers of a 82576 and an I350 port as their data sheets and the public drivers describe
 * them (Intel documents 320961 and 333171; e1000 of DPDK, igb of Linux), for
 * tests of a PF driver. It shares no line with the driver: offsets and rules are the model's own.
 *
 * What hardware would answer with silence or damage is a violation: an access while the port is
 * being reset, the PHY without its semaphore, a register that this kind does not have, a bit that
 * is reserved, a queue changed while it runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NIC_POOLS 8

enum nic_kind { NIC_82576, NIC_I350 };
enum nic_medium { NIC_COPPER, NIC_KX, NIC_SGMII, NIC_SERDES }; /* CTRL_EXT.LINK_MODE */

/* What may go wrong; all false: a card that works. */
struct nic_faults {
    bool firmware_holds_semaphore; /* FWSM's bit: SWESMBI never latches */
    bool firmware_holds_phy;       /* its bit in SW_FW_SYNC stays */
    bool driver_left_semaphore;    /* SWSM.SMBI was never given back */
    bool driver_left_phy;          /* this port's software bit in SW_FW_SYNC neither */
    bool phy_is_dead;
    bool phy_is_external; /* MDICNFG.Destination, MDIC.Destination on a 82576 */
    bool no_cable;
    bool no_flash;
    bool reset_hangs;
};

extern struct nic_faults nic_faults;

/* A port as after power-on, with what firmware's network driver leaves behind. `port`: 0 to 3. */
void nic_power_on(enum nic_kind kind, enum nic_medium medium, unsigned port);
uint32_t nic_read(unsigned offset);
void nic_write(unsigned offset, uint32_t value);

/* The violations so far, the first of them as text; "" when there was none. */
unsigned nic_violations(void);
const char *nic_first_violation(void);
void nic_violate(const char *format, ...) __attribute__((format(printf, 1, 2)));
void nic_forget_violations(void);

/* What a register holds, without the effects of a read. */
uint32_t nic_look(unsigned offset);
/* VF Enable in the SR-IOV capability: every VF is reset. */
void nic_enable_vfs(void);
/* One VF's own reset (VTCTRL.RST, or its FLR). */
void nic_reset_vf(unsigned vf);
/* A VF writes its mailbox and rings the bell. */
void nic_vf_send(unsigned vf, const uint32_t *words, unsigned count);
bool nic_link_is_up(void);
uint16_t nic_phy(unsigned phy_register);
/* No semaphore is held by software. */
bool nic_is_released(void);

/* The writes so far, oldest first. */
struct nic_access {
    unsigned offset;
    uint32_t value;
};
unsigned nic_accesses(const struct nic_access **list);

/* nic_model_switch.c: which pools a frame reaches (82576 7.10.3, I350 7.8.3), a bit each; bit 31:
 * it goes out on the wire. */
#define NIC_WIRE UINT32_C(0x80000000)
struct nic_frame {
    uint64_t to, from; /* MAC addresses, first byte in bits 7:0 */
    uint16_t vlan;     /* 0: untagged */
    unsigned length;   /* with CRC; 0: 64 */
};
uint32_t nic_from_wire(const struct nic_frame *frame);
/* Also sets the bit in WVBR when the frame is dropped because its addresses are not the pool's. */
uint32_t nic_from_pool(unsigned pool, const struct nic_frame *frame);
