/* SPDX-License-Identifier: MIT */
/*
 * Which unit of a DMAR table each function of a made-up machine is behind, as the hypervisor's own
 * lookup has it:
 *   build/units FILE <MACHINE
 * A line of MACHINE is `ssss:bb:dd.f`, for a bridge with its secondary bus behind it; bridges come
 * before what is behind them. Prints a line for each: the id, and the unit's offset in the table
 * (or "none"). Exit status 1 when the table cannot be used, 2 for a usage or read error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/setup/iommu_internal.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_functions.h"

#define MAX_BYTES     (1u << 20)
#define MAX_FUNCTIONS 65536

struct vtd_state vtd;
static struct pci_function functions[MAX_FUNCTIONS];
static size_t count;

void log_event(const char *event, const char *format, ...)
{
    (void)event, (void)format;
}

static struct pci_function *bridge_to(uint32_t segment, unsigned bus)
{
    for (size_t i = 0; i < count; i++)
        if (functions[i].is_bridge && RID_SEGMENT(functions[i].rid) == segment &&
            functions[i].secondary_bus == bus)
            return &functions[i];
    return NULL;
}

int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        if (functions[i].rid == RID(segment, rid >> 8, rid >> 3 & 0x1f, rid & 7))
            return functions[i].is_bridge ? functions[i].secondary_bus : -1;
    return -1;
}

/* Nobody has changed bus numbers. */
int pci_bus_now(uint16_t segment, uint8_t bus)
{
    (void)segment;
    return bus;
}

static bool read_machine(void)
{
    char line[80];
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned segment, bus, device, number, secondary;
        int fields = sscanf(line, "%x:%x:%x.%x %x", &segment, &bus, &device, &number, &secondary);
        if (fields < 4 || count == MAX_FUNCTIONS)
            return false;
        functions[count] = (struct pci_function){
            .rid = RID(segment, bus, device, number),
            .bridge = bridge_to(segment, bus),
            .is_bridge = fields == 5,
            .secondary_bus = fields == 5 ? (uint8_t)secondary : 0,
        };
        count++;
    }
    return true;
}

int main(int argument_count, char **arguments)
{
    static uint8_t bytes[MAX_BYTES];
    FILE *file = argument_count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (file == NULL || !read_machine()) {
        fprintf(stderr, "usage: %s FILE <MACHINE\n", arguments[0]);
        return 2;
    }
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct dmar dmar;
    if (dmar_parse(bytes, (uint32_t)length, &dmar) != STATUS_OK)
        return 1;
    struct dmar_structure structure;
    for (uint32_t cursor = 0; dmar_next(&dmar, &cursor, &structure);)
        if (structure.type == DMAR_DRHD && vtd.unit_count < IOMMU_MAX_UNITS)
            vtd.unit[vtd.unit_count++].dmar_offset = structure.offset;
    for (size_t i = 0; i < count; i++) {
        rid_t rid = functions[i].rid;
        int unit = vtd_unit_find(&dmar, &functions[i]);
        printf("%04x:%02x:%02x.%x ", RID_SEGMENT(rid), rid >> 8 & 0xff, rid >> 3 & 0x1f, rid & 7);
        if (unit >= 0)
            printf("%x\n", vtd.unit[unit].dmar_offset);
        else
            printf("none\n");
    }
    return 0;
}
