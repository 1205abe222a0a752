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

/* Guests can cause as many of these as they like: the first 16 are logged, then every power of
 * two. */
static inline bool nvme_is_logged(unsigned *count)
{
    unsigned n = ++*count;
    return n <= 16 || (n & (n - 1)) == 0;
}

/* nvme.c: NULL when the driver does not drive it. */
struct nvme_controller *nvme_controller_of(const struct pf_device *device);

MUST_CHECK enum status nvme_refuse(const struct nvme_controller *controller, enum status status,
                                   const char *message);

/* An admin queue in memory of its own, the controller enabled; its function must have been reset.
 * STATUS_TIMEOUT, STATUS_DEVICE, STATUS_UNSUPPORTED, STATUS_NO_MEMORY, all logged. */
MUST_CHECK enum status nvme_open(struct nvme_controller *controller);
/* Controller disabled, memory taken back. */
void nvme_close(struct nvme_controller *controller);

/* It is never asked again, and `lost` makes the core block its VFs. Logs nvme.dead. */
void nvme_give_up(struct nvme_controller *controller, enum nvme_opcode opcode, enum status status,
                  const char *message);

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

/* nvme_check.c: STATUS_DENIED when the VF's controller, which nobody has yet, offers what reaches
 * further than its own namespace and the configuration does not accept that. */
MUST_CHECK enum status nvme_check_secondary(struct nvme_controller *controller, uint16_t vf);

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
/* Takes the namespace from every controller that has it. */
MUST_CHECK enum status nvme_detach_all(struct nvme_controller *controller, uint32_t namespace);
/* Takes every namespace from the VF's controller. STATUS_TIMEOUT when a second does not do. */
MUST_CHECK enum status nvme_detach_from(struct nvme_controller *controller,
                                        const struct nvme_vf *vf);
MUST_CHECK enum status nvme_attach(struct nvme_controller *controller, const struct nvme_vf *vf);
/* Looks at up to sixteen namespaces, for 20 ms, and corrects wrong attachments; the next call goes
 * on from there. True when there was something. A controller that cannot be watched is given up. */
bool nvme_watch(struct nvme_controller *controller);
/* See pf_driver.h. */
void nvme_audit(struct pf_device *device, pf_breach *report, void *context);
