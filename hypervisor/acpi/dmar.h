/* SPDX-License-Identifier: MIT */
/*
 * DMAR: the DMA remapping reporting structure (VT-d 8). Every structure type is recognised, device
 * scopes of any depth are kept, nothing is allocated: the parser checks the whole table once and
 * hands out bounded iterators over its bytes.
 */
#pragma once

#include "hypervisor/base/core.h"

enum dmar_type {
    DMAR_DRHD = 0,
    DMAR_RMRR = 1,
    DMAR_ATSR = 2,
    DMAR_RHSA = 3,
    DMAR_ANDD = 4,
    DMAR_SATC = 5,
    DMAR_SIDP = 6,
};

#define DMAR_FLAG_INTR_REMAP      BIT(0)
#define DMAR_FLAG_X2APIC_OPT_OUT  BIT(1)
#define DMAR_FLAG_DMA_CTRL_OPT_IN BIT(2)
#define DRHD_FLAG_INCLUDE_PCI_ALL BIT(0)

enum dmar_scope_type {
    SCOPE_ENDPOINT = 1,
    SCOPE_BRIDGE = 2, /* the bridge and everything behind it */
    SCOPE_IOAPIC = 3,
    SCOPE_HPET = 4,
    SCOPE_NAMESPACE = 5,
};

/* A checked table. `bytes` must outlive it. */
struct dmar {
    const uint8_t *bytes;
    uint32_t length;            /* of the part that was found well-formed */
    uint8_t host_address_width; /* bits: the table's value + 1 */
    uint8_t flags;
};

/* Header, lengths of all structures and scopes. A structure with a length that cannot be (0, past
 * the end, shorter than its type, or device scopes that do not fill it exactly) ends the
 * well-formed part: it and what follows is ignored and logged as `acpi.refused table=DMAR offset=
 * value= message=`, what came before is used. STATUS_INVALID when not even the header can be
 * trusted. */
MUST_CHECK enum status dmar_parse(const void *table, uint32_t length, struct dmar *dmar);

struct dmar_structure {
    uint32_t offset; /* in the table, for messages */
    uint16_t type;   /* enum dmar_type, or an unknown number */
    uint32_t length;
    const uint8_t *bytes;
    /* Meaning depends on the type; 0 where a type has no such field. */
    uint16_t segment;
    uint8_t flags;
    uint64_t base;         /* DRHD, RHSA: register base; RMRR: region base */
    uint64_t limit;        /* RMRR: last byte */
    uint64_t size;         /* DRHD: bytes of register space (4 KiB << bits 3:0) */
    uint32_t proximity;    /* RHSA */
    uint32_t scope_offset; /* of the first device scope inside bytes; length if there is none */
    uint8_t device_number; /* ANDD: the enumeration id of its SCOPE_NAMESPACE scopes */
    const char *name;      /* ANDD: object name (may lack a terminator: name_size), else NULL */
    uint32_t name_size;
};

struct dmar_scope {
    uint32_t offset; /* in the table */
    uint8_t type;    /* enum dmar_scope_type, or unknown */
    uint8_t flags;   /* SATC, SIDP */
    uint8_t enumeration_id;
    uint8_t start_bus;
    uint8_t path_length; /* hops, at least 1 */
    const uint8_t *path; /* device, function pairs */
};

/* Iterators. Start with *cursor = 0; false at the end. */
bool dmar_next(const struct dmar *dmar, uint32_t *cursor, struct dmar_structure *structure);
bool dmar_scope_next(const struct dmar *dmar, const struct dmar_structure *structure,
                     uint32_t *cursor, struct dmar_scope *scope);

/* Follows the path hop by hop; `secondary_bus` tells the bus behind a bridge (segment, RID) or a
 * negative number when there is no such bridge. STATUS_NOT_FOUND when a hop is missing (no bus, or
 * none below 256), STATUS_INVALID for no hops or a number that no function has (VT-d 8.3.1). */
MUST_CHECK enum status dmar_scope_rid(const struct dmar_scope *scope, uint16_t segment,
                                      int (*secondary_bus)(uint16_t segment, uint16_t rid,
                                                           void *context),
                                      void *context, uint16_t *rid);
const char *dmar_type_name(uint16_t type);
const char *dmar_scope_type_name(uint8_t type);
