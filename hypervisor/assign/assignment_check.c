/* SPDX-License-Identifier: MIT */
/*
 * Whether a guest may have a function: that has no other owner, its registers are its own alone,
 * its DMA and interrupts can be confined, and nothing in it outlives the guest unnoticed.
 */
#include "hypervisor/assign/assignment.h"

#include "hypervisor/assign/pf.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/reserved.h"

/* BAR 1. With 64-bit BARs that is the upper half of BAR 0, and the NVM decides where the flash is:
 * it may be any but BAR 0 and the MSI-X table's. */
static bool may_be_flash(const struct pci_function *function, unsigned number)
{
    struct msix_layout msix;
    if (!function->bar[0].is_64bit)
        return number == 1;
    return number != 0 && !function->bar[number].io &&
           (msix_layout_read(function, &msix) != STATUS_OK || number != msix.table_bar);
}

bool assignment_bar_is_flash(const struct pci_function *function, unsigned number)
{
    return function->flash_bar && may_be_flash(function, number);
}

static bool accepts_flash(const struct guest *guest, const struct pci_function *function)
{
    for (uint32_t i = 0; i < guest->config->flash_count; i++)
        if (pf_function_at(guest->config->accept_flash[i]) == function)
            return true;
    return false;
}

enum status assignment_refuse(const struct guest *guest, const struct pci_function *function,
                              enum status status, const char *message)
{
    log_event("device.refused", "guest=%s device=%s status=%s message=\"%s\"", guest->name,
              rid_text(function->rid).text, status_name(status), message);
    return status;
}

enum status assignment_check_registers(const struct guest *guest,
                                       const struct pci_function *function)
{
    if (function->life == PCI_MISPLACED)
        return assignment_refuse(
            guest, function, STATUS_DENIED,
            "its registers overlap another device's, or lie outside the windows of the bridges "
            "above (pci.refused above says which and what to do)");
    if (pci_bars_hold(function))
        return STATUS_OK;
    return assignment_refuse(guest, function, STATUS_DENIED,
                             "one of its BARs has moved since boot without the hypervisor, perhaps "
                             "over another device's registers; " PCI_UNTIL_REBOOT);
}

static enum status check_flash(const struct guest *guest, const struct pci_function *function)
{
    if (function->is_vf || accepts_flash(guest, function))
        return STATUS_OK;
    log_event("device.refused",
              "guest=%s device=%s status=denied message=\"a guest with the whole function can "
              "write its flash and EEPROM; that persists, and may run before the hypervisor at the "
              "next boot (option ROM). Give it a VF or, if you trust this guest with the machine, "
              "add accept_flash = %s to its section\"",
              guest->name, rid_text(function->rid).text, pf_name(function));
    return STATUS_DENIED;
}

/* All that would have to go to one guest. */
static void log_group(const struct pci_function *function)
{
    const struct acs_group *group = function->group;
    char text[240] = "";
    size_t used = 0;
    if (group == NULL)
        return;
    for (size_t i = 0; i < group->count && used < sizeof text; i++)
        used += format_text(text + used, sizeof text - used, "%s%s", i != 0 ? " " : "",
                            rid_text(group->members[i]->rid).text);
    log_event("device.group", "device=%s count=%zu members=\"%s%s\"", rid_text(function->rid).text,
              group->count, text, used < sizeof text ? "" : "...");
}

/* Functions that reach each other behind the IOMMU's back go to one guest or to none:
 * STATUS_DENIED, with the reason logged. The hypervisor's bridges do not count: they are on the
 * way, not at the end of it. */
static enum status check_neighbours(const struct guest *guest, const struct pci_function *function)
{
    const struct pci_function *other, *culprit;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++) {
        bool foreign = OWNER_IS_GUEST(other->owner) ? other->owner != guest->owner
                                                    : other->owner == OWNER_HYPERVISOR ||
                                                          iommu_firmware_connected(other->rid);
        if (!foreign || other == function || pci_is_bridge(other) ||
            (!acs_reaches(function, other, &culprit) && !acs_reaches(other, function, &culprit)))
            continue;
        const struct guest *owner = guest_of_owner(other->owner);
        log_event("device.refused",
                  "guest=%s device=%s status=denied culprit=%s other=%s owner=%s message=\"no ACS "
                  "at the culprit, so this device and the other one can reach each other without "
                  "passing the IOMMU; move one to a slot of its own%s\"",
                  guest->name, rid_text(function->rid).text, rid_text(culprit->rid).text,
                  rid_text(other->rid).text,
                  owner != NULL                          ? owner->name
                  : iommu_firmware_connected(other->rid) ? "firmware"
                                                         : "hypervisor",
                  owner != NULL ? ", or give both to one guest" : "");
        log_group(function);
        return STATUS_DENIED;
    }
    return STATUS_OK;
}

static bool accepts_reserved(const struct config_guest *config, rid_t rid)
{
    for (uint32_t i = 0; i < config->accepted_count; i++)
        if (config->accept_reserved[i] == rid)
            return true;
    return false;
}

/* Firmware may use the function at any time, in memory that no guest gets. */
static enum status check_reserved(const struct guest *guest, const struct pci_function *function)
{
    bool accepted = accepts_reserved(guest->config, function->rid);
    const struct short_text name = rid_text(function->rid);
    struct iommu_region region;
    for (unsigned cursor = 0; iommu_region_next(function, &cursor, &region);) {
        if (!accepted) {
            log_event("device.refused",
                      "guest=%s device=%s status=denied base=%#lx size=%#lx message=\"firmware "
                      "keeps this memory for the function's DMA (RMRR) and may use it at any time; "
                      "turn that off in the firmware set-up, or write accept_reserved = %s for "
                      "this guest: firmware then loses the function\"",
                      guest->name, name.text, region.base, region.size, name.text);
            return STATUS_DENIED;
        }
        log_event("device.reserved",
                  "guest=%s device=%s base=%#lx size=%#lx message=\"accepted by the configuration: "
                  "firmware loses the function, whose DMA no longer reaches this memory (RMRR); "
                  "the guest does not reach it either\"",
                  guest->name, name.text, region.base, region.size);
    }
    return STATUS_OK;
}

const char assignment_unusable[] = "it could not be reset or detached before, or its PF cannot be "
                                   "reached any more; " PCI_UNTIL_REBOOT;

enum status assignment_check(const struct guest *guest, const struct pci_function *function,
                             bool moved)
{
    if (function->is_bridge)
        return assignment_refuse(guest, function, STATUS_DENIED,
                                 "a bridge is never given to a guest");
    if (pci_unusable(function))
        return assignment_refuse(guest, function, STATUS_DENIED, assignment_unusable);
    enum status status = assignment_check_registers(guest, function);
    if (status != STATUS_OK)
        return status;
    if (!moved && OWNER_IS_GUEST(function->owner)) {
        const struct guest *owner = guest_of_owner(function->owner);
        log_event("device.refused",
                  "guest=%s device=%s status=busy owner=%s message=\"%s has this device; a "
                  "function belongs to exactly one guest\"",
                  guest->name, rid_text(function->rid).text, owner != NULL ? owner->name : "?",
                  owner != NULL ? owner->name : "another guest");
        return STATUS_BUSY;
    }
    if (!moved && function->owner != OWNER_NOBODY)
        return assignment_refuse(
            guest, function, STATUS_BUSY,
            "the hypervisor uses this function itself: with SR-IOV on, take a VF; a serial port "
            "that is the console cannot be given away");
    if (!iommu_enabled() || iommu_unit_of(function) < 0)
        return assignment_refuse(guest, function, STATUS_UNSUPPORTED,
                                 "no working IOMMU covers this device, so its DMA cannot be "
                                 "confined; enable VT-d in the firmware set-up");
    if (!iommu_remaps_interrupts() && !guest->unsafe_interrupts)
        return assignment_refuse(
            guest, function, STATUS_DENIED,
            "there is no interrupt remapping: the device could forge interrupts; set "
            "unsafe_interrupts = yes in [system] to accept that");
    status = check_neighbours(guest, function);
    if (status == STATUS_OK)
        status = check_reserved(guest, function);
    return status == STATUS_OK ? check_flash(guest, function) : status;
}
