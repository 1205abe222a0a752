/*
 * The virtual MSI-X table (PCIe 7.7.2). The guest's address and data never reach the device: an
 * unmasked vector gets an interrupt remapping entry that delivers the guest's vector to one of the
 * guest's own cores and accepts no other requester, and the device's table gets the remappable
 * message that selects it.
 */
#include "hypervisor/assign/device.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/iommu/interrupt.h"
#include "hypervisor/iommu/iommu.h"

#define ENTRY_ADDRESS_LOW    0u
#define ENTRY_ADDRESS_HIGH   4u
#define ENTRY_DATA           8u
#define ENTRY_CONTROL        12u
#define ENTRY_CONTROL_MASKED 1u

/* Message address and data, SDM 3A 11.11 */
#define MESSAGE_BASE(address) ((address) >> 20 & 0xfff)
#define MESSAGE_DESTINATION(address)                                                               \
    ((uint32_t)((address) >> 12 & 0xff) | (uint32_t)((address) >> 32 & 0xffffff00u))
#define MESSAGE_ADDRESS(destination) (0xfee00000u | (destination) << 12)
#define MESSAGE_DELIVERY(data)       ((data) >> 8 & 7)
#define MESSAGE_VECTOR(data)         ((uint8_t)(data))
#define DELIVERY_FIXED               0
#define DELIVERY_LOWEST              1
#define FIRST_VECTOR                 16

#define LOGGED_ALONE 16 /* refusals */

static const struct guest_bar *table_bar(const struct guest_device *device)
{
    return &device->bars[device->msix.table_bar];
}

bool virtual_msix_covers(const struct guest_device *device, uint64_t address)
{
    if (!device->has_msix)
        return false;
    uint64_t start = table_bar(device)->guest_base + device->msix.table_offset;
    uint64_t end = start + (uint64_t)device->msix.vectors * MSIX_ENTRY_SIZE;
    return address >= ALIGN_DOWN(start, PAGE_SIZE) && address < ALIGN_UP(end, PAGE_SIZE);
}

/* Offset into the table, or -1 for what shares its pages. */
static int64_t table_offset(const struct guest_device *device, uint64_t address)
{
    uint64_t start = table_bar(device)->guest_base + device->msix.table_offset;
    uint64_t size = (uint64_t)device->msix.vectors * MSIX_ENTRY_SIZE;
    return address >= start && address < start + size ? (int64_t)(address - start) : -1;
}

bool virtual_msix_passes(const struct guest_device *device, uint64_t address)
{
    return table_offset(device, address) < 0;
}

static bool owns_core(const struct guest *guest, uint32_t apic_id)
{
    for (unsigned cpu = 0; cpu < guest->cpu_count; cpu++)
        if (guest->vcpus[cpu] != NULL && guest->vcpus[cpu]->apic_id == apic_id)
            return true;
    return false;
}

static void entry_write(const struct guest_device *device, unsigned number, unsigned field,
                        uint32_t value)
{
    mmio_write32(device->msix_table + (uintptr_t)number * MSIX_ENTRY_SIZE + field, value);
}

/* A guest can go on trying for ever; the log is everybody's. */
static enum status refuse_message(struct guest_device *device, const struct guest_vector *vector,
                                  enum status status, const char *message)
{
    uint64_t count = ++device->messages_refused;
    if (!log_is_due(count, LOGGED_ALONE))
        return status;
    log_event("irq.refused",
              "guest=%s rid=%s vector=%zu address=%#llx data=%#x count=%llu status=%s "
              "message=\"%s; it stays masked\"",
              device->guest->name, rid_text(device->function->rid).text,
              (size_t)(vector - device->vectors), (unsigned long long)vector->address, vector->data,
              (unsigned long long)count, status_name(status), message);
    return status;
}

static const char not_own[] = "the message does not name a vector on one of the guest's own cores";

/* The message that makes the device deliver the guest's vector. */
static enum status message_for(struct guest_device *device, struct guest_vector *vector,
                               struct iommu_msi *msi)
{
    uint32_t destination = MESSAGE_DESTINATION(vector->address);
    uint8_t number = MESSAGE_VECTOR(vector->data);
    unsigned delivery = MESSAGE_DELIVERY(vector->data);
    if (MESSAGE_BASE(vector->address) != 0xfee || number < FIRST_VECTOR ||
        (delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST) ||
        !owns_core(device->guest, destination))
        return refuse_message(device, vector, STATUS_DENIED, not_own);
    if (!iommu_remaps_interrupts()) { /* only with unsafe_interrupts = yes: device_assign() */
        /* The core that was checked, addressed physically: redirection hints and logical
         * destinations could name others. Eight bits are all that this format has. */
        if (destination > UINT8_MAX)
            return refuse_message(device, vector, STATUS_DENIED, not_own);
        *msi = (struct iommu_msi){MESSAGE_ADDRESS(destination), 0, number, 0};
        return STATUS_OK;
    }
    if (vector->allocated) {
        enum status status = iommu_interrupt_free(device->function, vector->index);
        vector->allocated = false;
        if (status != STATUS_OK)
            return refuse_message(device, vector, status, "its old remapping entry stays in use");
    }
    enum status status = iommu_interrupt_allocate(device->function, destination, number, msi);
    if (status != STATUS_OK)
        return refuse_message(device, vector, status,
                              "no interrupt remapping entry is left for it, or its unit does not "
                              "answer; stop a guest that has many vectors");
    vector->allocated = true;
    vector->index = msi->index;
    return STATUS_OK;
}

static void vector_update(struct guest_device *device, unsigned number)
{
    struct guest_vector *vector = &device->vectors[number];
    entry_write(device, number, ENTRY_CONTROL, ENTRY_CONTROL_MASKED);
    if (vector->masked || !device->msix_enabled)
        return;
    struct iommu_msi msi;
    if (message_for(device, vector, &msi) != STATUS_OK)
        return;
    entry_write(device, number, ENTRY_ADDRESS_LOW, msi.address_low);
    entry_write(device, number, ENTRY_ADDRESS_HIGH, msi.address_high);
    entry_write(device, number, ENTRY_DATA, msi.data);
    entry_write(device, number, ENTRY_CONTROL, 0);
}

void virtual_msix_update(struct guest_device *device)
{
    for (unsigned number = 0; number < device->msix.vectors; number++)
        vector_update(device, number);
    msix_enable(device->function, device->msix_enabled, device->msix_function_mask);
}

void virtual_msix_reset(struct guest_device *device)
{
    if (!device->has_msix)
        return;
    device->msix_enabled = device->msix_function_mask = false;
    device->messages_refused = 0;
    msix_enable(device->function, false, true);
    for (unsigned number = 0; number < device->msix.vectors; number++)
        device->vectors[number] = (struct guest_vector){.masked = true};
    iommu_interrupts_release(device->function);
}

static uint64_t vector_read(const struct guest_vector *vector, unsigned field)
{
    switch (field) {
    case ENTRY_ADDRESS_LOW:
        return (uint32_t)vector->address;
    case ENTRY_ADDRESS_HIGH:
        return vector->address >> 32;
    case ENTRY_DATA:
        return vector->data;
    default:
        return vector->masked ? ENTRY_CONTROL_MASKED : 0;
    }
}

static void vector_write(struct guest_vector *vector, unsigned field, uint32_t value)
{
    switch (field) {
    case ENTRY_ADDRESS_LOW:
        vector->address = (vector->address & ~UINT64_C(0xffffffff)) | (value & ~3u);
        break;
    case ENTRY_ADDRESS_HIGH:
        vector->address = (vector->address & 0xffffffff) | (uint64_t)value << 32;
        break;
    case ENTRY_DATA:
        vector->data = value;
        break;
    default:
        vector->masked = (value & ENTRY_CONTROL_MASKED) != 0;
        break;
    }
}

/* Registers that share the table's pages: the physical address behind the guest's, 0 if the access
 * leaves the BAR. */
static uintptr_t neighbour(const struct guest_device *device, uint64_t address, unsigned width)
{
    uint64_t start = table_bar(device)->guest_base;
    if (address < start || address + width > start + table_bar(device)->size)
        return 0;
    return device->msix_table - device->msix.table_offset + (uintptr_t)(address - start);
}

static bool is_pba(const struct guest_device *device, uint64_t address)
{
    if (device->msix.pba_bar != device->msix.table_bar)
        return false;
    uint64_t start = table_bar(device)->guest_base + device->msix.pba_offset;
    return address >= start && address < start + ALIGN_UP(device->msix.vectors, UINT64_C(64)) / 8;
}

/* PCIe 7.7.2: the table is accessed by aligned dwords or qwords; anything else reads as zero. */
uint64_t virtual_msix_read(const struct guest_device *device, uint64_t address, unsigned width)
{
    int64_t offset = table_offset(device, address);
    if (offset < 0) {
        uintptr_t physical = neighbour(device, address, width);
        if (physical == 0 || !IS_ALIGNED(address, width))
            return ~UINT64_C(0);
        return width == 8   ? mmio_read64(physical)
               : width == 4 ? mmio_read32(physical)
               : width == 2 ? mmio_read16(physical)
                            : mmio_read8(physical);
    }
    if (width < 4 || !IS_ALIGNED(address, width))
        return 0;
    const struct guest_vector *vector = &device->vectors[(uint64_t)offset / MSIX_ENTRY_SIZE];
    unsigned field = (unsigned)offset % MSIX_ENTRY_SIZE;
    uint64_t value = vector_read(vector, field);
    return width == 8 ? value | vector_read(vector, field + 4) << 32 : value;
}

void virtual_msix_write(struct guest_device *device, uint64_t address, unsigned width,
                        uint64_t value)
{
    int64_t offset = table_offset(device, address);
    if (!IS_ALIGNED(address, width) || device->function->life != PCI_USED)
        return;
    if (offset < 0) {
        uintptr_t physical = neighbour(device, address, width);
        if (physical == 0 || is_pba(device, address))
            return;
        if (width == 8)
            mmio_write64(physical, value);
        else if (width == 4)
            mmio_write32(physical, (uint32_t)value);
        else if (width == 2)
            mmio_write16(physical, (uint16_t)value);
        else
            mmio_write8(physical, (uint8_t)value);
        return;
    }
    if (width < 4)
        return;
    unsigned number = (unsigned)((uint64_t)offset / MSIX_ENTRY_SIZE);
    unsigned field = (unsigned)offset % MSIX_ENTRY_SIZE;
    struct guest_vector *vector = &device->vectors[number];
    bool was_masked = vector->masked;
    vector_write(vector, field, (uint32_t)value);
    if (width == 8)
        vector_write(vector, field + 4, (uint32_t)(value >> 32));
    /* While a vector is masked its values are only kept; unmasking programs it. */
    if (!was_masked || !vector->masked)
        vector_update(device, number);
}
