/* SPDX-License-Identifier: MIT */
/*
 * A model of configuration space: functions, bridges that route by their bus registers, BARs that
 * answer sizing, capability lists (also hostile ones), resets, and SR-IOV with VFs that appear 100
 * ms after VF Enable. It provides pci_config_read/write and frames_range, and it counts what real
 * hardware would not forgive as violations.
 */
#pragma once

#include "hypervisor/pci/function.h"

struct model_sriov {
    uint16_t offset; /* of the capability */
    uint16_t total, initial;
    uint16_t first_offset, stride;
    uint16_t first_offset_without_ari; /* 0: the same */
    uint16_t vf_device;
    uint32_t supported_pages;
    struct model_bar {
        uint64_t size, base;
        bool is_64bit, prefetchable, io;
    } bar[PCI_BARS];
    unsigned silent_vf;   /* index + 1 of a VF that never answers */
    bool refuses_num_vfs; /* NumVFs stays 0 */
    uint16_t vf_acs;      /* what the VFs' ACS capability offers; 0: they have none */
};

struct model_function {
    bool used, is_vf, raw;
    rid_t rid;
    uint8_t config[4096];
    uint8_t writable[4096]; /* bit mask */
    unsigned last_capability, last_extended;
    unsigned cap_pcie, cap_af, cap_acs, cap_pm;
    struct model_sriov sriov;
    uint64_t vfs_ready_at, sriov_quiet_until;
    struct model_function *pf;
    unsigned resets;
    uint64_t resetting_until;
    bool pending_stuck;      /* Transactions Pending never clears */
    uint64_t pending_until;  /* or clears at this time */
    bool dies_in_reset;      /* never answers again */
    unsigned ignored_resets; /* this many of its resets change nothing */
    uint64_t held_since;     /* of a bridge: Secondary Bus Reset is set */
    bool reset_clears_bars;
    bool hidden_flr; /* it has FLR and does not say so */
    bool no_bars;    /* what stands where BARs are must not be written */
    uint8_t made_bus;
    uint8_t captured; /* the bus number that it sends with: that of its last configuration write */
    struct model_function *behind; /* the bridge, once bus numbers have been written */
    uint8_t made_secondary;        /* of a bridge, as it was made */
    bool cut_off;                  /* its bus is not forwarded to it now */
    bool stuck;                    /* it does not answer under another bus number */
};

static inline void model_put(struct model_function *function, unsigned offset, unsigned width,
                             uint32_t value)
{
    for (unsigned i = 0; i < width; i++)
        function->config[offset + i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t model_get(const struct model_function *function, unsigned offset,
                                 unsigned width)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint32_t)function->config[offset + i] << (8 * i);
    return value;
}

static inline void model_writable(struct model_function *function, unsigned offset, unsigned width,
                                  uint32_t mask)
{
    for (unsigned i = 0; i < width; i++)
        function->writable[offset + i] = (uint8_t)(mask >> (8 * i));
}

void model_clear(void);
/* One root bus 0 is there from the start. */
void model_root_bus(uint8_t bus);
struct model_function *model_endpoint(rid_t rid, uint16_t vendor, uint16_t device,
                                      uint32_t class_code);
struct model_function *model_bridge(rid_t rid, uint8_t secondary, uint8_t subordinate);
/* Windows in bytes, inclusive limits; prefetchable ones are 64-bit. */
void model_window(struct model_function *bridge, bool prefetchable, uint64_t base, uint64_t limit);
void model_bar(struct model_function *function, unsigned index, struct model_bar bar);
/* Appends to the list; `offset` is free space of the caller's choice. */
void model_capability(struct model_function *function, unsigned offset, uint8_t id);
void model_extended(struct model_function *function, unsigned offset, uint16_t id);
/* PCIe capability version 2 at `offset`; `type` is the device/port type. */
void model_pcie(struct model_function *function, unsigned offset, unsigned type, bool flr);
/* `no_soft_reset`: D3hot and back keeps everything. */
void model_pm(struct model_function *function, unsigned offset, bool no_soft_reset);
void model_acs(struct model_function *function, unsigned offset, uint16_t offered);
void model_msix(struct model_function *function, unsigned offset, unsigned vectors, uint32_t table,
                uint32_t pba);
void model_sriov(struct model_function *pf, const struct model_sriov *sriov);
/* Bytes from outside as configuration space; every write is taken where `writable` has ones. */
struct model_function *model_raw(rid_t rid, const uint8_t *bytes, size_t size);
/* From now on it also answers for every id that nobody has (NULL: nobody does again). */
void model_mirror(struct model_function *function);

struct model_function *model_find(rid_t rid);
/* All that were ever made; NULL past the last one. */
struct model_function *model_at(size_t index);

/* RAM and the like, as frames_range() gives it. */
void model_frame(uint64_t base, uint64_t size, owner_t owner);

/* Counted since model_clear(): accesses that hardware forbids; the last one's name. */
unsigned model_violations(void);
const char *model_last_violation(void);
/* Functions that would send with a bus number which is not theirs (any more). */
unsigned model_stale(void);
/* What pci_silence() has seen, for tests without it. */
void model_silenced(rid_t rid);
/* All functions with bus mastering on that are not bridges. */
unsigned model_bus_masters(void);
/* Number of writes so far, and the number at which the first BAR was sized (0: never). */
unsigned model_writes(void);
/* The most functions that were bus masters while any BAR was being sized. */
unsigned model_masters_while_sizing(void);
