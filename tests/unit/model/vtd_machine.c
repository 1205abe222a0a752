/* SPDX-License-Identifier: MIT */
#include "tests/unit/model/vtd_machine.h"

#include "hypervisor/setup/iommu_internal.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_functions.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/support/host.h"

static uint8_t table[4096];
static uint32_t table_length, structure_offset;
static struct dmar dmar;
static struct pci_function functions[80];
static unsigned function_count;

static void put16(uint32_t offset, uint16_t value)
{
    memcpy(table + offset, &value, sizeof value);
}

void machine_reset(void)
{
    memset(table, 0, sizeof table);
    memset(functions, 0, sizeof functions);
    function_count = 0;
    memcpy(table, "DMAR", 4);
    table[8] = 1;
    table[36] = 47; /* host address width, less one */
    table[37] = DMAR_FLAG_INTR_REMAP;
    table_length = 48;
    memset(&vtd, 0, sizeof vtd);
    vtd_model_reset();
    host_log_clear();
    host_pages_limit(SIZE_MAX);
}

void machine_dmar_flags(uint8_t flags)
{
    table[37] = flags;
}

void machine_drhd(uint16_t segment, bool include_all, uint64_t base)
{
    structure_offset = table_length;
    put16(structure_offset, DMAR_DRHD);
    put16(structure_offset + 2, 16);
    table[structure_offset + 4] = include_all;
    put16(structure_offset + 6, segment);
    memcpy(table + structure_offset + 8, &base, sizeof base);
    table_length += 16;
}

void machine_rmrr(uint16_t segment, uint64_t base, uint64_t limit)
{
    structure_offset = table_length;
    put16(structure_offset, DMAR_RMRR);
    put16(structure_offset + 2, 24);
    put16(structure_offset + 6, segment);
    memcpy(table + structure_offset + 8, &base, sizeof base);
    memcpy(table + structure_offset + 16, &limit, sizeof limit);
    table_length += 24;
}

void machine_atsr(uint16_t segment, uint8_t flags)
{
    structure_offset = table_length;
    put16(structure_offset, DMAR_ATSR);
    put16(structure_offset + 2, 8);
    put16(structure_offset + 6, segment);
    table_length += 8;
    machine_flags(flags);
}

void machine_flags(uint8_t flags)
{
    table[structure_offset + 4] = flags;
}

void machine_scope(uint8_t type, uint8_t bus, const char *path)
{
    uint8_t *scope = table + table_length;
    uint8_t length = 6;
    scope[0] = type;
    scope[5] = bus;
    for (;;) {
        unsigned device, function;
        if (sscanf(path, "%x.%x", &device, &function) == 2) {
            scope[length++] = (uint8_t)device;
            scope[length++] = (uint8_t)function;
        }
        path = strchr(path, '/');
        if (path == NULL)
            break;
        path++;
    }
    scope[1] = length;
    table_length += length;
    put16(structure_offset + 2, (uint16_t)(table_length - structure_offset));
}

struct pci_function *machine_function(rid_t rid, struct pci_function *bridge)
{
    struct pci_function *function = &functions[function_count++];
    *function = (struct pci_function){.rid = rid, .bridge = bridge, .owner = OWNER_NOBODY};
    if (vtd.unit_count != 0) /* it comes after iommu_init() */
        vtd_scope_add(&dmar, function);
    return function;
}

/* For tests that have no functions of their own. */
__attribute__((weak)) struct pci_function *pci_function_at(size_t index)
{
    return index < function_count ? &functions[index] : NULL;
}

__attribute__((weak)) struct pci_function *pci_function_find(rid_t rid)
{
    struct pci_function *function = NULL;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL && function->rid != rid;)
        i++;
    return function;
}

__attribute__((weak)) uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    return 0;
}

__attribute__((weak)) enum status frames_transfer(uint64_t base, uint64_t size, owner_t from,
                                                  owner_t to)
{
    return STATUS_OK;
}

__attribute__((weak)) void pci_bus_master(const struct pci_function *function, bool on)
{
}

struct pci_function *machine_bridge(rid_t rid, struct pci_function *bridge, uint8_t secondary)
{
    struct pci_function *function = machine_function(rid, bridge);
    function->is_bridge = true;
    function->secondary_bus = function->subordinate_bus = secondary;
    function->pcie_type = 4;
    return function;
}

struct pci_function *machine_vf(rid_t rid, struct pci_function *pf)
{
    struct pci_function *function = machine_function(rid, pf->bridge);
    function->is_vf = true;
    function->pf = pf;
    return function;
}

__attribute__((weak)) int pci_bus_now(uint16_t segment, uint8_t bus)
{
    return bus;
}

int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context)
{
    for (unsigned i = 0; i < function_count; i++)
        if (functions[i].is_bridge && functions[i].rid == ((uint32_t)segment << 16 | rid))
            return functions[i].secondary_bus;
    return -1;
}

const struct dmar *machine_table(void)
{
    memcpy(table + 4, &table_length, sizeof table_length);
    table[9] = 0;
    uint8_t sum = 0;
    for (uint32_t i = 0; i < table_length; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
    assert_int_equal(dmar_parse(table, table_length, &dmar), STATUS_OK);
    return &dmar;
}

enum status machine_init(void)
{
    return iommu_init(machine_table(), false);
}

enum status machine_start(void)
{
    enum status status = machine_init();
    return status == STATUS_NOT_FOUND ? status : iommu_translate(&dmar);
}

struct vtd_model *machine_simple(uint64_t cap, uint64_t ecap)
{
    machine_reset();
    struct vtd_model *unit = vtd_model_add(0xfed90000, cap, ecap);
    machine_drhd(0, true, unit->base);
    assert_int_equal(machine_start(), STATUS_OK);
    return unit;
}
