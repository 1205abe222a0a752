/* SPDX-License-Identifier: MIT */
/*
 * Registers of the 82576 that the PF driver uses (datasheet section 8; VFs and their mailbox 7.10).
 * Offsets in BAR 0; 32 bits each. The I350's are the same but for what igb_kind says.
 */
#pragma once

#include "hypervisor/base/core.h"

#define IGB_CTRL            0x0000  /* 8.2.1 */
#define IGB_CTRL_OBEY_PAUSE BIT(27) /* RFCE */
#define IGB_CTRL_SEND_PAUSE BIT(28) /* TFCE */
#define IGB_STATUS          0x0008  /* 8.2.2 */
#define IGB_CTRL_EXT        0x0018  /* 8.2.3 */
#define IGB_CTRL_EXT_PFRSTD BIT(14) /* tells the VFs that the PF's reset is over */

#define IGB_MAX_FRAME 9728u /* 0x2600 */

#define IGB_MTA(n)      (0x5200u + 4u * (n)) /* 8.10.17: 128 registers */
#define IGB_MTA_COUNT   128
#define IGB_RAL(n)      (0x5400u + 8u * (n)) /* 8.10.18: 16 here, 8 more at 0x54e0 */
#define IGB_RAH(n)      (0x5404u + 8u * (n))
#define IGB_RAH_VALID   BIT(31)
#define IGB_RAH_POOL(n) BIT(18 + (n))
#define IGB_VFTA(n)     (0x5600u + 4u * (n)) /* 8.10.20: 128 registers */

#define IGB_POOLS  8
#define IGB_QUEUES 16 /* 82576: pool n owns queues n and n + 8. I350: 8, n is pool n's */

#define IGB_VMOLR(n)          (0x5ad0u + 4u * (n)) /* 8.10.23 */
#define IGB_VMOLR_LENGTH_MASK 0x3fffu
#define IGB_VMOLR_LONG        BIT(16)
#define IGB_VMOLR_UNTAGGED    BIT(24)
#define IGB_VMOLR_MULTICAST   BIT(25) /* packets whose hash is in the MTA */
#define IGB_VMOLR_BROADCAST   BIT(27)
#define IGB_VMOLR_STRIP_CRC   BIT(31)                 /* 82576 */
#define IGB_DVMOLR(n)         (0xc038u + 0x40u * (n)) /* I350: what a pool's frames lose */
#define IGB_DVMOLR_STRIP_CRC  BIT(31)
#define IGB_VLVF(n)           (0x5d00u + 4u * (n)) /* 8.10.25 */
#define IGB_VLVF_COUNT        32
#define IGB_VLVF_POOL(n)      BIT(12 + (n))
#define IGB_VLVF_POOLS        UINT32_C(0x000ff000)
#define IGB_VLVF_ID           0xfffu
#define IGB_VLVF_ENABLE       BIT(31)
#define IGB_VMVIR(n)          (0x3700u + 4u * (n)) /* 8.12.18 */
#define IGB_WVBR              0x3554 /* 8.12.14: queues that sent a forged address; cleared by reading */

/* Mailbox and VF state (8.14) */
#define IGB_P2VMAILBOX(n)      (0x0c00u + 4u * (n))
#define IGB_P2V_STATUS         BIT(0) /* a message for the VF is there */
#define IGB_P2V_ACK            BIT(1)
#define IGB_P2V_PF_USES        BIT(3)
#define IGB_P2V_RESET_VFU      BIT(4)
#define IGB_MBVFICR            0x0c80 /* write 1 to clear */
#define IGB_MBVFICR_REQUEST(n) BIT(n)
#define IGB_MBVFICR_ACK(n)     BIT(16 + (n))
#define IGB_MBVFICR_ALL_ACKS   UINT32_C(0x00ff0000)
#define IGB_VFLRE              0x0c88 /* write 1 to clear */
#define IGB_VFRE               0x0c8c
#define IGB_VFTE               0x0c90
#define IGB_VMBMEM(n)          (0x0800u + 64u * (n))
#define IGB_MAILBOX_WORDS      16

/* Queue registers as the PF sees them (8.10.2 and on, 8.12.8 and on) */
#define IGB_RX_QUEUE(n)           (0xc000u + 0x40u * (n))
#define IGB_TX_QUEUE(n)           (0xe000u + 0x40u * (n))
#define IGB_QUEUE_BASE_LOW        0x00
#define IGB_QUEUE_BASE_HIGH       0x04
#define IGB_QUEUE_LENGTH          0x08
#define IGB_QUEUE_FORMAT          0x0c /* receive queues: SRRCTL */
#define IGB_QUEUE_HEAD            0x10
#define IGB_QUEUE_CACHE           0x14 /* RXCTL, TXCTL: DCA and relaxed ordering, 8.13 */
#define IGB_QUEUE_TAIL            0x18
#define IGB_QUEUE_CONTROL         0x28
#define IGB_QUEUE_DROPPED         0x30 /* receive queues: RQDPC; cleared by reading */
#define IGB_QUEUE_WRITE_BACK_LOW  0x38 /* transmit queues */
#define IGB_QUEUE_WRITE_BACK_HIGH 0x3c
#define IGB_QUEUE_THRESHOLDS      (UINT32_C(1) << 16) /* RXDCTL after power-on: WTHRESH 1 */

/* VF n's interrupts: its three vectors are the port's 22 - 3n and on. */
#define IGB_IVAR(n)       (0x1700u + 4u * (n)) /* 8.8.15: queues n and n + 8; I350: 2n and 2n + 1 */
#define IGB_VF_VECTORS    3u
#define IGB_EITR(vf)      (0x1680u + 4u * (22u - IGB_VF_VECTORS * (vf))) /* 8.8.14 */
#define IGB_PBACLR        0x5b68u
#define IGB_V2PMAILBOX(n) (0x0c40u + 4u * (n))      /* the VF's side; reading clears its events */
#define IGB_VF(n)         (0x10000u + 0x100u * (n)) /* mirror of what the VF sees as 0x1500 */
#define IGB_VF_EIMS       0x24u
#define IGB_VF_EIMC       0x28u
#define IGB_VF_EIAC       0x2cu
#define IGB_VF_EIAM       0x30u
#define IGB_VF_EICR       0x80u
/* Nothing on the card; QEMU keeps there what a VF wrote to VTIVAR and VTIVAR_MISC. */
#define IGB_VTIVAR(n)      (0x11700u + 4u * (n))
#define IGB_VTIVAR_MISC(n) (0x11720u + 4u * (n))

/* Messages (the VF driver's protocol; word 0) */
#define IGB_MESSAGE_ACK        BIT(31)
#define IGB_MESSAGE_NACK       BIT(30)
#define IGB_MESSAGE_CTS        BIT(29) /* clear to send: the VF has been through VF_RESET */
#define IGB_MESSAGE_TYPE       0xffffu
#define IGB_MESSAGE_INFO(word) (((word) >> 16) & 0xff)
#define IGB_MAC_FILTER_CLEAR   1u /* information word of IGB_SET_MAC */
enum igb_message {
    IGB_VF_RESET = 1,
    IGB_SET_MAC = 2,
    IGB_SET_MULTICAST = 3,
    IGB_SET_VLAN = 4,
    IGB_SET_LPE = 5,
    IGB_SET_PROMISCUOUS = 6,
};
