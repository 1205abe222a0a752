/* SPDX-License-Identifier: MIT */
/* The units there are: their registers and commands, and which of them a function is behind. */
#include "hypervisor/iommu/vtd.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/base/mmio.h"

struct vtd_state vtd;

bool iommu_enabled(void)
{
    return vtd.enabled;
}

bool iommu_snoops(void)
{
    return vtd.snoop;
}

const struct vtd_scope *vtd_scope_of(const struct pci_function *function)
{
    for (unsigned i = 0; i < vtd.scope_count; i++)
        if (vtd.scope[i].rid == function->rid)
            return &vtd.scope[i];
    return NULL;
}

/* A VF is behind its PF's unit (VT-d 8.3.3). */
int iommu_unit_of(const struct pci_function *function)
{
    const struct vtd_scope *scope = vtd_scope_of(pci_physical(function));
    return scope == NULL ? -1 : scope->unit;
}

struct vtd_unit *vtd_unit_of(const struct pci_function *function)
{
    int unit = iommu_unit_of(function);
    return unit < 0 ? NULL : &vtd.unit[unit];
}

uint32_t vtd_read32(const struct vtd_unit *unit, uint32_t offset)
{
    return mmio_read32(unit->registers + offset);
}

uint64_t vtd_read64(const struct vtd_unit *unit, uint32_t offset)
{
    return mmio_read64(unit->registers + offset);
}

void vtd_write32(const struct vtd_unit *unit, uint32_t offset, uint32_t value)
{
    mmio_write32(unit->registers + offset, value);
}

void vtd_write64(const struct vtd_unit *unit, uint32_t offset, uint64_t value)
{
    mmio_write64(unit->registers + offset, value);
}

void vtd_refuse(struct vtd_unit *unit, uint32_t offset, uint64_t value, const char *message)
{
    unit->usable = false;
    if (unit->refusal[0] == '\0')
        (void)text_copy(unit->refusal, sizeof unit->refusal, message);
    log_event("iommu.refused", "base=%#lx offset=%#x value=%#lx message=\"%s\"", unit->base, offset,
              value, message);
}

void vtd_publish(const struct vtd_unit *unit, const volatile void *memory, size_t size)
{
    memory_fence();
    if (!vtd_coherent(unit))
        cache_flush_range(memory, size);
}

/* The register takes one command at a time; whatever is on stays on (VT-d 11.4.4.1). */
void vtd_command(const struct vtd_unit *unit, uint32_t set, uint32_t clear)
{
    uint32_t kept = vtd_read32(unit, VTD_GSTS) & VTD_GLOBAL_KEEP;
    vtd_write32(unit, VTD_GCMD, (kept & ~clear) | set);
}

static bool status_is(const struct vtd_unit *unit, uint32_t bit, bool on)
{
    return ((vtd_read32(unit, VTD_GSTS) & bit) != 0) == on;
}

enum status vtd_switch(const struct vtd_unit *unit, uint32_t bit, bool on)
{
    if (status_is(unit, bit, on))
        return STATUS_OK;
    vtd_command(unit, on ? bit : 0, on ? 0 : bit);
    return WAIT_UNTIL(status_is(unit, bit, on), VTD_WAIT) ? STATUS_OK : STATUS_TIMEOUT;
}

enum status vtd_write_buffer_flush(const struct vtd_unit *unit)
{
    if ((unit->capability & VTD_CAP_RWBF) == 0)
        return STATUS_OK;
    vtd_command(unit, VTD_GLOBAL_WBF, 0);
    return WAIT_UNTIL(status_is(unit, VTD_GLOBAL_WBF, false), VTD_WAIT) ? STATUS_OK
                                                                        : STATUS_TIMEOUT;
}
