/*
 * Memory that firmware keeps for the DMA of some functions (RMRR, VT-d 8.4): nobody else gets it,
 * and as long as the host owns such a function, firmware goes on using it: a USB keyboard, a
 * display, a management controller. The function reaches that memory and no other.
 */
#include "hypervisor/iommu/vtd.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define MAX_REGIONS 64     /* bits of `regions` below; real tables have at most 8 */
#define MAX_SIZE    GIB(4) /* real tables: 1032 MiB for a graphics unit */
#define MAX_DOMAINS 16

static struct reserved {
    struct iommu_region region;
    uint32_t offset; /* of the structure in the table; 0: stands for all that found no room */
} reserved[MAX_REGIONS];
static unsigned reserved_count;

/* Functions with the same regions share a domain, as ids may be few. */
static struct {
    uint64_t regions; /* bit: index into `reserved` */
    struct iommu_domain domain;
} domains[MAX_DOMAINS];
static unsigned domain_count;

static void refuse(struct reserved *entry, uint64_t base, uint64_t limit, const char *message)
{
    entry->region.refusal = message;
    log_event("iommu.refused", "base=%#llx limit=%#llx offset=%#x message=\"%s\"",
              (unsigned long long)base, (unsigned long long)limit, entry->offset, message);
}

static void reserve(struct reserved *entry, uint64_t base, uint64_t limit, unsigned width)
{
    struct iommu_region *region = &entry->region;
    if (limit < base) {
        refuse(entry, base, limit,
               "a reserved region ends before it begins: which memory firmware uses is unknown; "
               "update the firmware");
        return;
    }
    if (limit - base >= MAX_SIZE) {
        refuse(entry, base, limit,
               "no device needs a reserved region of more than 4G: it is not kept from guests; "
               "update the firmware");
        return;
    }
    if (limit >> width != 0) {
        refuse(entry, base, limit,
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
        refuse(entry, base, limit,
               "the memory map is cut into more pieces than the frame table holds");
        return;
    }
    log_event("iommu.reserved", "base=%#llx size=%#llx offset=%#x usable=%#llx%s",
              (unsigned long long)region->base, (unsigned long long)region->size, entry->offset,
              (unsigned long long)taken,
              region->size != limit + 1 - base
                  ? " message=\"firmware gave no whole pages; those it touches are reserved\""
              : taken != 0 ? " message=\"the memory map calls it usable; nobody else gets it\""
                           : "");
}

void iommu_regions_reserve(const struct dmar *dmar)
{
    uint32_t cursor = 0;
    struct dmar_structure structure;
    reserved_count = domain_count = 0;
    while (dmar_next(dmar, &cursor, &structure)) {
        if (structure.type != DMAR_RMRR)
            continue;
        if (reserved_count == MAX_REGIONS) {
            struct reserved *last = &reserved[MAX_REGIONS - 1];
            last->offset = 0;
            refuse(last, structure.base, structure.limit,
                   "more reserved regions than this program has room for; no function is given "
                   "away unless its guest accepts that by name");
            return;
        }
        if (structure.base == 0 && structure.limit == 0) {
            log_event("iommu.reserved",
                      "base=0x0 size=0x0 offset=%#x usable=0 message=\"never filled in by the "
                      "firmware: no region\"",
                      structure.offset);
            continue;
        }
        struct reserved *entry = &reserved[reserved_count++];
        *entry = (struct reserved){.offset = structure.offset};
        reserve(entry, structure.base, structure.limit, dmar->host_address_width);
    }
}

bool iommu_region_at(unsigned index, struct iommu_region *region)
{
    if (index >= reserved_count)
        return false;
    *region = reserved[index].region;
    return true;
}

static bool concerns(const struct reserved *entry, const struct pci_function *function)
{
    uint32_t cursor = entry->offset;
    struct dmar_structure structure;
    if (entry->offset == 0)
        return true;
    return dmar_next(&vtd.dmar, &cursor, &structure) && structure.type == DMAR_RMRR &&
           structure.segment == RID_SEGMENT(function->rid) &&
           vtd_scope_covers(&structure, function);
}

bool iommu_region_next(const struct pci_function *function, unsigned *cursor,
                       struct iommu_region *region)
{
    /* A VF's requester id did not exist when firmware wrote the table. */
    while (!function->is_vf && *cursor < reserved_count) {
        const struct reserved *entry = &reserved[(*cursor)++];
        if (concerns(entry, function)) {
            *region = entry->region;
            return true;
        }
    }
    return false;
}

/* --- the host's functions --- */

/* Rising, so that what several regions cover is mapped once. */
static enum status map_regions(struct iommu_domain *domain, uint64_t regions)
{
    for (uint64_t at = 0;;) {
        uint64_t start = UINT64_MAX, end = 0;
        for (unsigned i = 0; i < reserved_count; i++) {
            const struct iommu_region *region = &reserved[i].region;
            uint64_t region_end = region->base + region->size;
            if ((regions & BIT(i)) != 0 && region_end > at && MAX(region->base, at) < start) {
                start = MAX(region->base, at);
                end = region_end;
            }
        }
        if (start == UINT64_MAX)
            return STATUS_OK;
        enum status status =
            iommu_domain_map(domain, start, start, end - start, PAGE_READ | PAGE_WRITE);
        if (status != STATUS_OK)
            return status;
        at = end;
    }
}

/* Ids are for guests first: where they are few, firmware gets a quarter. */
static enum status domain_of(uint64_t regions, struct iommu_domain **domain)
{
    for (unsigned i = 0; i < domain_count; i++) {
        if (domains[i].regions == regions) {
            *domain = &domains[i].domain;
            return STATUS_OK;
        }
    }
    if (domain_count == MIN(MAX_DOMAINS, vtd.domain_count / 4))
        return STATUS_FULL;
    *domain = &domains[domain_count].domain;
    enum status status = iommu_domain_create(*domain, OWNER_FIRMWARE);
    if (status != STATUS_OK)
        return status;
    status = map_regions(*domain, regions);
    if (status != STATUS_OK) {
        iommu_domain_destroy(*domain);
        return status;
    }
    domains[domain_count++].regions = regions;
    return STATUS_OK;
}

void iommu_firmware_connect(struct pci_function *function)
{
    uint64_t regions = 0;
    const char *refusal = NULL;
    for (unsigned i = 0; i < reserved_count && !function->is_vf; i++) {
        if (!concerns(&reserved[i], function))
            continue;
        regions |= BIT(i);
        if (reserved[i].region.refusal != NULL)
            refusal = "one of its reserved regions was refused";
    }
    if (regions == 0 || function->is_bridge || !iommu_enabled() ||
        iommu_domain_of(function->rid) != NULL)
        return;
    struct iommu_domain *domain;
    enum status status = refusal != NULL ? STATUS_DENIED : domain_of(regions, &domain);
    if (status == STATUS_OK)
        status = iommu_connect(function, domain);
    if (status != STATUS_OK) {
        log_event("iommu.refused",
                  "rid=%s status=%s message=\"its DMA to firmware's memory (RMRR) stays blocked: "
                  "%s\"",
                  rid_text(function->rid).text, status_name(status),
                  refusal != NULL         ? refusal
                  : status == STATUS_FULL ? "domain ids are left to the guests"
                                          : "it has no domain or no context entry");
        return;
    }
    if (function->firmware_master)
        pci_bus_master(function, true);
    log_event("iommu.firmware",
              "rid=%s domain=%u master=%s message=\"reaches memory that firmware keeps for it "
              "(RMRR), and nothing else\"",
              rid_text(function->rid).text, (unsigned)domain->id,
              function->firmware_master ? "on" : "off");
}

void iommu_regions_honour(void)
{
    for (unsigned i = 0; i < reserved_count; i++) {
        const struct iommu_region *region = &reserved[i].region;
        if (region->refusal != NULL)
            continue;
        /* Not every map lists what firmware keeps; there it is nobody's so far. */
        if (frames_take(region->base, region->size, BIT(OWNER_NONE), OWNER_FIRMWARE) != STATUS_OK ||
            !frames_owned_by(region->base, region->size, OWNER_FIRMWARE))
            refuse(&reserved[i], region->base, region->base + region->size - 1,
                   "a part of the reserved region is the hypervisor's, a boot module or a device's "
                   "registers: it stays theirs, and no device reaches the region");
    }
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        iommu_firmware_connect(function);
}

bool iommu_firmware_connected(rid_t rid)
{
    const struct iommu_domain *domain = iommu_domain_of(rid);
    return domain != NULL && domain->owner == OWNER_FIRMWARE;
}

enum status iommu_firmware_disconnect(struct pci_function *function)
{
    function->firmware_master = false;
    if (!iommu_firmware_connected(function->rid))
        return STATUS_OK;
    return iommu_disconnect(function, iommu_domain_of(function->rid));
}
