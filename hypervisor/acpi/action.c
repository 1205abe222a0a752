/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/action.h"

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/base/string.h"

#define MOST_STEPS    1000
#define LEAST_WAITING UINT64_C(100)     /* a register that is read without a pause gets no faster */
#define MOST_WAITING  UINT64_C(1000000) /* microseconds, all stalls of an action together */

/* Generic address structure (ACPI 5.2.3.2). */
enum { GAS_SPACE = 0, GAS_WIDTH = 1, GAS_SHIFT = 2, GAS_ACCESS = 3, GAS_ADDRESS = 4 };
enum { SPACE_MEMORY = 0, SPACE_PORT = 1 };

static enum status refuse(struct acpi_problem *problem, uint32_t offset, uint64_t value,
                          const char *message)
{
    *problem = (struct acpi_problem){offset, value, message};
    return STATUS_INVALID;
}

uint32_t acpi_action_length(const void *table, uint32_t length, const char *signature,
                            uint32_t minimum, struct acpi_problem *problem)
{
    const uint8_t *bytes = table;
    const uint32_t field = offsetof(struct acpi_header, length);
    if (length < sizeof(struct acpi_header) || length < minimum) {
        (void)refuse(problem, field, length, "too short for its fixed fields; not used");
        return 0;
    }
    if (memcmp(bytes, signature, 4) != 0) {
        (void)refuse(problem, 0, read32(bytes), "another table's signature; not used");
        return 0;
    }
    uint32_t claimed = read32(bytes + field);
    if (claimed < minimum || claimed > length) {
        (void)refuse(problem, field, claimed, "its length is not that of what is there; not used");
        return 0;
    }
    return claimed;
}

enum status acpi_register_read(const uint8_t *bytes, uint32_t offset, struct acpi_register *reg,
                               struct acpi_problem *problem)
{
    uint8_t space = bytes[GAS_SPACE], bits = bytes[GAS_WIDTH], size = bytes[GAS_ACCESS];
    uint64_t address = read64(bytes + GAS_ADDRESS);
    /* Without an access size the register is as wide as it says. */
    unsigned width = size == 0 ? bits / 8u : size <= 4 ? 1u << (size - 1) : 0;
    if (space != SPACE_MEMORY && space != SPACE_PORT)
        return refuse(problem, offset, space,
                      "a register that is neither a port nor in memory; the table is not used");
    if ((width != 1 && width != 2 && width != 4 && width != 8) || (size == 0 && bits % 8 != 0) ||
        (space == SPACE_PORT && width == 8))
        return refuse(problem, offset + GAS_WIDTH, bits,
                      "a register of an impossible width; the table is not used");
    if (bytes[GAS_SHIFT] >= 8 * width)
        return refuse(problem, offset + GAS_SHIFT, bytes[GAS_SHIFT],
                      "a field that begins behind its register; the table is not used");
    if (address == 0 || address > (space == SPACE_PORT ? UINT16_MAX + 1u : BIT(52)) - width)
        return refuse(problem, offset + GAS_ADDRESS, address,
                      "an address where no register can be; the table is not used");
    *reg = (struct acpi_register){
        .port = space == SPACE_PORT,
        .width = (uint8_t)width,
        .shift = bytes[GAS_SHIFT],
        .address = address,
    };
    return STATUS_OK;
}

static bool has_register(unsigned operation)
{
    const uint32_t without = 1u << ACPI_NOTHING | 1u << ACPI_ADD | 1u << ACPI_SUBTRACT |
                             1u << ACPI_STALL | 1u << ACPI_GOTO;
    return operation < ACPI_SOURCE && (without >> operation & 1) == 0;
}

enum status acpi_action_add(struct acpi_actions *actions, struct acpi_step *step,
                            const uint8_t *reg, uint32_t offset, struct acpi_problem *problem)
{
    if (step->operation >= ACPI_OPERATIONS)
        return refuse(problem, offset, step->operation,
                      "an operation that does not exist; the table is not used");
    if (actions->count == ACPI_MAX_STEPS)
        return refuse(problem, offset, ACPI_MAX_STEPS,
                      "more steps than fit; the table is not used");
    if (has_register(step->operation)) {
        enum status status = acpi_register_read(reg, offset + 4, &step->reg, problem);
        if (status != STATUS_OK)
            return status;
    }
    actions->steps[actions->count++] = *step;
    return STATUS_OK;
}

/* --- carrying them out --- */

struct state {
    const struct acpi_access *access;
    uint64_t variable[2], value, waited;
};

static uint64_t get(const struct state *state, const struct acpi_step *step)
{
    return state->access->read(state->access->context, &step->reg) >> step->reg.shift & step->mask;
}

static void set(const struct state *state, const struct acpi_step *step, uint64_t value)
{
    const struct acpi_access *access = state->access;
    uint64_t rest = 0;
    if (step->preserve)
        rest = access->read(access->context, &step->reg) & ~(step->mask << step->reg.shift);
    access->write(access->context, &step->reg, (value & step->mask) << step->reg.shift | rest);
}

/* False when the action has waited for too long. */
static bool stall(struct state *state, uint64_t microseconds)
{
    microseconds = MAX(microseconds, LEAST_WAITING);
    if (microseconds > MOST_WAITING - state->waited)
        return false;
    state->waited += microseconds;
    state->access->stall(microseconds);
    return true;
}

static enum status carry_out(struct state *state, const struct acpi_step *step, uint32_t *next)
{
    switch (step->operation) {
    case ACPI_READ:
        state->value = get(state, step);
        return STATUS_OK;
    case ACPI_READ_EQUAL:
        state->value = get(state, step) == step->value;
        return STATUS_OK;
    case ACPI_WRITE:
        set(state, step, state->value);
        return STATUS_OK;
    case ACPI_WRITE_VALUE:
        set(state, step, step->value);
        return STATUS_OK;
    case ACPI_NOTHING:
        return STATUS_OK;
    case ACPI_LOAD_1:
    case ACPI_LOAD_2:
        state->variable[step->operation - ACPI_LOAD_1] = get(state, step);
        return STATUS_OK;
    case ACPI_STORE_1:
        set(state, step, state->variable[0]);
        return STATUS_OK;
    case ACPI_ADD:
        state->variable[0] += state->variable[1];
        return STATUS_OK;
    case ACPI_SUBTRACT:
        state->variable[0] -= state->variable[1];
        return STATUS_OK;
    case ACPI_ADD_VALUE:
        set(state, step, get(state, step) + step->value);
        return STATUS_OK;
    case ACPI_SUBTRACT_VALUE:
        set(state, step, get(state, step) - step->value);
        return STATUS_OK;
    case ACPI_STALL:
        return stall(state, step->value) ? STATUS_OK : STATUS_TIMEOUT;
    case ACPI_STALL_WHILE:
        while (get(state, step) == step->value)
            if (!stall(state, state->variable[0]))
                return STATUS_TIMEOUT;
        return STATUS_OK;
    case ACPI_SKIP_IF:
        *next += get(state, step) == step->value;
        return STATUS_OK;
    case ACPI_GOTO:
        *next = (uint32_t)MIN(step->value, UINT32_MAX);
        return STATUS_OK;
    default:
        return STATUS_UNSUPPORTED;
    }
}

/* The n-th step of an action. */
static const struct acpi_step *step_at(const struct acpi_actions *actions, uint8_t action,
                                       uint32_t n)
{
    for (uint32_t i = 0; i < actions->count; i++)
        if (actions->steps[i].action == action && n-- == 0)
            return &actions->steps[i];
    return NULL;
}

enum status acpi_action_run(const struct acpi_actions *actions, uint8_t action,
                            const struct acpi_access *access, uint64_t *value)
{
    struct state state = {.access = access, .value = *value};
    const struct acpi_step *step = step_at(actions, action, 0);
    enum status status = step != NULL ? STATUS_OK : STATUS_NOT_FOUND;
    uint32_t next = 0;
    for (unsigned done = 0; step != NULL && status == STATUS_OK; done++) {
        if (done == MOST_STEPS)
            return STATUS_TIMEOUT;
        next++;
        status = carry_out(&state, step, &next);
        step = step_at(actions, action, next);
    }
    *value = state.value;
    return status;
}
