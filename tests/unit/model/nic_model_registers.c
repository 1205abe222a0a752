/* SPDX-License-Identifier: MIT */
#include "tests/unit/model/nic_model_registers.h"

#define ALL UINT32_C(0xffffffff)

/* Reserved bits that drivers in the field write as ones are `ignored`, not violations: the PHY's
 * address in an I350's MDIC, the upper half of QDE. */
const struct nic_register nic_registers[] = {
    {CTRL, 1, 0, BOTH, 0xffffffff, 0, CONTROL},
    {STATUS, 1, 0, BIT_82576, 0, 0, PLAIN},
    {STATUS, 1, 0, BIT_I350, STATUS_RESET_DONE, 0, WRITE_ONE_TO_CLEAR},
    {EECD, 1, 0, BOTH, 0x0000004f, 0, PLAIN},
    {CTRL_EXT, 1, 0, BOTH, 0x9fdfffff, 0, PLAIN},
    {MDIC, 1, 0, BIT_82576, 0xafffffff, 0, PHY_INTERFACE},
    {MDIC, 1, 0, BIT_I350, 0x2c1fffff, 0x03e00000, PHY_INTERFACE},
    {RCTL, 1, 0, BOTH, 0x06ffb7fe, 0, PLAIN},
    {0x00400, 1, 0, BOTH, 0x03fffffa, 0, PLAIN}, /* TCTL */
    {MDICNFG, 1, 0, BIT_I350, 0xc3e00000, 0, PLAIN},
    {PHPM, 1, 0, BIT_I350, 0x000000ff, 0, PLAIN},
    /* mailboxes and the state of the VFs */
    {VMBMEM(0), 128, 0, BOTH, ALL, 0, PLAIN},
    {P2VMAILBOX(0), 8, 0, BOTH, 0x1b, 0, MAILBOX},
    {0x00c40, 8, 0, BOTH, 0, 0, CLEARED_BY_READING}, /* V2PMAILBOX */
    {MBVFICR, 1, 0, BOTH, 0x00ff00ff, 0, WRITE_ONE_TO_CLEAR},
    {0x00c84, 1, 0, BOTH, 0xff, 0, PLAIN}, /* MBVFIMR */
    {VFLRE, 1, 0, BOTH, 0xff, 0, WRITE_ONE_TO_CLEAR},
    {VFRE, 1, 0, BOTH, 0xff, 0, PLAIN},
    {VFTE, 1, 0, BOTH, 0xff, 0, PLAIN},
    /* interrupts */
    {0x01500, 1, 0, BOTH, ALL, 0, CLEARED_BY_READING}, /* ICR */
    {0x0150c, 1, 0, BOTH, ALL, 0, WRITE_ONLY},         /* IMC */
    {0x01514, 1, 0, BOTH, 0xc0000f9f, 0, PLAIN},       /* GPIE */
    {0x01528, 1, 0, BOTH, ALL, 0, WRITE_ONLY},         /* EIMC */
    {0x0152c, 1, 0, BOTH, 0x01ffffff, 0, PLAIN},       /* EIAC */
    {0x01680, 25, 0, BOTH, 0x80007ffc, 0, PLAIN},      /* EITR */
    {0x01700, 8, 0, BIT_82576, ALL, 0, PLAIN},         /* IVAR: two queues of a pool each */
    {0x01700, 4, 0, BIT_I350, ALL, 0, PLAIN},          /* IVAR: two pools each */
    {0x11700, 16, 0, BIT_82576, 0, ALL, PLAIN},        /* nothing; QEMU's card keeps VTIVAR there */
    {0x05b68, 1, 0, BOTH, ALL, 0, WRITE_ONLY},         /* PBACL */
    /* the switch */
    {0x02408, 1, 0, BIT_82576, 0xffff, 0, PLAIN}, /* QDE */
    {0x02408, 1, 0, BIT_I350, 0xff, 0xff00, PLAIN},
    {DTXSWC, 1, 0, BIT_82576, 0x80ffffff, 0, PLAIN},
    {TXSWC, 1, 0, BIT_I350, 0x80ffffff, 0, PLAIN},
    {WVBR, 1, 0, BIT_82576, 0, 0, CLEARED_BY_READING},
    {WVBR, 1, 0, BIT_I350, 0, 0, CLEARED_BY_READING},
    {0x03548, 1, 0, BIT_I350, 0, 0, CLEARED_BY_READING}, /* LVMMC */
    {VMVIR(0), 8, 0, BOTH, 0xc000ffff, 0, PLAIN},
    {RLPML, 1, 0, BOTH, 0x3fff, 0, PLAIN},
    {MTA(0), 128, 0, BOTH, ALL, 0, PLAIN},
    {0x05400, 32, 0, BOTH, ALL, 0, PLAIN}, /* RAL, RAH 0 to 15 */
    {0x054e0, 16, 0, BIT_82576, ALL, 0, PLAIN},
    {0x054e0, 32, 0, BIT_I350, ALL, 0, PLAIN},
    {VFTA(0), 128, 0, BOTH, ALL, 0, VLAN_TABLE},
    {MRQC, 1, 0, BOTH, 0xffff000f, 0, PLAIN},
    {VT_CTL, 1, 0, BOTH, 0x70000380, 0, PLAIN},
    {VMOLR(0), 8, 0, BIT_82576, 0xff833fff | 0x00010000, 0, PLAIN},
    {VMOLR(0), 8, 0, BIT_I350, 0x3f833fff, 0, PLAIN}, /* stripping is DVMOLR's */
    {RPLOLR, 1, 0, BIT_82576, 0xc0000000, 0, PLAIN},
    {DVMOLR(0), 8, 0x40, BIT_I350, 0xe0000000, 0, PLAIN},
    {VLVF(0), 32, 0, BOTH, 0x801fffff, 0, PLAIN},
    {0x0a000, 128, 0, BOTH, ALL, 0, PLAIN}, /* UTA */
    /* semaphores */
    {SWSM, 1, 0, BOTH, 3, 0, SEMAPHORE},
    {FWSM, 1, 0, BOTH, 0, 0, PLAIN},
    {SW_FW_SYNC, 1, 0, BOTH, ALL, 0, OWNERS},
    /* SerDes */
    {0x00024, 1, 0, BOTH, ALL, 0, PLAIN}, /* SCTL */
    {PCS_CFG, 1, 0, BOTH, 0x8000001f, 0, PLAIN},
    {PCS_LCTL, 1, 0, BOTH, 0x070f00ff, 0, PLAIN},
    {PCS_ANADV, 1, 0, BOTH, 0x0000f1e0, 0, PLAIN},
    /* queues: base, length, format, head, cache, tail, control; drops; write-back */
    {RX_QUEUE(0) + 0x00, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x04, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x08, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x0c, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x10, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x14, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x18, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x28, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x30, 16, 0x40, BIT_82576, 0, 0, CLEARED_BY_READING},
    {TX_QUEUE(0) + 0x00, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x04, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x08, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x10, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x14, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x18, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x28, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x38, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x3c, 16, 0x40, BIT_82576, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x00, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x04, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x08, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x0c, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x10, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x14, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x18, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x28, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {RX_QUEUE(0) + 0x30, 8, 0x40, BIT_I350, 0, 0, CLEARED_BY_READING},
    {TX_QUEUE(0) + 0x00, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x04, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x08, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x10, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x14, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x18, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x28, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x38, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    {TX_QUEUE(0) + 0x3c, 8, 0x40, BIT_I350, ALL, 0, QUEUE},
    /* the PF's view of the VFs' interrupt registers: EIMS, EIMC, EIAC, EIAM, EICR */
    {0x10024, 8, 0x100, BOTH, 7, 0, PLAIN},
    {0x10028, 8, 0x100, BOTH, ALL, 0, WRITE_ONLY},
    {0x1002c, 8, 0x100, BOTH, 7, 0, PLAIN},
    {0x10030, 8, 0x100, BOTH, 7, 0, PLAIN},
    {0x10080, 8, 0x100, BOTH, ALL, 0, WRITE_ONE_TO_CLEAR},
    {0},
};
