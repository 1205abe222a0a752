/* The admin queue, and what the files of this driver share. */
#pragma once

#include "drivers/nvme/nvme_registers.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/pci/pf_driver.h"

struct nvme_vf {
    uint16_t controller; /* the secondary controller's id */
    uint32_t namespace;  /* what it sees */
    bool online;
};

struct nvme_controller {
    struct pf_device *device; /* NULL: free */
    struct pf_dma *dma;       /* NULL: not enabled */
    bool dead;                /* broke the protocol or did not answer: never asked again */
    unsigned stride;          /* bytes from one doorbell to the next */
    uint16_t tail, head, last_id, phase;
    uint16_t id;              /* CNTLID */
    uint32_t last_namespace;  /* the highest id that there can be */
    uint16_t queues, vectors; /* flexible resources of each VF */
    struct nvme_vf vf[PF_MAX_VFS];
    uint64_t watched_at; /* microseconds */
    uint16_t watch_next; /* VF whose namespace is looked at next */
    unsigned intrusions_logged;
};

MUST_CHECK enum status nvme_refuse(const struct nvme_controller *controller, enum status status,
                                   const char *message);

/* Function level reset, an admin queue in memory of its own, controller enabled. STATUS_TIMEOUT,
 * STATUS_DEVICE, STATUS_UNSUPPORTED, STATUS_NO_MEMORY, all logged. */
MUST_CHECK enum status nvme_open(struct nvme_controller *controller);
/* Controller disabled, memory taken back. */
void nvme_close(struct nvme_controller *controller);

/* Carries out one admin command with the data page as its buffer and waits for it, two seconds at
 * most. STATUS_DEVICE: the controller refused it; anything worse makes the controller dead. */
MUST_CHECK enum status nvme_execute(struct nvme_controller *controller, enum nvme_opcode opcode,
                                    uint32_t namespace, uint32_t dword10, uint32_t dword11,
                                    uint32_t *result);
MUST_CHECK enum status nvme_identify(struct nvme_controller *controller, enum nvme_identify what,
                                     uint32_t namespace);

/* The data page. The device may change it at any time: what was checked is not read again. */
uint16_t nvme_data16(const struct nvme_controller *controller, unsigned offset);
uint32_t nvme_data32(const struct nvme_controller *controller, unsigned offset);
/* A Controller List with one id. */
void nvme_data_set_list(struct nvme_controller *controller, uint16_t only);
