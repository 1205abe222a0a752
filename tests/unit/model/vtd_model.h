/* SPDX-License-Identifier: MIT */
/*
 * A VT-d unit as registers and memory, for host tests: it answers behind hypervisor/base/mmio.h,
 * reads the real tables, keeps stale cache entries until it is told to drop them, and writes down
 * every rule of the specification that its driver breaks. It can be what no emulator is:
 * non-coherent, of any depth, one of several, with several fault registers, slow, refusing, dead.
 *
 * It also provides what surrounds a unit: map_device(), the control core, the fault interrupt.
 */
#pragma once

#include "hypervisor/iommu/vtd_registers.h"
#include "hypervisor/iommu/vtd_scalable.h"
#include "hypervisor/setup/iommu_registers.h"

#define MODEL_MAX_UNITS 8
#define MODEL_CACHE     64

struct vtd_model_counts {
    unsigned context_global, context_device, context_other;
    unsigned context_present; /* of context_device: the entry was present; coherent units only */
    unsigned iotlb_global, iotlb_domain, iotlb_page;
    unsigned pasid_global, pasid_domain;
    unsigned iec_global, iec_index;
    unsigned iec_present; /* of iec_index: the entry was present; coherent units only */
    unsigned wait;
    unsigned register_context, register_iotlb; /* commands given through registers */
    unsigned write_buffer;                     /* WBF commands */
    unsigned translation_off;                  /* times TE went from on to off */
    unsigned overflow_back;                    /* PFO cleared while no record was free */
};

struct vtd_model {
    /* What it is. */
    uint64_t base;
    uint32_t version;
    uint64_t cap, ecap;
    /* How it behaves. */
    bool dead;             /* all reads give ones */
    bool queue_silent;     /* takes descriptors and does nothing */
    bool refuses_commands; /* CCMD and IOTLB report that nothing was done */
    bool commands_hang;    /* CCMD and IOTLB never finish */
    bool pasid_rubbish;    /* ones in the PASID field of fault records */
    uint32_t stuck;        /* status bits that never follow a command */
    unsigned latency;      /* reads of a status until a command is done */
    unsigned fail_in;      /* the n-th descriptor from now fails (1: the next); 0: none */
    uint32_t fail_error;   /* VTD_FSTS_IQE, _ICE or _ITE */
    bool fail_again;       /* and every n-th after it */
    bool pmr_stuck;
    /* Functions that firmware uses while translation comes on: a bit each (RID below 0x100). */
    uint64_t firmware[4];
    /* Registers. */
    uint32_t gsts, fsts, fectl, fedata, feaddr, feuaddr, pmen;
    uint64_t rtaddr, ccmd, iva, iotlb, iqh, iqt, iqa, irta;
    uint64_t frcd[256][2];
    /* Inside. */
    uint32_t pending;
    unsigned countdown, ccmd_countdown, iotlb_countdown;
    uint64_t root, irt; /* latched */
    bool needs_context, needs_iotlb, needs_iec, needs_pasid;
    bool scalable;       /* the root table was latched in scalable mode */
    bool buffer_flushed; /* since a table's address was set last */
    bool queue_stopped;  /* after an error, until the tail is written */
    bool waits_dropped;
    unsigned next_record;
    unsigned fail_count;
    struct {
        bool valid, present;
        uint16_t source, domain;
        uint64_t low, high;
    } context_cache[MODEL_CACHE];
    struct {
        bool valid, present;
        uint16_t domain;
        uint64_t page, physical;
        unsigned rights;
    } iotlb_cache[MODEL_CACHE];
    struct {
        bool valid;
        uint64_t directory, low, high;
        uint16_t domain; /* 0: not present */
    } pasid_cache[MODEL_CACHE];
    struct {
        bool valid;
        uint32_t index;
        uint64_t low, high;
    } interrupt_cache[MODEL_CACHE];
    unsigned cache_next;
    struct vtd_model_counts counts;
};

/* Capabilities to start from: 4 levels, 2M and 1G pages, 64K domains, coherent, QI, IR, EIM, page
 * selective invalidation, one fault register at 0x220, IOTLB registers at 0xf0. */
#define MODEL_CAP                                                                                  \
    (UINT64_C(6) | UINT64_C(4) << 8 | UINT64_C(47) << 16 | UINT64_C(0x22) << 24 |                  \
     UINT64_C(3) << 34 | VTD_CAP_PSI | UINT64_C(18) << 48 | VTD_CAP_DWD | VTD_CAP_DRD)
#define MODEL_ECAP            (VTD_ECAP_C | VTD_ECAP_QI | VTD_ECAP_IR | VTD_ECAP_EIM | UINT64_C(0xf) << 8)
#define MODEL_CAP_SAGAW(bits) ((uint64_t)(bits) << 8)
#define MODEL_CAP_NFR(count)  ((uint64_t)((count) - 1) << 40)

void vtd_model_reset(void);
struct vtd_model *vtd_model_add(uint64_t base, uint64_t cap, uint64_t ecap);
void vtd_model_counts_clear(struct vtd_model *unit);

/* Broken rules since the reset; the last of them in words, and the first, from which others may
 * follow. */
unsigned vtd_model_violations(void);
const char *vtd_model_violation_text(void);
const char *vtd_model_first_violation_text(void);
void vtd_model_violation(const char *format, ...) PRINTF_LIKE(1, 2);

/* A request of a device. Not allowed: `reason` is the fault reason, recorded unless FPD. */
struct vtd_model_result {
    bool allowed;
    uint8_t reason;
    uint64_t physical;    /* DMA */
    bool snooped;         /* caches are looked at even if the request says not to */
    uint8_t vector;       /* interrupts */
    uint32_t destination; /* APIC id */
};
struct vtd_model_result vtd_model_dma(struct vtd_model *unit, uint16_t source, uint64_t address,
                                      bool write);
struct vtd_model_result vtd_model_interrupt(struct vtd_model *unit, uint16_t source,
                                            uint32_t address, uint32_t data);
void vtd_model_fault(struct vtd_model *unit, uint16_t source, uint64_t information, uint8_t reason,
                     bool write);

/* Between the model's files. */
struct vtd_model *vtd_model_at(unsigned index);
uint64_t vtd_model_memory(const struct vtd_model *unit, uint64_t physical);
void vtd_model_memory_write(const struct vtd_model *unit, uint64_t physical, uint32_t value);
void vtd_model_memory_reset(void);
/* Whether the tables that are latched have a present entry for the function. */
bool vtd_model_has_context(const struct vtd_model *unit, uint16_t source);
bool vtd_model_context_is_garbage(const struct vtd_model *unit, uint64_t low, uint64_t high);
void vtd_model_queue_run(struct vtd_model *unit);
void vtd_model_context_command(struct vtd_model *unit, uint64_t value);
void vtd_model_iotlb_command(struct vtd_model *unit, uint64_t value);
void vtd_model_drop_context(struct vtd_model *unit, bool all, uint16_t domain, uint16_t source);
/* order 64: the whole domain; domain 0 with order 65: everything. */
void vtd_model_drop_iotlb(struct vtd_model *unit, uint16_t domain, uint64_t address,
                          unsigned order);
void vtd_model_drop_interrupts(struct vtd_model *unit, bool all, uint32_t index);

/* vtd_model_scalable.c, for tests of scalable mode. The entry as legacy mode would have it. */
uint8_t vtd_model_scalable_look_up(struct vtd_model *unit, uint16_t source, uint64_t *low,
                                   uint64_t *high) WEAK;
bool vtd_model_scalable_has_context(const struct vtd_model *unit, uint16_t source) WEAK;
void vtd_model_scalable_fence(const struct vtd_model *unit) WEAK;

/* --- surroundings --- */
/* Registers that belong to no unit, but to a device beside it. False: not there either. NULL: none.
 */
extern bool (*vtd_model_elsewhere)(uintptr_t address, unsigned width, uint64_t *value, bool write);
void vtd_model_x2apic(bool on);
void vtd_model_control_core(uint32_t apic_id);
/* Fault interrupts that arrived at the control core. */
unsigned vtd_model_fault_interrupts(void);
