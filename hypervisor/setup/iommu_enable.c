/* SPDX-License-Identifier: MIT */
/* The order in which one unit is brought up. */
#include "hypervisor/setup/iommu_internal.h"

#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/interrupts.h"
#include "hypervisor/base/log.h"
#include "hypervisor/iommu/vtd_queue.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/iommu_registers.h"

#define VTD_INTERRUPT_SIZE_FIELD 11u /* 2^(S + 1) entries */
#define VTD_INTERRUPT_PAGES      (VTD_INTERRUPT_ENTRIES * sizeof(struct vtd_irte) / PAGE_SIZE)
_Static_assert(VTD_INTERRUPT_ENTRIES == 2u << VTD_INTERRUPT_SIZE_FIELD, "VT-d 11.4.12");
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"

/* Refuses the unit with what its status register says. */
static enum status gives_up(struct vtd_unit *unit, enum status status, const char *message)
{
    vtd_refuse(unit, VTD_GSTS, vtd_read32(unit, VTD_GSTS), message);
    return status;
}

/* A one-shot command that makes the unit take over the address of a table (VT-d 11.4.4.1). */
static enum status latch(const struct vtd_unit *unit, uint32_t bit)
{
    vtd_command(unit, bit, 0);
    return WAIT_UNTIL((vtd_read32(unit, VTD_GSTS) & bit) != 0, VTD_WAIT) ? STATUS_OK
                                                                         : STATUS_TIMEOUT;
}

static enum status set_root_table(struct vtd_unit *unit)
{
    /* Translation that somebody left on stays on: the old table serves until the new one, which has
     * firmware's devices and no others, has been latched, and no request passes untranslated in
     * between. Only the table's format cannot be changed under way. */
    bool translating = (vtd_read32(unit, VTD_GSTS) & VTD_GLOBAL_TE) != 0;
    if (translating && (vtd_read64(unit, VTD_RTADDR) & VTD_RTADDR_TTM) != vtd_format.table_mode) {
        log_event("iommu.takeover",
                  "base=%#lx message=\"firmware left it translating in another mode; translation "
                  "was off for a moment, with all bus mastering off\"",
                  unit->base);
        if (vtd_switch(unit, VTD_GLOBAL_TE, false) != STATUS_OK)
            return gives_up(unit, STATUS_TIMEOUT, "translation in a foreign mode stays on");
    } else if (translating) {
        log_event("iommu.takeover",
                  "base=%#lx message=\"firmware left it translating; it stays on\"", unit->base);
    }
    if (vtd_write_buffer_flush(unit) != STATUS_OK)
        return gives_up(unit, STATUS_TIMEOUT, "it does not drain its write buffer");
    vtd_write64(unit, VTD_RTADDR, physical_address(unit->root) | vtd_format.table_mode);
    if (latch(unit, VTD_GLOBAL_SRTP) != STATUS_OK)
        return gives_up(unit, STATUS_TIMEOUT, "it does not take a root table");
    const struct vtd_descriptor everything[] = {vtd_all_contexts(), vtd_all_translations()};
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

/* Table, SIRTP, IEC, CFI off, IRE. STATUS_UNSUPPORTED when the unit has no interrupt remapping. */
static enum status enable_interrupts(struct vtd_unit *unit, bool firmware_allows)
{
    const char *quirk = vtd_quirk_interrupts();
    if ((unit->extended & VTD_ECAP_IR) == 0 || !unit->queued || !firmware_allows || quirk != NULL) {
        log_event("iommu.interrupts",
                  "base=%#lx ir=no message=\"%s: a guest could forge interrupts\"", unit->base,
                  quirk != NULL     ? quirk
                  : firmware_allows ? "the unit cannot remap interrupts"
                                    : "the DMAR table says the platform cannot remap interrupts");
        return STATUS_UNSUPPORTED;
    }
    unit->interrupts = pages_allocate(VTD_INTERRUPT_PAGES);
    if (unit->interrupts == NULL)
        return STATUS_NO_MEMORY;
    unit->interrupt_hint = VTD_INTERRUPT_FIRST;
    vtd_publish(unit, unit->interrupts, VTD_INTERRUPT_PAGES * PAGE_SIZE);
    unit->eim = (unit->extended & VTD_ECAP_EIM) != 0 && apic_is_x2apic();

    uint64_t address = physical_address(unit->interrupts) | VTD_INTERRUPT_SIZE_FIELD |
                       (unit->eim ? VTD_IRTA_EIME : 0);
    /* The table of somebody else's remapping is replaced while it is on; the destination format
     * is not (VT-d 11.4.12). */
    uint32_t global = vtd_read32(unit, VTD_GSTS);
    bool on = (global & VTD_GLOBAL_IRE) != 0;
    if (on && ((vtd_read64(unit, VTD_IRTA) ^ address) & VTD_IRTA_EIME) != 0 &&
        vtd_switch(unit, VTD_GLOBAL_IRE, false) != STATUS_OK)
        return STATUS_TIMEOUT;
    if (vtd_write_buffer_flush(unit) != STATUS_OK)
        return STATUS_TIMEOUT;
    vtd_write64(unit, VTD_IRTA, address);
    if (latch(unit, VTD_GLOBAL_SIRTP) != STATUS_OK)
        return STATUS_TIMEOUT;
    const struct vtd_descriptor entries = vtd_all_interrupts();
    enum status status = vtd_invalidate(unit, &entries, 1);
    if (status != STATUS_OK)
        return status;
    /* Compatibility format would let any device choose any vector (VT-d 5.1.2.1). */
    if (vtd_switch(unit, VTD_GLOBAL_CFI, false) != STATUS_OK) {
        log_event("iommu.interrupts",
                  "base=%#lx ir=no message=\"compatibility format interrupts stay on\"",
                  unit->base);
        return STATUS_DEVICE;
    }
    if (vtd_switch(unit, VTD_GLOBAL_IRE, true) != STATUS_OK)
        return STATUS_TIMEOUT;
    unit->remapping = true;
    return STATUS_OK;
}

/* Masks the fault event and drops what was recorded before. */
static void clear_faults(const struct vtd_unit *unit)
{
    vtd_write32(unit, VTD_FECTL, VTD_FECTL_IM);
    for (unsigned i = 0; i < VTD_CAP_FAULT_COUNT(unit->capability); i++)
        if (vtd_read64(unit, vtd_fault_record(unit, i) + 8) & VTD_FRCD_HIGH_F)
            vtd_fault_free(unit, i);
    vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);
}

/* Where the control core's APIC id cannot be expressed the event stays masked, and the records are
 * found by polling. */
static void enable_fault_event(const struct vtd_unit *unit)
{
    uint32_t destination = cpu_at(0)->apic_id;
    if (destination > 0xfe && !unit->eim)
        return;
    interrupt_register(VECTOR_IOMMU_FAULT, vtd_fault_event, NULL);
    /* A plain MSI, which no remapping touches (VT-d 5.1.6): fixed delivery, edge. */
    vtd_write32(unit, VTD_FEDATA, VECTOR_IOMMU_FAULT);
    vtd_write32(unit, VTD_FEADDR, VTD_MSI_ADDRESS | (destination & 0xff) << 12);
    vtd_write32(unit, VTD_FEUADDR, unit->eim ? destination & 0xffffff00u : 0);
    vtd_write32(unit, VTD_FECTL, 0);
}

enum status vtd_unit_prepare(struct vtd_unit *unit)
{
    clear_faults(unit);
    enum status status = vtd_queue_start(unit);
    if (status != STATUS_OK)
        return gives_up(unit, status, "its invalidation queue cannot be started");
    unit->root = pages_allocate(1);
    if (unit->root == NULL)
        return gives_up(unit, STATUS_NO_MEMORY, "no memory for its root table");
    vtd_publish(unit, unit->root, PAGE_SIZE);
    return STATUS_OK;
}

enum status vtd_unit_enable(struct vtd_unit *unit, const struct dmar *dmar)
{
    enum status status = set_root_table(unit);
    if (status != STATUS_OK)
        return status;
    if (vtd_switch(unit, VTD_GLOBAL_TE, true) != STATUS_OK)
        return gives_up(unit, STATUS_TIMEOUT, "translation cannot be turned on");
    unit->translating = true;
    disable_protected_memory(unit);
    status = enable_interrupts(unit, (dmar->flags & DMAR_FLAG_INTR_REMAP) != 0);
    if (status != STATUS_OK && status != STATUS_UNSUPPORTED)
        gives_up(unit, status,
                 "interrupt remapping cannot be set up: a device could forge interrupts; its "
                 "devices stay blocked");
    enable_fault_event(unit);
    return STATUS_OK;
}
