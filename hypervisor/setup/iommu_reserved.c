/* SPDX-License-Identifier: MIT */
/*
 * Memory that firmware keeps for the DMA of some functions (RMRR, VT-d 8.4): nobody else gets it,
 * and as long as the host owns such a function, firmware goes on using it: a USB keyboard, a
 * display, a management controller. Once, at boot; iommu/vtd_reserved.c has what comes later.
 */
#include "hypervisor/iommu/reserved_setup.h"
#include "hypervisor/setup/iommu_internal.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/setup/memory.h"

#define MAX_SIZE GIB(4) /* real tables: 1032 MiB for a graphics unit */

static void refuse(unsigned index, uint64_t base, uint64_t limit, const char *message)
{
    (void)text_copy(vtd_reserved.region[index].refusal, IOMMU_REFUSAL_SIZE, message);
    vtd_reserved.refused |= BIT(index);
    log_event("iommu.refused", "base=%#lx limit=%#lx offset=%#x message=\"%s\"", base, limit,
              vtd_region_offset[index], message);
}

static void reserve(unsigned index, uint64_t base, uint64_t limit, unsigned width)
{
    struct iommu_region *region = &vtd_reserved.region[index];
    if (limit < base) {
        refuse(index, base, limit,
               "a reserved region ends before it begins: which memory firmware uses is unknown; "
               "update the firmware");
        return;
    }
    if (limit - base >= MAX_SIZE) {
        refuse(index, base, limit,
               "no device needs a reserved region of more than 4G: it is not kept from guests; "
               "update the firmware");
        return;
    }
    if (limit >> width != 0) {
        refuse(index, base, limit,
               "a reserved region lies beyond the machine's addresses; update the firmware");
        if (base >> width != 0)
            return;
        limit = BIT(width) - 1;
    }
    region->base = ALIGN_DOWN(base, PAGE_SIZE);
    region->size = ALIGN_UP(limit + 1, PAGE_SIZE) - region->base;
    uint64_t before = frames_bytes(OWNER_FIRMWARE);
    enum status status = frames_take(region->base, region->size, BIT(OWNER_NOBODY), OWNER_FIRMWARE);
    uint64_t taken = frames_bytes(OWNER_FIRMWARE) - before;
    if (status != STATUS_OK) {
        refuse(index, base, limit,
               "the memory map is cut into more pieces than the frame table holds");
        return;
    }
    log_event("iommu.reserved", "base=%#lx size=%#lx offset=%#x usable=%#lx%s", region->base,
              region->size, vtd_region_offset[index], taken,
              region->size != limit + 1 - base
                  ? " message=\"not aligned to pages; every page that it touches is reserved\""
              : taken != 0 ? " message=\"the memory map lists it as usable; it is reserved\""
                           : "");
}

void iommu_regions_reserve(const struct dmar *dmar)
{
    uint32_t cursor = 0;
    struct dmar_structure structure;
    memset(&vtd_reserved, 0, sizeof vtd_reserved);
    while (dmar_next(dmar, &cursor, &structure)) {
        if (structure.type != DMAR_RMRR)
            continue;
        if (vtd_reserved.region_count == VTD_MAX_REGIONS) {
            vtd_region_offset[VTD_MAX_REGIONS - 1] = 0;
            refuse(VTD_MAX_REGIONS - 1, structure.base, structure.limit,
                   "more reserved regions than Bulkhead supports; no function is given away unless "
                   "its guest accepts that by name");
            return;
        }
        if (structure.base == 0 && structure.limit == 0) {
            log_event("iommu.reserved",
                      "base=0x0 size=0x0 offset=%#x usable=0 message=\"the firmware left this "
                      "entry empty; ignored\"",
                      structure.offset);
            continue;
        }
        unsigned index = vtd_reserved.region_count++;
        vtd_region_offset[index] = structure.offset;
        reserve(index, structure.base, structure.limit, dmar->host_address_width);
    }
}

/* Ids are for guests first: where they are few, firmware gets a quarter. */
static enum status new_domain(uint64_t regions)
{
    unsigned index = vtd_reserved.domain_count;
    if (index == MIN(VTD_MAX_FIRMWARE_DOMAINS, vtd.domain_count / 4))
        return STATUS_FULL;
    struct iommu_domain *domain = &vtd_reserved.domain[index].domain;
    enum status status = iommu_domain_create(domain, OWNER_FIRMWARE);
    if (status != STATUS_OK)
        return status;
    status = vtd_regions_map(domain, regions);
    if (status != STATUS_OK) {
        iommu_domain_destroy(domain);
        return status;
    }
    vtd_reserved.domain[index].regions = regions;
    vtd_reserved.domain_count++;
    return STATUS_OK;
}

/* Writes the context entry of a function that firmware uses, so that it is there when translation
 * is turned on. Bus mastering stays off until then. */
static void connect(const struct pci_function *function)
{
    uint64_t regions = vtd_regions_of(function);
    const struct vtd_unit *unit = vtd_unit_of(function);
    if (regions == 0 || function->is_bridge || !iommu_enabled() ||
        (unit != NULL && vtd_unit_is_left(unit)))
        return;
    if ((regions & vtd_reserved.refused) != 0) {
        vtd_firmware_refuse(function, STATUS_DENIED, "one of its reserved regions was refused");
        return;
    }
    enum status status = vtd_firmware_domain(regions) != NULL ? STATUS_OK : new_domain(regions);
    if (status == STATUS_FULL) {
        vtd_firmware_refuse(function, status, "domain ids are left to the guests");
        return;
    }
    if (status == STATUS_OK)
        status = iommu_connect(function, vtd_firmware_domain(regions));
    if (status != STATUS_OK)
        vtd_firmware_refuse(function, status, "it has no domain or no context entry");
}

void iommu_regions_honour(void)
{
    for (unsigned i = 0; i < vtd_reserved.region_count; i++) {
        const struct iommu_region *region = &vtd_reserved.region[i];
        if (region->refusal[0] != '\0')
            continue;
        /* Not every map lists what firmware keeps; there it is nobody's so far. */
        if (frames_take(region->base, region->size, BIT(OWNER_NONE), OWNER_FIRMWARE) != STATUS_OK ||
            !frames_owned_by(region->base, region->size, OWNER_FIRMWARE))
            refuse(i, region->base, region->base + region->size - 1,
                   "a part of the reserved region is the hypervisor's, a boot module or a device's "
                   "registers: it stays theirs, and no device reaches the region");
    }
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        connect(function);
}

void iommu_regions_resume(void)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        struct iommu_domain *domain = iommu_domain_of(function->rid);
        if (domain == NULL)
            continue;
        if (!vtd_unit_of(function)->translating) {
            (void)!iommu_disconnect(function, domain);
            pci_bus_master(function, false); /* a display still has it */
            vtd_firmware_refuse(function, STATUS_DEVICE, "its unit could not be turned on");
            continue;
        }
        if (function->firmware_master)
            pci_bus_master(function, true);
        log_event("iommu.firmware",
                  "rid=%s domain=%u master=%s message=\"may reach the memory that firmware "
                  "reserves for it (RMRR), and nothing else\"",
                  rid_text(function->rid).text, (unsigned)domain->id,
                  function->firmware_master ? "on" : "off");
    }
}
