/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/base/string.c
// UNWIND: 17
// BOUND: any path of up to 16 hops, any answer of the bridges
// PLANT: hypervisor/acpi/dmar.c ==> if (bus < 0 || bus > 255) ==> if (bus > 255)
// clang-format on
/* A path gives a requester id only where each hop is a function and each bridge is there. */
#include "hypervisor/acpi/dmar.h"
#include "tests/prove/prove.h"

static bool lost;
static int last_bus;

static int bridge(uint16_t segment, uint16_t rid, void *context)
{
    (void)segment, (void)rid, (void)context;
    last_bus = (int)nondet_uint32();
    lost |= last_bus < 0 || last_bus > 255;
    return last_bus;
}

int main(void)
{
    uint8_t path[32];
    uint16_t rid = nondet_uint16();
    struct dmar_scope scope = {
        .start_bus = nondet_uint8(), .path_length = nondet_uint8(), .path = path};
    ANY(path);
    ASSUME(scope.path_length <= 16);
    last_bus = scope.start_bus;
    if (dmar_scope_rid(&scope, 0, bridge, NULL, &rid) != STATUS_OK)
        return 0;
    size_t hop = scope.path_length - 1u;
    CLAIM(!lost && scope.path_length > 0);
    CLAIM(path[2 * hop] < 32 && path[2 * hop + 1] < 8);
    CLAIM(rid == (uint16_t)(last_bus << 8 | path[2 * hop] << 3 | path[2 * hop + 1]));
    return 0;
}
