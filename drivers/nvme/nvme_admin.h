/* SPDX-License-Identifier: MIT */
/* The admin queue, and what the files of this driver share. */
#pragma once

#include "drivers/nvme/nvme_registers.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
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
    unsigned code;            /* status type and code of the latest command; 0: success, or none */
    uint16_t id;              /* CNTLID */
    uint32_t last_namespace;  /* the highest id that there can be */
    uint16_t queues, vectors; /* flexible resources of each VF */
    struct nvme_vf vf[PF_MAX_VFS];
    uint64_t watched_at;   /* microseconds */
    uint32_t watched_to;   /* the namespace that the last look ended with; 0: all were seen */
    uint32_t audited_to;   /* the same of the audit */
    bool round_failed;     /* some look since all were seen last */
    unsigned failed_looks; /* since a round without one */
    unsigned commands_refused, corrections;
};

/* The admin queue's memory. */
enum nvme_page { NVME_PAGE_SUBMISSION, NVME_PAGE_COMPLETION, NVME_PAGE_DATA, NVME_PAGES };
#define NVME_ENTRIES 32u

static inline uint64_t nvme_page_address(enum nvme_page number)
{
    return PF_DMA_BASE + number * PAGE_SIZE;
}

static inline uint32_t nvme_read(const struct nvme_controller *controller, unsigned offset)
{
    return mmio_read32(controller->device->registers + offset);
}

static inline void nvme_write(const struct nvme_controller *controller, unsigned offset,
                              uint64_t value)
{
    mmio_write32(controller->device->registers + offset, (uint32_t)value);
}

/* Guests can cause as many of these as they like. */
static inline bool nvme_is_logged(unsigned *count)
{
    return log_is_due(++*count, 16);
}

/* nvme_controller.c: NULL when the driver does not drive it. A free one for NULL. */
struct nvme_controller *nvme_controller_of(const struct pf_device *device);

MUST_CHECK enum status nvme_refuse(const struct nvme_controller *controller, enum status status,
                                   const char *message);

/* It is never asked again, and `lost` makes the core block its VFs. Logs nvme.dead, and returns
 * `status`. */
enum status nvme_give_up(struct nvme_controller *controller, enum nvme_opcode opcode,
                         enum status status, const char *message);

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

/* nvme.c */
void nvme_report_vf(const struct nvme_controller *controller, uint16_t index, const char *event,
                    enum status status, const char *message);

/* nvme_secondary.c. Errors are those of nvme_execute(), and STATUS_INVALID, STATUS_UNSUPPORTED,
 * STATUS_NOT_FOUND for what the controller says of itself; all logged. */
/* Virtualization Management. STATUS_DEVICE when a secondary controller gets another count than it
 * was to get. */
MUST_CHECK enum status nvme_manage(struct nvme_controller *controller, enum nvme_action action,
                                   enum nvme_resource resource, uint16_t id, uint16_t count);
/* The entry of VF `vf`: its offset in the data page, 0 when there is none. The secondary controller
 * list is in the data page. */
unsigned nvme_find_secondary(const struct nvme_controller *controller, uint16_t vf);
/* From whatever state to: online, reset by that, with its resources and its namespace. */
MUST_CHECK enum status nvme_bring_online(struct nvme_controller *controller, uint16_t vf);
MUST_CHECK enum status nvme_take_offline(struct nvme_controller *controller, struct nvme_vf *vf);

/* nvme_namespaces.c */
#define NVME_AT_ONCE 16

/* The allocated namespaces in the order of their ids, after `last`. */
struct nvme_walk {
    uint32_t last;
    unsigned seen;
    unsigned next, count; /* of `id` */
    uint32_t id[NVME_AT_ONCE];
};
/* STATUS_NOT_FOUND past the last one, STATUS_FULL for more than 4096. Uses the data page for every
 * sixteenth. */
MUST_CHECK enum status nvme_next_namespace(struct nvme_controller *controller,
                                           struct nvme_walk *walk, uint32_t *namespace);
/* Which controllers the namespace is attached to: their count, and the list in the data page as the
 * attachment command takes it. */
MUST_CHECK enum status nvme_read_attached(struct nvme_controller *controller, uint32_t namespace,
                                          uint16_t *count);
/* Takes every namespace from the VF's controller. STATUS_TIMEOUT when a second is not enough. */
MUST_CHECK enum status nvme_detach_from(struct nvme_controller *controller,
                                        const struct nvme_vf *vf);
MUST_CHECK enum status nvme_attach(struct nvme_controller *controller, const struct nvme_vf *vf);
/* Looks at up to sixteen namespaces, for 20 ms, and corrects wrong attachments; the next call goes
 * on from there. True when there was something. A controller that cannot be watched is given up. */
bool nvme_watch(struct nvme_controller *controller);
/* See pf_driver.h. */
void nvme_audit(struct pf_device *device, pf_breach *report, void *context);
