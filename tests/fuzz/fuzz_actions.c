/* SPDX-License-Identifier: MIT */
// Any bytes as a WDAT and as an ERST, and their actions on registers that read as anything.
// SOURCES: hypervisor/acpi/action.c hypervisor/acpi/wdat.c hypervisor/acpi/erst.c
#include <stdlib.h>
#include <string.h>

#include "hypervisor/acpi/erst.h"
#include "hypervisor/acpi/wdat.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t *bytes;
static size_t left;
static uint64_t waited;

static void check_register(const struct acpi_register *reg)
{
    fuzz_check(reg->width == 1 || reg->width == 2 || reg->width == 4 ||
               (reg->width == 8 && !reg->port));
    fuzz_check(reg->address != 0 && reg->shift < 8 * reg->width);
    fuzz_check(reg->address + reg->width <= (reg->port ? 0x10000 : BIT(52)));
}

static uint64_t read_register(void *context, const struct acpi_register *reg)
{
    check_register(reg);
    uint64_t value = 0;
    size_t size = left < sizeof value ? left : sizeof value;
    memcpy(&value, bytes, size);
    bytes += size;
    left -= size;
    return value;
}

static void write_register(void *context, const struct acpi_register *reg, uint64_t value)
{
    check_register(reg);
}

static void stall(uint64_t microseconds)
{
    waited += microseconds;
    fuzz_check(waited <= 1000000);
}

static void run_all(const struct acpi_actions *actions)
{
    static const struct acpi_access access = {read_register, write_register, stall, NULL};
    fuzz_check(actions->count <= ACPI_MAX_STEPS);
    for (unsigned action = 0; action < 0x30; action++) {
        uint64_t value = 0;
        waited = 0;
        (void)!acpi_action_run(actions, (uint8_t)action, &access, &value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wdat wdat;
    static struct acpi_actions actions;
    struct acpi_problem problem = {0};
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, data, size);
    for (unsigned kind = 0; kind < 2; kind++) {
        bytes = data;
        left = size;
        if (size >= 48) {
            uint32_t length = (uint32_t)size,
                     count = (length - (kind ? 48 : 68)) / (kind ? 32 : 24);
            memcpy(copy, kind ? "ERST" : "WDAT", 4);
            if ((data[4] & 1) == 0)
                memcpy(copy + 4, &length, 4);
            if ((data[5] & 1) == 0 && size >= 68)
                memcpy(copy + (kind ? 44 : 64), &count, 4);
        }
        enum status status = kind ? erst_parse(copy, (uint32_t)size, &actions, &problem)
                                  : wdat_parse(copy, (uint32_t)size, &wdat, &problem);
        fuzz_check(status == STATUS_OK || problem.message != NULL);
        if (status == STATUS_OK)
            run_all(kind ? &actions : &wdat.actions);
    }
    size_t words = erst_record_words(copy, size);
    fuzz_check(words <= size && words % 8 == 0);
    free(copy);
    return 0;
}
