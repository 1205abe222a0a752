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

/* An admin queue in memory of its own, the controller enabled; its function must have been reset.
 * STATUS_TIMEOUT, STATUS_DEVICE, STATUS_UNSUPPORTED, STATUS_NO_MEMORY, all logged. */
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

/* nvme_secondary.c. Errors are those of nvme_execute(), and STATUS_INVALID, STATUS_UNSUPPORTED,
 * STATUS_NOT_FOUND for what the controller says of itself; all logged. */
/* Opens the controller, finds a secondary controller and a namespace for each VF, and detaches all
 * namespaces; before VF Enable. */
MUST_CHECK enum status nvme_take_stock(struct nvme_controller *controller);
/* From whatever state to: online, reset by that, with its resources and its namespace. */
MUST_CHECK enum status nvme_bring_online(struct nvme_controller *controller, uint16_t vf);
MUST_CHECK enum status nvme_take_offline(struct nvme_controller *controller, struct nvme_vf *vf);
/* STATUS_DENIED when the VF's controller, which nobody has yet, may do what is the primary's. */
MUST_CHECK enum status nvme_check_secondary(struct nvme_controller *controller, uint16_t vf);
/* Reads which controllers the namespace is attached to; their count, and the list in the data page
 * as the attachment command takes it. */
MUST_CHECK enum status nvme_read_attached(struct nvme_controller *controller, uint32_t namespace,
                                          uint16_t *count);
MUST_CHECK enum status nvme_detach_all(struct nvme_controller *controller, uint32_t namespace);
MUST_CHECK enum status nvme_attach(struct nvme_controller *controller, const struct nvme_vf *vf);
