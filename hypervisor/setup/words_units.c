/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/words.h"

#include "hypervisor/base/format.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/commands.h"

struct field {
    uint8_t high, low;
    const char *name, *meaning;
};

/* VT-d 11.4.2 */
static const struct field capability[] = {
    {2, 0, "ND", "domain ids have 4 + 2 * ND bits"},
    {3, 3, "AFL", "advanced fault logging"},
    {4, 4, "RWBF", "the write buffer is to be flushed"},
    {5, 5, "PLMR", "protected memory below 4 GiB"},
    {6, 6, "PHMR", "protected memory above 4 GiB"},
    {7, 7, "CM", "entries that are not present may be cached"},
    {12, 8, "SAGAW", "levels of second-level tables: bit 1: 3, bit 2: 4, bit 3: 5"},
    {21, 16, "MGAW", "the widest address that is translated, bits - 1"},
    {22, 22, "ZLR", "reads of no bytes from pages that are write-only"},
    {33, 24, "FRO", "fault records begin at 16 * FRO"},
    {37, 34, "SSLPS", "second-level pages: bit 0: 2 MiB, bit 1: 1 GiB"},
    {39, 39, "PSI", "single pages can be invalidated"},
    {47, 40, "NFR", "fault records - 1"},
    {53, 48, "MAMV", "pages that one invalidation can cover: 2 ^ MAMV"},
    {54, 54, "DWD", "writes can be drained"},
    {55, 55, "DRD", "reads can be drained"},
    {56, 56, "FS1GP", "first-level pages of 1 GiB"},
    {59, 59, "PI", "posted interrupts"},
    {60, 60, "FS5LP", "first-level tables of 5 levels"},
    {61, 61, "ECMDS", "enhanced commands"},
    {62, 62, "ESIRTPS", "setting the interrupt table invalidates"},
    {63, 63, "ESRTPS", "setting the root table invalidates"},
};

/* VT-d 11.4.3 */
static const struct field extended[] = {
    {0, 0, "C", "tables are read through the caches"},
    {1, 1, "QI", "invalidation queue"},
    {2, 2, "DT", "devices may have TLBs"},
    {3, 3, "IR", "interrupt remapping"},
    {4, 4, "EIM", "APIC ids of 32 bits"},
    {6, 6, "PT", "requests can pass untranslated"},
    {7, 7, "SC", "snoop control"},
    {17, 8, "IRO", "IOTLB registers begin at 16 * IRO"},
    {23, 20, "MHMV", "interrupt entries that one invalidation can cover: 2 ^ MHMV"},
    {25, 25, "MTS", "memory types in tables"},
    {26, 26, "NEST", "nested translation"},
    {29, 29, "PRS", "page requests"},
    {30, 30, "ERS", "execute requests"},
    {31, 31, "SRS", "supervisor requests"},
    {33, 33, "NWFS", "no-write flag"},
    {34, 34, "EAFS", "extended accessed flag"},
    {39, 35, "PSS", "PASIDs have PSS + 1 bits"},
    {40, 40, "PASID", "address spaces within a function"},
    {41, 41, "DIT", "device TLB invalidations are throttled"},
    {42, 42, "PDS", "pages can be drained"},
    {43, 43, "SMTS", "scalable mode"},
    {44, 44, "VCS", "virtual commands"},
    {45, 45, "SSADS", "second-level accessed and dirty"},
    {46, 46, "SSTS", "second-level translation in scalable mode"},
    {47, 47, "FSTS", "first-level translation in scalable mode"},
    {48, 48, "SMPWCS", "scalable mode walks are coherent"},
    {49, 49, "RPS", "PASID of requests without one"},
    {51, 51, "PMS", "performance monitoring"},
    {52, 52, "ADMS", "abort mode"},
    {53, 53, "RPRIVS", "PASID of privileged requests without one"},
};

static size_t write_fields(char *page, size_t used, const char *name, uint64_t value,
                           const struct field *fields, size_t count)
{
    for (const struct field *field = fields; field < fields + count; field++) {
        char bits[8];
        if (field->high == field->low)
            (void)format_text(bits, sizeof bits, "%u", field->low);
        else
            (void)format_text(bits, sizeof bits, "%u:%u", field->high, field->low);
        used +=
            format_text(page + used, PAGE_SIZE - used, "  %-4s %-5s %-7s %4lu  %s\n", name, bits,
                        field->name, FIELD(value, field->high, field->low), field->meaning);
        used = MIN(used, (size_t)PAGE_SIZE - 1);
    }
    return used;
}

void words_of_units(void)
{
    struct iommu_unit_report unit;
    for (unsigned i = 0; iommu_unit_report(i, &unit); i++) {
        char *page = unit.capability != 0 ? pages_allocate(1) : NULL;
        if (page == NULL)
            continue;
        size_t used =
            write_fields(page, 0, "CAP", unit.capability, capability, ARRAY_SIZE(capability));
        (void)write_fields(page, used, "ECAP", unit.extended_capability, extended,
                           ARRAY_SIZE(extended));
        iommu_words[i] = page;
    }
}
