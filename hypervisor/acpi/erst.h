/* SPDX-License-Identifier: MIT */
/* ERST: firmware's store for records of errors (ACPI 6.5, 18.5), and the one record that a crash
 * leaves there (UEFI 2.10, appendix N). */
#pragma once

#include "hypervisor/acpi/action.h"

enum erst_action {
    ERST_BEGIN_WRITE = 0x0,
    ERST_BEGIN_READ = 0x1,
    ERST_BEGIN_CLEAR = 0x2,
    ERST_END = 0x3,
    ERST_SET_OFFSET = 0x4, /* of the record in the range */
    ERST_EXECUTE = 0x5,
    ERST_BUSY = 0x6,
    ERST_STATUS = 0x7,
    ERST_SET_ID = 0x9,
    ERST_RANGE = 0xd,
    ERST_RANGE_LENGTH = 0xe,
    ERST_RANGE_ATTRIBUTES = 0xf,
};
/* Not a buffer but the records themselves (non-volatile), or somebody else's: another protocol, of
 * which nothing is done here. */
#define ERST_RANGE_NO_BUFFER 0x3

/* STATUS_INVALID with `problem` for a table that contradicts itself: nothing of it is used. */
MUST_CHECK enum status erst_parse(const void *table, uint32_t length, struct acpi_actions *actions,
                                  struct acpi_problem *problem);

struct cper_header {          /* N.2.1 */
    char signature[4];        /* 0: "CPER" */
    uint16_t revision;        /* 4 */
    uint32_t signature_end;   /* 6: all ones */
    uint16_t sections;        /* 10 */
    uint32_t severity;        /* 12 */
    uint32_t valid;           /* 16 */
    uint32_t length;          /* 20: bytes, with this header */
    uint64_t timestamp;       /* 24 */
    uint8_t platform[16];     /* 32 */
    uint8_t partition[16];    /* 48 */
    uint8_t creator[16];      /* 64 */
    uint8_t notification[16]; /* 80 */
    uint64_t id;              /* 96 */
    uint32_t flags;           /* 104 */
    uint64_t persistence;     /* 108 */
    uint8_t reserved[12];     /* 116 */
} PACKED;
_Static_assert(sizeof(struct cper_header) == 128, "UEFI N.2.1");
_Static_assert(offsetof(struct cper_header, creator) == 64, "UEFI N.2.1");
_Static_assert(offsetof(struct cper_header, id) == 96, "UEFI N.2.1");

struct cper_section {  /* N.2.2 */
    uint32_t offset;   /* 0: from the record's start */
    uint32_t length;   /* 4 */
    uint16_t revision; /* 8 */
    uint8_t valid;     /* 10 */
    uint8_t reserved;  /* 11 */
    uint32_t flags;    /* 12 */
    uint8_t type[16];  /* 16 */
    uint8_t fru[16];   /* 32 */
    uint32_t severity; /* 48 */
    char fru_text[20]; /* 52 */
} PACKED;
_Static_assert(sizeof(struct cper_section) == 72, "UEFI N.2.2");

/* The record: then come words with lines of the log (hypervisor/base/log_ring.h), the run's first
 * line before all others. */
struct erst_record {
    struct cper_header header;
    struct cper_section section;
} PACKED;
_Static_assert(sizeof(struct erst_record) % 8 == 0, "words follow");

#define ERST_RECORD_ID UINT64_C(0x424c4b4800000001)
#define ERST_LEAST     KIB(1) /* bytes of a range that is worth while */

/* Fills in a record of `length` bytes. */
void erst_record_make(struct erst_record *record, uint32_t length);
/* The bytes of the log's words in a range of `size` bytes that a record was read into; 0 when it is
 * not one of ours. */
size_t erst_record_words(const void *range, uint64_t size);
