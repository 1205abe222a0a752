/* SPDX-License-Identifier: MIT */
/* The registers that nic_model.c knows, and what it keeps of each kind. */
#pragma once

#include <stdint.h>

#define NIC_SPACE 0x20000u

#define BIT_82576 1u
#define BIT_I350  2u
#define BOTH      (BIT_82576 | BIT_I350)

struct nic_facts {
    unsigned kind, queues, addresses, vlan_writes;
};

enum nic_special {
    PLAIN,
    WRITE_ONE_TO_CLEAR,
    CLEARED_BY_READING,
    WRITE_ONLY,
    CONTROL,
    PHY_INTERFACE,
    SEMAPHORE,
    OWNERS,
    VLAN_TABLE,
    QUEUE,
    MAILBOX,
};

struct nic_register {
    unsigned offset, count, stride; /* a stride of 0 is 4 */
    unsigned kinds;
    uint32_t writable, ignored; /* ignored: may be written, has no effect */
    enum nic_special special;
};

extern const struct nic_register nic_registers[];

const struct nic_facts *nic_facts_of(void);
void nic_set(unsigned offset, uint32_t value);

#define CTRL                    0x00000u
#define CTRL_SLU                0x00000040u
#define CTRL_FRCSPD             0x00000800u
#define CTRL_FRCDPLX            0x00001000u
#define CTRL_FORCED             0x00001a01u /* FRCSPD, FRCDPLX, 1000 Mb/s, full duplex */
#define CTRL_SWDPINS            0x000c0000u
#define CTRL_RST                0x04000000u
#define CTRL_RFCE               0x08000000u
#define CTRL_TFCE               0x10000000u
#define STATUS                  0x00008u
#define STATUS_RESET_DONE       0x00100000u
#define EECD                    0x00010u
#define EECD_AUTO_READ          0x00000200u
#define CTRL_EXT                0x00018u
#define SDP3_DATA               0x00000080u
#define SDP3_DIRECTION          0x00000800u
#define MDIC                    0x00020u
#define MDIC_WRITE              0x04000000u
#define MDIC_READ               0x08000000u
#define MDIC_READY              0x10000000u
#define MDIC_ERROR              0x40000000u
#define MDIC_DESTINATION        0x80000000u
#define RCTL                    0x00100u
#define RCTL_ENABLE             0x00000002u
#define MDICNFG                 0x00e04u
#define PHPM                    0x00e14u
#define PHPM_GO_LINK_DISCONNECT 0x00000020u
#define VMBMEM(n)               (0x00800u + 64 * (n))
#define P2VMAILBOX(n)           (0x00c00u + 4 * (n))
#define MBVFICR                 0x00c80u
#define VFLRE                   0x00c88u
#define VFRE                    0x00c8cu
#define VFTE                    0x00c90u
#define DTXSWC                  0x03500u
#define WVBR                    0x03554u
#define VMVIR(n)                (0x03700u + 4 * (n))
#define PCS_CFG                 0x04200u
#define PCS_ENABLE              0x00000008u
#define PCS_LCTL                0x04208u
#define PCS_FORCED              0x0000001cu /* FSD, 1000 Mb/s, full duplex */
#define PCS_AN_ENABLE           0x00010000u
#define PCS_ANADV               0x04218u
#define RLPML                   0x05004u
#define MTA(n)                  (0x05200u + 4 * (n))
#define RA_LOW(n)               ((n) < 16 ? 0x05400u + 8 * (n) : 0x054e0u + 8 * ((n) - 16))
#define RA_HIGH(n)              (RA_LOW(n) + 4)
#define VFTA(n)                 (0x05600u + 4 * (n))
#define MRQC                    0x05818u
#define VT_CTL                  0x0581cu
#define TXSWC                   0x05accu
#define VMOLR(n)                (0x05ad0u + 4 * (n))
#define RPLOLR                  0x05af0u
#define SWSM                    0x05b50u
#define FWSM                    0x05b54u
#define SW_FW_SYNC              0x05b5cu
#define VLVF(n)                 (0x05d00u + 4 * (n))
#define RX_QUEUE(n)             (0x0c000u + 0x40 * (n))
#define TX_QUEUE(n)             (0x0e000u + 0x40 * (n))
#define QUEUE_ENABLE            0x02000000u
#define DVMOLR(n)               (0x0c038u + 0x40 * (n))
