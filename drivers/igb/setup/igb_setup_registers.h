/* SPDX-License-Identifier: MIT */
/* What only bringing the port up needs (82576 datasheet section 8; where the I350 differs, its
 * name is there), and the PHY. */
#pragma once

#include "drivers/igb/igb_registers.h"

#define IGB_CTRL_SLU          BIT(6)
#define IGB_CTRL_FORCE_SPEED  BIT(11)
#define IGB_CTRL_FORCE_DUPLEX BIT(12)
#define IGB_CTRL_RST          BIT(26)
#define IGB_CTRL_FULL_DUPLEX  BIT(0)
#define IGB_CTRL_SPEED_1000   BIT(9)
#define IGB_CTRL_PINS         (BIT(18) | BIT(19)) /* SWDPIN0, 1: 82576 fibre modules */
#define IGB_STATUS_LINK_UP    BIT(1)
#define IGB_STATUS_PORT(word) ((word) >> 2 & 3)
#define IGB_STATUS_RESET_DONE BIT(20) /* I350: write 1 to clear */
#define IGB_EECD              0x0010  /* 8.4.1 */
#define IGB_EECD_AUTO_READ    BIT(9)
#define IGB_MDIC              0x0020 /* 8.2.4 */
#define IGB_MDIC_REGISTER(n)  ((uint32_t)(n) << 16)
#define IGB_MDIC_PHY(n)       ((uint32_t)(n) << 21)
#define IGB_MDIC_WRITE        BIT(26)
#define IGB_MDIC_READY        BIT(28)
#define IGB_MDIC_ERROR        BIT(30)

#define IGB_MDICNFG          0x0e04 /* I350: the PHY's address has moved here */
#define IGB_MDICNFG_EXTERNAL BIT(31)
#define IGB_PHPM             0x0e14 /* I350 */
#define IGB_PHPM_LINK_OFF    BIT(5) /* go link disconnect: as a driver leaves it that ends */
#define IGB_CTRL_EXT_SDP3    BIT(7) /* the laser's off, where the pin is an output */
#define IGB_CTRL_EXT_MODE(w) ((w) >> 22 & 3)
#define IGB_MODE_KX          1u
#define IGB_SWSM             0x5b50 /* 8.6.1 */
#define IGB_SWSM_SOFTWARE    BIT(0) /* SMBI: set by reading */
#define IGB_SWSM_FIRMWARE    BIT(1) /* SWESMBI: latches when firmware is not in */
#define IGB_SW_FW_SYNC       0x5b5c /* 8.6.3: firmware's bits are 16 higher */

#define PHY_CONTROL          0 /* IEEE 802.3 clause 22 */
#define PHY_CONTROL_AUTONEG  0x1000
#define PHY_CONTROL_RESTART  0x0200
#define PHY_ADVERTISE        4
#define PHY_ADVERTISE_10_100 0x01e1 /* 10 and 100 Mb/s, and no PAUSE (bits 10, 11) */
#define PHY_INTERNAL_ADDRESS 1

#define IGB_PCS_CFG        0x4200 /* 8.18.1: SerDes ports */
#define IGB_PCS_CFG_ENABLE BIT(3)
#define IGB_PCS_LCTL       0x4208 /* 8.18.2 */
/* Flow control is what CTRL says, not what was agreed on. */
#define IGB_PCS_LCTL_FORCE_FLOW BIT(7)
#define IGB_PCS_LCTL_AN_ENABLE  BIT(16)
#define IGB_PCS_LCTL_AN_RESTART BIT(17)
#define IGB_PCS_LCTL_AN_TIMEOUT BIT(18)
#define IGB_PCS_LCTL_1000_FULL  (BIT(2) | BIT(3)) /* FSV, FDV: when speed is forced */
#define IGB_PCS_LCTL_FORCED     BIT(4)
#define IGB_PCS_ANADV           0x4218 /* 8.18.4 */
#define IGB_PCS_ANADV_PAUSE     UINT32_C(0x180)

#define IGB_RCTL             0x0100 /* 8.10.1 */
#define IGB_RCTL_ENABLE      BIT(1)
#define IGB_RCTL_LONG        BIT(5)
#define IGB_RCTL_BROADCAST   BIT(15)
#define IGB_RCTL_VLAN_FILTER BIT(18)
#define IGB_RCTL_STRIP_CRC   BIT(26)
#define IGB_TCTL             0x0400 /* 8.12.1 */
#define IGB_TCTL_ENABLE      BIT(1)
#define IGB_TCTL_PAD         BIT(3)
#define IGB_TCTL_COLLISIONS  (UINT32_C(0x0f) << 4 | UINT32_C(0x40) << 12)
#define IGB_RLPML            0x5004

#define IGB_GPIE           0x1514 /* 8.8.1 */
#define IGB_GPIE_MSIX_MODE BIT(4) /* each vector has its own cause; VFs have no other kind */
#define IGB_GPIE_PBA       BIT(31)
#define IGB_EIMC           0x1528 /* 8.8.4 */
#define IGB_EIAC           0x152c
#define IGB_IMC            0x150c
#define IGB_ICR            0x1500

/* All of them: the resident part needs only the first 16. */
#define IGB_ALL_RAL(n) ((n) < 16 ? IGB_RAL(n) : 0x54e0u + 8u * ((n) - 16u))
#define IGB_VFTA_COUNT 128

#define IGB_MRQC                   0x5818 /* 8.10.9 */
#define IGB_MRQC_VMDQ              3
#define IGB_VT_CTL                 0x581c /* 8.10.22 */
#define IGB_VT_CTL_DEFAULT_POOL(n) ((uint32_t)(n) << 7)
#define IGB_VT_CTL_NO_DEFAULT_POOL BIT(29)
#define IGB_VT_CTL_REPLICATION     BIT(30)

#define IGB_RPLOLR               0x5af0 /* 8.10.24; 82576 */
#define IGB_RPLOLR_STRIP_CRC     BIT(31)
#define IGB_QDE                  0x2408 /* 8.10.26: drop rather than hold up other pools, a bit a queue */
#define IGB_DTXSWC               0x3500 /* 8.12.5; 82576 */
#define IGB_TXSWC                0x5acc /* I350; the same bits */
#define IGB_DTXSWC_MAC_SPOOF(n)  BIT(n)
#define IGB_DTXSWC_VLAN_SPOOF(n) BIT(8 + (n))
#define IGB_DTXSWC_LOOPBACK      BIT(31)

/* Queue registers as the PF sees them (8.10.2 and on, 8.12.8 and on) */
#define IGB_QUEUE_CONTROL_ENABLE (UINT32_C(1) << 25)
#define IGB_LEAST_RING           128u

/* Transmit descriptors (7.2.2.3), third word */
#define IGB_DESCRIPTOR_DATA     (UINT32_C(3) << 20)
#define IGB_DESCRIPTOR_REPORT   (UINT32_C(1) << 27)
#define IGB_DESCRIPTOR_ADVANCED (UINT32_C(1) << 29)

#define IGB_MIN_REGISTERS 0x12000
