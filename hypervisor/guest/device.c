/*
 * Giving a function to a guest and taking it back, in the order of invariant I6: bus mastering off,
 * reset, context entry gone, caches invalidated; memory is scrubbed and freed only then.
 */
#include "hypervisor/guest/device.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"

#define GUEST_BAR_END UINT64_C(0xfe000000)

static enum status refuse(const struct guest *guest, const struct pci_function *function,
                          enum status status, const char *message)
{
    log_event("device.refused", "guest=%s device=%s status=%s message=\"%s\"", guest->name,
              rid_text(function->rid).text, status_name(status), message);
    return status;
}

/* MMIO that the firmware's map lists has an owner in the frames table, other MMIO has none yet. */
static enum status claim_registers(uint64_t base, uint64_t size, owner_t owner)
{
    enum status status = frames_transfer(base, size, OWNER_NONE, owner);
    return status == STATUS_OK ? status : frames_transfer(base, size, OWNER_MMIO, owner);
}

/* The pages of the MSI-X table, as offsets in their BAR; empty (size, size) in other BARs. */
static void table_pages(const struct guest_device *device, unsigned number, uint64_t *start,
                        uint64_t *end)
{
    *start = *end = device->bars[number].size;
    if (!device->has_msix || device->msix.table_bar != number)
        return;
    *start = ALIGN_DOWN((uint64_t)device->msix.table_offset, PAGE_SIZE);
    *end = ALIGN_UP(device->msix.table_offset + (uint64_t)device->msix.vectors * 16, PAGE_SIZE);
}

static void give_back_registers(struct guest_device *device, unsigned number)
{
    const struct guest_bar *bar = &device->bars[number];
    owner_t owner = device->guest->owner;
    uint64_t hole_start, hole_end;
    table_pages(device, number, &hole_start, &hole_end);
    uint64_t hole = bar->host_base + hole_start, hole_size = hole_end - hole_start;
    enum status status = STATUS_OK;
    if (hole_size != 0 && frames_owned_by(hole, hole_size, OWNER_HYPERVISOR))
        status = frames_transfer(hole, hole_size, OWNER_HYPERVISOR, owner);
    if (status == STATUS_OK)
        status = frames_transfer(bar->host_base, bar->size, owner, OWNER_MMIO);
    if (status != STATUS_OK)
        log_event(
            "frames.refused", "base=%#llx size=%#llx status=%s message=\"a BAR kept its owner\"",
            (unsigned long long)bar->host_base, (unsigned long long)bar->size, status_name(status));
}

/* Registers go to the guest, the MSI-X table's pages to the hypervisor: in the frames table first,
 * then, following it, in the guest's memory tables. After a failure the frames are as before. */
static enum status map_bar(struct guest_device *device, unsigned number)
{
    const struct guest_bar *bar = &device->bars[number];
    owner_t owner = device->guest->owner;
    const unsigned rights = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;
    uint64_t hole_start, hole_end;
    table_pages(device, number, &hole_start, &hole_end);
    enum status status = claim_registers(bar->host_base, bar->size, owner);
    if (status != STATUS_OK)
        return status;
    if (hole_end > hole_start)
        status = frames_transfer(bar->host_base + hole_start, hole_end - hole_start, owner,
                                 OWNER_HYPERVISOR);
    if (status == STATUS_OK && hole_start != 0)
        status = page_table_map(&device->guest->memory, bar->guest_base, bar->host_base, hole_start,
                                rights);
    if (status == STATUS_OK && hole_end < bar->size)
        status = page_table_map(&device->guest->memory, bar->guest_base + hole_end,
                                bar->host_base + hole_end, bar->size - hole_end, rights);
    /* A part may be mapped: what cannot be taken out again stays the guest's. */
    if (status != STATUS_OK &&
        page_table_unmap(&device->guest->memory, bar->guest_base, bar->size) == STATUS_OK)
        give_back_registers(device, number);
    return status;
}

static size_t vector_pages(const struct guest_device *device)
{
    return ALIGN_UP(device->msix.vectors * sizeof(struct guest_vector), PAGE_SIZE) / PAGE_SIZE;
}

static void drop_msix(struct guest_device *device)
{
    if (device->vectors != NULL)
        pages_free(device->vectors, vector_pages(device));
    device->vectors = NULL;
    device->msix_table = 0;
    device->has_msix = false;
}

static enum status assign_bars(struct guest *guest, struct guest_device *device, uint64_t *next_bar)
{
    const struct pci_function *function = device->function;
    for (unsigned number = 0; number < PCI_BARS; number++) {
        const struct pci_bar *physical = &function->bar[number];
        if (physical->size == 0 || physical->io)
            continue; /* I/O BARs are not given: every port is the hypervisor's */
        if (device_bar_is_flash(function, number)) {
            log_event(
                "device.bar_hidden",
                "guest=%s device=%s bar=%u base=%#llx size=%#llx message=\"the device's flash, "
                "with its option ROM, is behind it\"",
                guest->name, rid_text(function->rid).text, number,
                (unsigned long long)physical->base, (unsigned long long)physical->size);
            continue;
        }
        if (physical->base == 0)
            return refuse(guest, function, STATUS_UNSUPPORTED,
                          "the firmware left a BAR of the device without an address; enable its "
                          "slot or 64-bit decoding in the firmware set-up");
        if (!IS_ALIGNED(physical->base | physical->size, PAGE_SIZE)) {
            /* XSA-class: what shares a page cannot be kept apart. Leaving such a BAR out is safe.
             */
            log_event("device.bar_hidden",
                      "guest=%s device=%s bar=%u base=%#llx size=%#llx "
                      "message=\"smaller than a page, so it may share one with another device\"",
                      guest->name, rid_text(function->rid).text, number,
                      (unsigned long long)physical->base, (unsigned long long)physical->size);
            if (device->has_msix && device->msix.table_bar == number)
                drop_msix(device); /* no interrupts without the table's registers */
            continue;
        }
        uint64_t base = ALIGN_UP(*next_bar, physical->size);
        if (base < *next_bar || base > GUEST_BAR_END || physical->size > GUEST_BAR_END - base)
            return refuse(guest, function, STATUS_NO_MEMORY,
                          "the device's BARs do not fit into the guest's device window");
        device->bars[number] = (struct guest_bar){
            .guest_base = base,
            .host_base = physical->base,
            .size = physical->size,
            .is_64bit = physical->is_64bit,
            .prefetchable = physical->prefetchable,
        };
        *next_bar = base + physical->size;
        enum status status = map_bar(device, number);
        if (status != STATUS_OK) {
            device->bars[number].size = 0; /* nothing to give back */
            return refuse(guest, function, status,
                          "a BAR of the device overlaps memory that has another owner, or cannot "
                          "be mapped");
        }
    }
    return STATUS_OK;
}

static enum status prepare_msix(struct guest *guest, struct guest_device *device)
{
    struct pci_function *function = device->function;
    enum status status = msix_layout_read(function, &device->msix);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return refuse(guest, function, status,
                      "its MSI-X capability places the table outside a BAR or over the PBA");
    if (device->msix.vectors > GUEST_MSIX_MAX)
        return refuse(guest, function, STATUS_UNSUPPORTED,
                      "it has more MSI-X vectors than can be virtualised (256)");
    const struct pci_bar *bar = &function->bar[device->msix.table_bar];
    device->vectors = pages_allocate(vector_pages(device));
    /* Once for each function: addresses are not given out again (another core may remember what was
     * there), and guests may come and go any number of times. */
    uint64_t size = (uint64_t)device->msix.vectors * 16;
    uint64_t base = bar->base + device->msix.table_offset;
    if (function->msix_table_base != base || function->msix_table_size < size) {
        function->msix_table = map_device(base, size);
        function->msix_table_base = base;
        function->msix_table_size = function->msix_table != 0 ? size : 0;
    }
    device->msix_table = function->msix_table;
    if (device->vectors == NULL || device->msix_table == 0) {
        drop_msix(device);
        return refuse(guest, function, STATUS_NO_MEMORY, "no memory left for its MSI-X table");
    }
    device->has_msix = true;
    return STATUS_OK;
}

/* Functions that reach each other behind the IOMMU's back go to one guest or to none. The
 * hypervisor's bridges do not count: they are on the way, not at the end of it. */
/* All that would have to go to one guest. */
static void log_group(const struct pci_function *function)
{
    struct acs_group group;
    char text[240] = "";
    size_t used = 0;
    acs_group(function, &group);
    for (size_t i = 0; i < group.count && used < sizeof text; i++)
        used += format_text(text + used, sizeof text - used, "%s%s", i != 0 ? " " : "",
                            rid_text(pci_function_at(group.members[i])->rid).text);
    log_event("device.group", "device=%s count=%zu members=\"%s%s\"", rid_text(function->rid).text,
              group.count, text, used < sizeof text ? "" : "...");
}

enum status device_check_neighbours(const struct guest *guest, const struct pci_function *function)
{
    const struct pci_function *other, *culprit;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++) {
        bool foreign = OWNER_IS_GUEST(other->owner) ? other->owner != guest->owner
                                                    : other->owner == OWNER_HYPERVISOR ||
                                                          iommu_firmware_attached(other->rid);
        if (!foreign || other == function || pci_is_bridge(other) ||
            (!acs_reaches(function, other, &culprit) && !acs_reaches(other, function, &culprit)))
            continue;
        const struct guest *owner = guest_of_owner(other->owner);
        log_event("device.refused",
                  "guest=%s device=%s status=denied culprit=%s other=%s owner=%s message=\"no ACS "
                  "at the culprit: this device and the other one reach each other without passing "
                  "the IOMMU; move one to a slot of its own%s\"",
                  guest->name, rid_text(function->rid).text, rid_text(culprit->rid).text,
                  rid_text(other->rid).text,
                  owner != NULL                         ? owner->name
                  : iommu_firmware_attached(other->rid) ? "firmware"
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
            log_event(
                "device.refused",
                "guest=%s device=%s status=denied base=%#llx size=%#llx message=\"firmware "
                "keeps this memory for the function's DMA (RMRR) and may use it at any time; "
                "turn that off in the firmware set-up, or write accept_reserved = %s for this "
                "guest: firmware then loses the function\"",
                guest->name, name.text, (unsigned long long)region.base,
                (unsigned long long)region.size, name.text);
            return STATUS_DENIED;
        }
        log_event("device.reserved",
                  "guest=%s device=%s base=%#llx size=%#llx message=\"accepted by the "
                  "configuration: firmware loses the function, whose DMA no longer reaches this "
                  "memory (RMRR); the guest does not reach it either\"",
                  guest->name, name.text, (unsigned long long)region.base,
                  (unsigned long long)region.size);
    }
    return STATUS_OK;
}

static const char unusable[] =
    "it, or its PF, could not be reset or detached before; only a reboot makes it usable";

static enum status check_assignable(const struct guest *guest, const struct pci_function *function,
                                    bool unsafe_interrupts)
{
    if (function->is_bridge)
        return refuse(guest, function, STATUS_DENIED, "a bridge is never given to a guest");
    if (pci_unusable(function))
        return refuse(guest, function, STATUS_DENIED, unusable);
    enum status status = device_check_registers(guest, function);
    if (status != STATUS_OK)
        return status;
    if (OWNER_IS_GUEST(function->owner)) {
        const struct guest *owner = guest_of_owner(function->owner);
        log_event("device.refused",
                  "guest=%s device=%s status=busy owner=%s message=\"%s has this device; a "
                  "function belongs to exactly one guest\"",
                  guest->name, rid_text(function->rid).text, owner != NULL ? owner->name : "?",
                  owner != NULL ? owner->name : "another guest");
        return STATUS_BUSY;
    }
    if (function->owner != OWNER_NOBODY)
        return refuse(guest, function, STATUS_BUSY,
                      "the hypervisor drives this function itself (SR-IOV is on); take a VF");
    if (!iommu_enabled() || iommu_unit_of(function) < 0)
        return refuse(guest, function, STATUS_UNSUPPORTED,
                      "no working IOMMU covers this device, so its DMA cannot be confined; enable "
                      "VT-d in the firmware set-up");
    if (!iommu_remaps_interrupts() && !unsafe_interrupts)
        return refuse(guest, function, STATUS_DENIED,
                      "there is no interrupt remapping: the device could forge interrupts; set "
                      "unsafe_interrupts = yes in [system] to accept that");
    status = device_check_neighbours(guest, function);
    if (status == STATUS_OK)
        status = check_reserved(guest, function);
    return status == STATUS_OK ? device_check_flash(guest, function) : status;
}

/* Power-on state for what the firmware or a driver may have used. VFs that were just enabled, and
 * what was reset when its last owner lost it, are in it. */
static enum status clean(const struct guest *guest, struct pci_function *function)
{
    enum status status = pci_function_reset(function);
    if (status == STATUS_OK)
        return pci_life_set(function, PCI_CLEAN) ? STATUS_OK : STATUS_DENIED;
    (void)refuse(guest, function, status,
                 "the device cannot be reset, so it may carry state or DMA of its former owner");
    /* Without a way to reset it nothing was tried, and a neighbour that is in the way may go. */
    if (status != STATUS_UNSUPPORTED)
        (void)!pci_life_set(function, PCI_UNUSABLE);
    return status;
}

enum status device_assign(struct guest *guest, struct guest_device *device,
                          struct pci_function *function, struct pf_device *pf, unsigned slot,
                          uint64_t *next_bar)
{
    enum status status = check_assignable(guest, function, guest->unsafe_interrupts);
    if (status != STATUS_OK)
        return status;
    device->guest = guest;
    device->function = function;
    device->pf = pf;
    device->slot = slot;
    function->owner = guest->owner;
    status = prepare_msix(guest, device);
    if (status == STATUS_OK)
        status = assign_bars(guest, device, next_bar);
    if (status == STATUS_OK && function->life != PCI_CLEAN)
        status = clean(guest, function);
    if (status == STATUS_OK) {
        status = iommu_firmware_detach(function);
        if (status != STATUS_OK)
            (void)refuse(guest, function, status, "its unit does not let go of firmware's memory");
    }
    if (status != STATUS_OK) {
        if (device_unmap(device) == STATUS_OK)
            device_release(device);
        return status;
    }
    pci_command_set(function, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF, PCI_COMMAND_BUS_MASTER);
    virtual_config_reset(device);
    log_event("device.assigned", "guest=%s rid=%s slot=00:%02x.0 vectors=%u", guest->name,
              rid_text(function->rid).text, slot, device->has_msix ? device->msix.vectors : 0u);
    return STATUS_OK;
}

enum status device_unmap(struct guest_device *device)
{
    for (unsigned number = 0; number < PCI_BARS; number++) {
        const struct guest_bar *bar = &device->bars[number];
        if (bar->size == 0)
            continue;
        enum status status = page_table_unmap(&device->guest->memory, bar->guest_base, bar->size);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void device_release(struct guest_device *device)
{
    struct pci_function *function = device->function;
    for (unsigned number = 0; number < PCI_BARS; number++)
        if (device->bars[number].size != 0)
            give_back_registers(device, number);
    drop_msix(device);
    if (device->attached) /* its context entry is present: nobody else's, in any case */
        (void)!pci_life_set(function, PCI_UNUSABLE);
    if (function->life == PCI_UNUSABLE)
        return;
    function->owner = OWNER_NOBODY;
    /* Nothing of a guest's is left in it: the guest never ran, or it was reset. */
    iommu_firmware_attach(function);
}

enum status device_attach(struct guest_device *device)
{
    struct pci_function *function = device->function;
    if (device->attached)
        return STATUS_OK;
    if (pci_unusable(function) || function->life != PCI_CLEAN ||
        function->owner != device->guest->owner)
        return refuse(device->guest, function, STATUS_DENIED, unusable);
    if (device->pf != NULL && device->pf->lost)
        return refuse(device->guest, function, STATUS_DENIED,
                      "its PF cannot be reached any more; only a reboot makes it usable");
    if (device_check_registers(device->guest, function) != STATUS_OK)
        return STATUS_DENIED;
    device->disabled = false;
    virtual_config_reset(device);
    virtual_msix_reset(device);
    enum status status = iommu_attach(function, &device->guest->domain);
    if (status != STATUS_OK)
        return refuse(device->guest, function, status,
                      "its context entry could not be written; it stays blocked");
    device->attached = pci_life_set(function, PCI_USED);
    iommu_fault_reporting(function, true);
    if (device->pf != NULL)
        device->pf->driver->vf_reset(device->pf, function->vf_index);
    pci_command_set(function, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF, PCI_COMMAND_BUS_MASTER);
    return STATUS_OK;
}

void device_detach_start(struct guest_device *device)
{
    if (!device->attached || device->function->life != PCI_USED)
        return;
    pci_bus_master(device->function, false);
    virtual_msix_reset(device);
    (void)!pci_life_set(device->function, PCI_RESETTING);
    enum status status = pci_reset_start(device->function, &device->reset);
    device->reset_status = status == STATUS_OK     ? STATUS_BUSY
                           : status == STATUS_BUSY ? STATUS_DENIED
                                                   : status;
}

bool device_detach_ready(struct guest_device *device)
{
    if (device->function->life == PCI_RESETTING && device->reset_status == STATUS_BUSY)
        device->reset_status = pci_reset_poll(device->function, &device->reset);
    return device->function->life != PCI_RESETTING || device->reset_status != STATUS_BUSY;
}

/* What cannot be brought to a known state is never given to anybody again, and its registers are
 * out of reach of the guest that had it. */
static void keep_back(struct guest_device *device, const char *event, enum status status)
{
    struct guest *guest = device->guest;
    (void)!pci_life_set(device->function, PCI_UNUSABLE);
    log_event(event,
              "guest=%s rid=%s status=%s message=\"bus mastering stays off and the device is kept "
              "back until a reboot\"",
              guest->name, rid_text(device->function->rid).text, status_name(status));
    if (device_unmap(device) != STATUS_OK)
        return;
    for (unsigned number = 0; number < PCI_BARS; number++) {
        struct guest_bar *bar = &device->bars[number];
        if (bar->size == 0)
            continue;
        give_back_registers(device, number);
        guest->pulled_end = MAX(guest->pulled_end, bar->guest_base + bar->size);
        bar->size = 0;
    }
}

enum status device_detach_finish(struct guest_device *device)
{
    struct pci_function *function = device->function;
    if (function->life != PCI_RESETTING)
        return device->attached ? STATUS_DENIED : STATUS_OK;
    enum status reset = device->reset_status;
    enum status detach = iommu_detach(function, &device->guest->domain);
    if (device->pf != NULL) {
        const struct pf_driver *driver = device->pf->driver;
        void (*released)(struct pf_device *, uint16_t) =
            driver->vf_release != NULL ? driver->vf_release : driver->vf_reset;
        released(device->pf, function->vf_index);
    }
    device->attached = detach != STATUS_OK;
    if (reset != STATUS_OK)
        keep_back(device, "device.reset_failed", reset);
    if (detach != STATUS_OK)
        keep_back(device, "device.detach_failed", detach);
    if (reset != STATUS_OK || detach != STATUS_OK)
        return detach != STATUS_OK ? detach : reset;
    return pci_life_set(function, PCI_CLEAN) ? STATUS_OK : STATUS_DENIED;
}

void device_disable(struct guest_device *device)
{
    device->disabled = true;
    device->command &= (uint16_t)~PCI_COMMAND_BUS_MASTER;
    pci_bus_master(device->function, false);
    iommu_fault_reporting(device->function, false);
}
