/* SPDX-License-Identifier: MIT */
/*
 * What the VT-d files share among themselves; nobody else includes this. Like iommu.h: control
 * core only.
 */
#pragma once

#include "hypervisor/base/clock.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/iommu/vtd_registers.h"

#define VTD_WAIT MILLISECONDS(500)

#define VTD_MAX_DOMAINS 1024 /* one for each guest and each PF: far more than there can be */

#define VTD_MAX_CONNECTIONS 1024 /* 64 guests with 8 functions each, PFs, what firmware uses */

#define VTD_QUEUE_ENTRIES 256 /* one page of 128-bit descriptors: QS = 0 */

/* 4096 messages a unit (64 KiB). 64 VFs with ten messages each use a sixth of it; the
 * architecture's maximum of 65536 would cost 1 MiB for each of up to seven units. The size is
 * fixed: hardware latches the table's address, and growing it would need a second table while
 * entries are live. */
#define VTD_INTERRUPT_ENTRIES 4096u
/* Entry 0 is never used: a message whose index was never set, or was wiped, hits nothing. */
#define VTD_INTERRUPT_FIRST 1u

struct vtd_unit {
    uint64_t base;           /* physical */
    uintptr_t registers;     /* virtual; 0: not mapped */
    uint64_t registers_size; /* bytes */
    uint32_t dmar_offset;    /* of its DRHD in the table: the unit's name inside this program */
    uint16_t segment;
    uint32_t version;
    uint64_t capability, extended;
    bool answers;                     /* its registers can be believed */
    bool usable;                      /* functions may be connected */
    bool translating;                 /* translation was turned on with this program's root table */
    bool queued;                      /* invalidations go through the queue */
    bool remapping;                   /* interrupt remapping is on */
    bool eim;                         /* with 32-bit destinations */
    bool broken;                      /* it stopped obeying: no further invalidation is tried */
    char refusal[IOMMU_REFUSAL_SIZE]; /* why it is not usable, or "" */

    struct vtd_root_entry *root;
    struct vtd_irte *interrupts;
    uint32_t interrupt_hint; /* where the search for a free entry begins */

    struct vtd_descriptor *queue;
    uint32_t tail;             /* next free descriptor */
    uint32_t sequence;         /* the last wait's status value */
    volatile uint32_t *status; /* [0] written by wait descriptors, [1] by skipped ones */
};

/* What the DMAR table says of a function that is not a VF. */
struct vtd_scope {
    rid_t rid;
    int unit;         /* index of the unit it is behind, -1: none */
    uint64_t regions; /* bit: index of a reserved region that is kept for it */
};

struct vtd_connection {
    rid_t rid;
    struct vtd_unit *unit;
    struct iommu_domain *domain; /* NULL: free slot */
};

struct vtd_state {
    bool enabled;
    unsigned unit_count;
    struct vtd_unit unit[IOMMU_MAX_UNITS];
    /* What all usable units can do, which is what domains are made of. */
    unsigned levels;
    unsigned max_leaf_level;
    unsigned input_bits;   /* width of a DMA address */
    uint32_t domain_count; /* domain ids 1 .. domain_count - 1 */
    bool flush;            /* some unit does not snoop its tables */
    bool snoop;            /* every usable unit can make a device's requests snoop (ECAP.SC) */
    unsigned scope_count;
    struct vtd_scope scope[PCI_MAX_FUNCTIONS];
    uint64_t domain_used[VTD_MAX_DOMAINS / 64];
    struct vtd_connection connections[VTD_MAX_CONNECTIONS];
    /* One look at each fault record, from each unit's oldest on. It stands here and on no stack: a
     * fault's answer may take its time, use the units, and have faults answered meanwhile. */
    struct {
        bool under_way;
        unsigned unit;
        unsigned looked_at; /* of the unit's records */
        uint32_t status;    /* FSTS, as the unit's turn began */
    } pass;
};
extern struct vtd_state vtd;

static inline bool vtd_coherent(const struct vtd_unit *unit)
{
    return (unit->extended & VTD_ECAP_C) != 0;
}

/* --- vtd_unit.c --- */
/* NULL for a function that was not there at boot. A VF has none of its own. */
const struct vtd_scope *vtd_scope_of(const struct pci_function *function);
/* The unit of a function; NULL for none. It may be one that was refused. */
struct vtd_unit *vtd_unit_of(const struct pci_function *function);
uint32_t vtd_read32(const struct vtd_unit *unit, uint32_t offset);
uint64_t vtd_read64(const struct vtd_unit *unit, uint32_t offset);
void vtd_write32(const struct vtd_unit *unit, uint32_t offset, uint32_t value);
void vtd_write64(const struct vtd_unit *unit, uint32_t offset, uint64_t value);
/* Logs iommu.refused; from here on the unit takes no function. */
void vtd_refuse(struct vtd_unit *unit, uint32_t offset, uint64_t value, const char *message);
/* Makes what was written to memory visible to the unit (VT-d 6.8): fences and, where the unit does
 * not snoop, flushes the cache lines. */
void vtd_publish(const struct vtd_unit *unit, const volatile void *memory, size_t size);
/* Switches one of TE, QIE, IRE, CFI and waits for the status to follow (VT-d 11.4.4). */
MUST_CHECK enum status vtd_switch(const struct vtd_unit *unit, uint32_t bit, bool on);
/* Waits until the unit has drained its write buffer; nothing to do without CAP.RWBF. */
MUST_CHECK enum status vtd_write_buffer_flush(const struct vtd_unit *unit);
/* The register takes one command at a time; whatever is on stays on (VT-d 11.4.4.1). */
void vtd_command(const struct vtd_unit *unit, uint32_t set, uint32_t clear);

/* --- the format of what says which domain a function is in: vtd_domain.c has legacy mode's. What
 * vtd_scalable.c has instead is linked by SCALABLE=1 --- */
struct vtd_format {
    uint64_t table_mode; /* TTM of RTADDR */
    unsigned slots;      /* of 16 bytes, that a descriptor has in the queue */
    /* What is invalidated after a context entry, a descriptor; NULL: nothing lies below it. */
    struct vtd_descriptor (*below)(struct vtd_descriptor request);
    const char *(*reason)(uint8_t reason); /* of faults from 0x30 on */
};
extern const struct vtd_format vtd_format;
/* The entry of a requester id, NULL when its bus has no context table (and `create` is false or no
 * memory is left). P and FPD are in its lower half. */
struct vtd_context_entry *vtd_context_at(const struct vtd_unit *unit, rid_t rid, bool create);
/* A present entry that leads to the domain; all 0 when no memory is left. */
struct vtd_context_entry vtd_context_for(const struct iommu_domain *domain);

/* --- vtd_fault.c --- */
/* Offset of a fault record among the registers. */
uint32_t vtd_fault_record(const struct vtd_unit *unit, unsigned index);
void vtd_fault_free(const struct vtd_unit *unit, unsigned index);
void vtd_fault_event(void *context);
