/* One unit: its registers, its commands, and the order in which it is brought up. */
#include "hypervisor/iommu/vtd.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/pages.h"

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
    if (unit->refusal == NULL)
        unit->refusal = message;
    log_event("iommu.refused", "base=%#llx offset=%#x value=%#llx message=\"%s\"",
              (unsigned long long)unit->base, offset, (unsigned long long)value, message);
}

void vtd_publish(const struct vtd_unit *unit, const volatile void *memory, size_t size)
{
    memory_fence();
    if (!vtd_coherent(unit))
        cache_flush_range(memory, size);
}

/* The register takes one command at a time; whatever is on stays on (VT-d 11.4.4.1). */
static void command(const struct vtd_unit *unit, uint32_t set, uint32_t clear)
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
    command(unit, on ? bit : 0, on ? 0 : bit);
    return WAIT_UNTIL(status_is(unit, bit, on), VTD_WAIT) ? STATUS_OK : STATUS_TIMEOUT;
}

enum status vtd_write_buffer_flush(const struct vtd_unit *unit)
{
    if ((unit->capability & VTD_CAP_RWBF) == 0)
        return STATUS_OK;
    command(unit, VTD_GLOBAL_WBF, 0);
    return WAIT_UNTIL(status_is(unit, VTD_GLOBAL_WBF, false), VTD_WAIT) ? STATUS_OK
                                                                        : STATUS_TIMEOUT;
}

/* Refuses the unit with what its status register says. */
static enum status gives_up(struct vtd_unit *unit, enum status status, const char *message)
{
    vtd_refuse(unit, VTD_GSTS, vtd_read32(unit, VTD_GSTS), message);
    return status;
}

static enum status set_root_table(struct vtd_unit *unit)
{
    unit->root = pages_allocate(1);
    if (unit->root == NULL)
        return gives_up(unit, STATUS_NO_MEMORY, "no memory for its root table");
    vtd_publish(unit, unit->root, PAGE_SIZE);
    /* Translation that somebody left on stays on: the old table serves until the new one, which is
     * empty, has been latched, and no request passes untranslated in between. Only the table's
     * format cannot be changed under way. */
    bool translating = status_is(unit, VTD_GLOBAL_TE, true);
    if (translating && (vtd_read64(unit, VTD_RTADDR) & VTD_RTADDR_TTM) != 0) {
        log_event("iommu.takeover",
                  "base=%#llx message=\"found translating in another mode: off for a moment, with "
                  "bus mastering off everywhere\"",
                  (unsigned long long)unit->base);
        if (vtd_switch(unit, VTD_GLOBAL_TE, false) != STATUS_OK)
            return gives_up(unit, STATUS_TIMEOUT, "translation in a foreign mode stays on");
    } else if (translating) {
        log_event("iommu.takeover", "base=%#llx message=\"found translating: kept on\"",
                  (unsigned long long)unit->base);
    }
    if (vtd_write_buffer_flush(unit) != STATUS_OK)
        return gives_up(unit, STATUS_TIMEOUT, "it does not drain its write buffer");
    vtd_write64(unit, VTD_RTADDR, physical_address(unit->root));
    command(unit, VTD_GLOBAL_SRTP, 0);
    if (!WAIT_UNTIL(status_is(unit, VTD_GLOBAL_SRTP, true), VTD_WAIT))
        return gives_up(unit, STATUS_TIMEOUT, "it does not take a root table");
    static const struct vtd_invalidation everything[] = {
        {.kind = VTD_CONTEXT_GLOBAL},
        {.kind = VTD_IOTLB_ALL},
    };
    return vtd_invalidate(unit, everything, ARRAY_SIZE(everything));
}

/* Firmware may protect memory by ranges instead (VT-d 11.4.14); second-level tables replace them.
 */
static void disable_protected_memory(struct vtd_unit *unit)
{
    if ((unit->capability & (VTD_CAP_PLMR | VTD_CAP_PHMR)) == 0)
        return;
    uint32_t value = vtd_read32(unit, VTD_PMEN);
    if ((value & (VTD_PMEN_EPM | VTD_PMEN_PRS)) == 0)
        return;
    vtd_write32(unit, VTD_PMEN, value & ~VTD_PMEN_EPM);
    if (!WAIT_UNTIL((vtd_read32(unit, VTD_PMEN) & VTD_PMEN_PRS) == 0, VTD_WAIT))
        vtd_refuse(unit, VTD_PMEN, vtd_read32(unit, VTD_PMEN),
                   "the firmware's protected memory regions stay on; its devices stay blocked");
}

enum status vtd_unit_enable(struct vtd_unit *unit)
{
    vtd_faults_clear(unit);
    enum status status = vtd_queue_start(unit);
    if (status != STATUS_OK)
        return gives_up(unit, status, "its invalidation queue cannot be started");
    status = set_root_table(unit);
    if (status != STATUS_OK)
        return status;
    if (vtd_switch(unit, VTD_GLOBAL_TE, true) != STATUS_OK)
        return gives_up(unit, STATUS_TIMEOUT, "translation cannot be turned on");
    unit->translating = true;
    disable_protected_memory(unit);
    status = vtd_interrupts_enable(unit);
    if (status != STATUS_OK && status != STATUS_UNSUPPORTED)
        gives_up(unit, status,
                 "interrupt remapping cannot be set up: a device could forge interrupts; its "
                 "devices stay blocked");
    vtd_faults_enable(unit);
    return STATUS_OK;
}
