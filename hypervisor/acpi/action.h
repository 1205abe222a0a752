/* SPDX-License-Identifier: MIT */
/*
 * Actions of firmware that are lists of register accesses rather than code: of a watchdog (WDAT,
 * Microsoft's Watchdog Action Table) and of the store for error records (ERST, ACPI 6.5, 18.5). A
 * step reads or writes one register.
 */
#pragma once

#include "hypervisor/base/core.h"

/* ACPI 18.5.1.2, table 18.20; those of a WDAT have other numbers. */
enum acpi_operation {
    ACPI_READ = 0x00,        /* the action's value = the register's field */
    ACPI_READ_EQUAL = 0x01,  /* the action's value = whether the field is this value */
    ACPI_WRITE = 0x02,       /* the field = the action's value */
    ACPI_WRITE_VALUE = 0x03, /* the field = this value */
    ACPI_NOTHING = 0x04,
    ACPI_LOAD_1 = 0x05, /* variable 1 = the field; then 2 */
    ACPI_LOAD_2 = 0x06,
    ACPI_STORE_1 = 0x07, /* the field = variable 1 */
    ACPI_ADD = 0x08,     /* variable 1 += variable 2 */
    ACPI_SUBTRACT = 0x09,
    ACPI_ADD_VALUE = 0x0a, /* the field += this value */
    ACPI_SUBTRACT_VALUE = 0x0b,
    ACPI_STALL = 0x0c,       /* waits this many microseconds */
    ACPI_STALL_WHILE = 0x0d, /* waits variable 1 microseconds as long as the field is this value */
    ACPI_SKIP_IF = 0x0e,     /* leaves out the next step if the field is this value */
    ACPI_GOTO = 0x0f,        /* step number of this action */
    ACPI_SOURCE = 0x10,      /* 10h to 12h copy memory: not carried out */
    ACPI_OPERATIONS = 0x13,
};

struct acpi_register {
    bool port;
    uint8_t width; /* bytes: 1, 2, 4, and 8 in memory */
    uint8_t shift; /* the field's lowest bit */
    uint64_t address;
};

struct acpi_step {
    uint8_t action, operation;
    bool preserve; /* a write leaves the bits outside the mask as they are */
    struct acpi_register reg;
    uint64_t value, mask; /* of the field */
};

#define ACPI_MAX_STEPS 128
struct acpi_actions {
    uint32_t count;
    struct acpi_step steps[ACPI_MAX_STEPS];
};

/* Why a table is not used: the offset, what stands there, and what is wrong with it. */
struct acpi_problem {
    uint32_t offset;
    uint64_t value;
    const char *message;
};

/* The table's bytes that may be read, 0 and `problem` when they are too few. */
uint32_t acpi_action_length(const void *table, uint32_t length, const char *signature,
                            uint32_t minimum, struct acpi_problem *problem);
/* Decodes the generic address at `bytes` (ACPI 5.2.3.2). */
MUST_CHECK enum status acpi_register_read(const uint8_t *bytes, uint32_t offset,
                                          struct acpi_register *reg, struct acpi_problem *problem);
/* Checks a step's operation, and its register if that has one, and adds it. */
MUST_CHECK enum status acpi_action_add(struct acpi_actions *actions, struct acpi_step *step,
                                       const uint8_t *reg, uint32_t offset,
                                       struct acpi_problem *problem);

/* How registers are reached. */
struct acpi_access {
    uint64_t (*read)(void *context, const struct acpi_register *reg);
    void (*write)(void *context, const struct acpi_register *reg, uint64_t value);
    void (*stall)(uint64_t microseconds);
    void *context;
};
/* Carries out an action. `*value` is what it is given, and then what it gives. STATUS_NOT_FOUND
 * when the table has no step of it, STATUS_UNSUPPORTED when one copies memory, STATUS_TIMEOUT when
 * it does not come to an end: after 1000 steps, or a second of waiting. */
MUST_CHECK enum status acpi_action_run(const struct acpi_actions *actions, uint8_t action,
                                       const struct acpi_access *access, uint64_t *value);
