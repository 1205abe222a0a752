/* SPDX-License-Identifier: MIT */
/* What the files of this driver share. */
#pragma once

#include "drivers/igb/igb_registers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/pci/pf_driver.h"

#define IGB_MAX_PORTS        8
#define IGB_MULTICAST_HASHES 30 /* the most that a message holds */
#define IGB_VLANS_PER_VF     4  /* 8 VFs share 32 filters: none can take another's */

struct igb_vf {
    bool ready; /* went through VF_RESET since its last reset */
    bool multicast;
    uint8_t hash_count;
    uint8_t vlan_count;
    uint16_t hash[IGB_MULTICAST_HASHES];
    uint16_t vlan[IGB_VLANS_PER_VF];
    unsigned credit;      /* messages that may be answered now */
    uint64_t refilled_at; /* microseconds */
    unsigned refusals_logged;
};

/* Where the 82576 and the I350 differ while VFs are in use; setup/igb_kinds.h has the rest. */
struct igb_kind {
    uint8_t queues;
    uint8_t vlan_writes; /* of one VFTA entry */
    bool has_dvmolr;     /* the CRC is taken off there, not by VMOLR */
};

struct igb_port {
    const struct pf_device *device; /* NULL: free */
    struct igb_kind kind;
    uint8_t mac[6]; /* of the PF */
    uint8_t vf_mac[IGB_POOLS][6];
    struct igb_vf vf[IGB_POOLS];
    uint32_t rx_format, rx_cache, tx_cache; /* queue registers that are not 0 after a reset */
    struct deadline look_again;
    unsigned spoofs_logged;
    struct pf_dma *dma;
};

static inline uint32_t igb_read(const struct pf_device *device, unsigned offset)
{
    return mmio_read32(device->registers + offset);
}

static inline void igb_write(const struct pf_device *device, unsigned offset, uint64_t value)
{
    mmio_write32(device->registers + offset, (uint32_t)value);
}

static inline void igb_update(const struct pf_device *device, unsigned offset, uint64_t clear,
                              uint64_t set)
{
    igb_write(device, offset, (igb_read(device, offset) & ~clear) | set);
}

/* igb_port.c: NULL when the driver does not drive it. A free one for NULL. */
struct igb_port *igb_port_of(const struct pf_device *device);

/* igb_vf.c */
/* A VF starts afresh: standard filters, its MAC address in place, its queues allowed to run. Its
 * queue registers are its own and stay. */
void igb_vf_restart(struct pf_device *device, uint16_t vf);
/* Its queues and interrupts as after power-on. */
void igb_vf_clear(struct pf_device *device, uint16_t vf);
/* No cause of its leads to a vector. */
void igb_vf_clear_vectors(struct pf_device *device, uint16_t vf);

/* igb_filter.c: what a VF receives. */
void igb_filter_reset(struct pf_device *device, uint16_t vf);
void igb_filter_multicast(struct pf_device *device, uint16_t vf, const uint16_t *hashes,
                          unsigned count);
/* STATUS_FULL when the VF has its share of VLANs. */
MUST_CHECK enum status igb_filter_vlan(struct pf_device *device, uint16_t vf, uint16_t vlan,
                                       bool add);
void igb_filter_length(struct pf_device *device, uint16_t vf, uint32_t bytes);

/* igb_mailbox.c */
/* One unit of what a VF may make the control core do; false when it has used up its share. */
bool igb_take_credit(struct igb_vf *state);
void igb_mailbox_reset(struct pf_device *device, uint16_t vf);
/* Answers the message that the VF has asked to be read; whether that was done now. */
bool igb_mailbox_service(struct pf_device *device, uint16_t vf);
