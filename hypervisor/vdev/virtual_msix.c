/* SPDX-License-Identifier: MIT */
/*
 * The virtual MSI-X table (PCIe 7.7.2). The guest's address and data never reach the device: an
 * unmasked vector gets an interrupt remapping entry that delivers the guest's vector to one of the
 * guest's own cores and accepts no other requester, and the device's table gets the remappable
 * message that selects it.
 */
#include "hypervisor/vdev/virtual_msix.h"

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
/* Where bits 11:5 of the address are reserved, Linux under KVM has bits 14:8 of the destination
 * there (ABI_KVM_MSI_WIDE); bits 63:40 of the address are the upper 24 of the destination. */
#define MESSAGE_DESTINATION(address)                                                               \
    ((uint32_t)((address) >> 12 & 0xff) | (uint32_t)((address) >> 5 & 0x7f) << 8 |                 \
     (uint32_t)((address) >> 32 & 0xffffff00u))
#define MESSAGE_ADDRESS(destination) (0xfee00000u | (destination) << 12)
#define MESSAGE_DELIVERY(data)       ((data) >> 8 & 7)
#define MESSAGE_VECTOR(data)         ((uint8_t)(data))
#define DELIVERY_FIXED               0
#define DELIVERY_LOWEST              1
#define FIRST_VECTOR                 16

#define LOGGED_ALONE 16 /* refusals */

static const struct guest_bar *table_bar(const struct assignment *assignment)
{
    return &assignment->bars[assignment->msix.table_bar];
}

bool virtual_msix_covers(const struct assignment *assignment, uint64_t address)
{
    if (!assignment->has_msix)
        return false;
    uint64_t start = table_bar(assignment)->guest_base + assignment->msix.table_offset;
    uint64_t end = start + (uint64_t)assignment->msix.vectors * MSIX_ENTRY_SIZE;
    return address >= ALIGN_DOWN(start, PAGE_SIZE) && address < ALIGN_UP(end, PAGE_SIZE);
}

/* Offset into the table, or -1 for what shares its pages. */
static int64_t table_offset(const struct assignment *assignment, uint64_t address)
{
    uint64_t start = table_bar(assignment)->guest_base + assignment->msix.table_offset;
    uint64_t size = (uint64_t)assignment->msix.vectors * MSIX_ENTRY_SIZE;
    return address >= start && address < start + size ? (int64_t)(address - start) : -1;
}

bool virtual_msix_passes(const struct assignment *assignment, uint64_t address)
{
    return table_offset(assignment, address) < 0;
}

static bool owns_core(const struct guest *guest, uint32_t apic_id)
{
    for (unsigned cpu = 0; cpu < guest->cpu_count; cpu++)
        if (guest->vcpus[cpu] != NULL && guest->vcpus[cpu]->apic_id == apic_id)
            return true;
    return false;
}

static void entry_write(const struct assignment *assignment, unsigned number, unsigned field,
                        uint32_t value)
{
    mmio_write32(assignment->msix_table + (uintptr_t)number * MSIX_ENTRY_SIZE + field, value);
}

/* A guest can retry for ever, and the log is shared. */
static enum status refuse_message(struct assignment *assignment, const struct guest_vector *vector,
                                  enum status status, const char *message)
{
    uint64_t count = ++assignment->messages_refused;
    if (!log_is_due(count, LOGGED_ALONE))
        return status;
    log_event("irq.refused",
              "guest=%s rid=%s vector=%zu address=%#lx data=%#x count=%lu status=%s message=\"%s; "
              "it stays masked\"",
              assignment->guest->name, rid_text(assignment->function->rid).text,
              (size_t)(vector - assignment->vectors), vector->address, vector->data, count,
              status_name(status), message);
    return status;
}

static const char not_own[] = "the message does not name a vector on one of the guest's own cores";

/* The message that makes the device deliver the guest's vector. */
static enum status message_for(struct assignment *assignment, struct guest_vector *vector,
                               struct iommu_msi *msi)
{
    uint32_t destination = MESSAGE_DESTINATION(vector->address);
    uint8_t number = MESSAGE_VECTOR(vector->data);
    unsigned delivery = MESSAGE_DELIVERY(vector->data);
    if (MESSAGE_BASE(vector->address) != 0xfee || number < FIRST_VECTOR ||
        (delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST) ||
        !owns_core(assignment->guest, destination))
        return refuse_message(assignment, vector, STATUS_DENIED, not_own);
    if (!iommu_remaps_interrupts()) { /* only with unsafe_interrupts = yes: assignment_claim() */
        /* The core that was checked, addressed physically: redirection hints and logical
         * destinations could name others. Eight bits are all that this format has. */
        if (destination > UINT8_MAX)
            return refuse_message(assignment, vector, STATUS_DENIED, not_own);
        *msi = (struct iommu_msi){MESSAGE_ADDRESS(destination), 0, number, 0};
        return STATUS_OK;
    }
    if (vector->allocated) {
        enum status status = iommu_interrupt_free(assignment->function, vector->index);
        vector->allocated = false;
        if (status != STATUS_OK)
            return refuse_message(assignment, vector, status,
                                  "its old remapping entry stays in use");
    }
    enum status status = iommu_interrupt_allocate(assignment->function, destination, number, msi);
    if (status != STATUS_OK)
        return refuse_message(assignment, vector, status,
                              "no interrupt remapping entry is left for it, or its unit does not "
                              "answer; stop a guest that has many vectors");
    vector->allocated = true;
    vector->index = msi->index;
    return STATUS_OK;
}

static void vector_update(struct assignment *assignment, unsigned number)
{
    struct guest_vector *vector = &assignment->vectors[number];
    entry_write(assignment, number, ENTRY_CONTROL, ENTRY_CONTROL_MASKED);
    if (vector->masked || !assignment->msix_enabled)
        return;
    struct iommu_msi msi;
    if (message_for(assignment, vector, &msi) != STATUS_OK)
        return;
    entry_write(assignment, number, ENTRY_ADDRESS_LOW, msi.address_low);
    entry_write(assignment, number, ENTRY_ADDRESS_HIGH, msi.address_high);
    entry_write(assignment, number, ENTRY_DATA, msi.data);
    entry_write(assignment, number, ENTRY_CONTROL, 0);
}

void virtual_msix_update(struct assignment *assignment)
{
    for (unsigned number = 0; number < assignment->msix.vectors; number++)
        vector_update(assignment, number);
    msix_enable(assignment->function, assignment->msix_enabled, assignment->msix_function_mask);
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
static uintptr_t neighbour(const struct assignment *assignment, uint64_t address, unsigned width)
{
    uint64_t start = table_bar(assignment)->guest_base;
    if (address < start || address + width > start + table_bar(assignment)->size)
        return 0;
    return assignment->msix_table - assignment->msix.table_offset + (uintptr_t)(address - start);
}

static bool is_pba(const struct assignment *assignment, uint64_t address)
{
    if (assignment->msix.pba_bar != assignment->msix.table_bar)
        return false;
    uint64_t start = table_bar(assignment)->guest_base + assignment->msix.pba_offset;
    return address >= start &&
           address < start + ALIGN_UP(assignment->msix.vectors, UINT64_C(64)) / 8;
}

/* PCIe 7.7.2: the table is accessed by aligned dwords or qwords; anything else reads as zero. */
uint64_t virtual_msix_read(const struct assignment *assignment, uint64_t address, unsigned width)
{
    int64_t offset = table_offset(assignment, address);
    if (offset < 0) {
        uintptr_t physical = neighbour(assignment, address, width);
        return physical != 0 && IS_ALIGNED(address, width) ? mmio_read(physical, width)
                                                           : ~UINT64_C(0);
    }
    if (width < 4 || !IS_ALIGNED(address, width))
        return 0;
    const struct guest_vector *vector = &assignment->vectors[(uint64_t)offset / MSIX_ENTRY_SIZE];
    unsigned field = (unsigned)offset % MSIX_ENTRY_SIZE;
    uint64_t value = vector_read(vector, field);
    return width == 8 ? value | vector_read(vector, field + 4) << 32 : value;
}

void virtual_msix_write(struct assignment *assignment, uint64_t address, unsigned width,
                        uint64_t value)
{
    int64_t offset = table_offset(assignment, address);
    if (!IS_ALIGNED(address, width) || !pci_in_use(assignment->function))
        return;
    if (offset < 0) {
        uintptr_t physical = neighbour(assignment, address, width);
        if (physical != 0 && !is_pba(assignment, address))
            mmio_write(physical, width, value);
        return;
    }
    if (width < 4)
        return;
    unsigned number = (unsigned)((uint64_t)offset / MSIX_ENTRY_SIZE);
    unsigned field = (unsigned)offset % MSIX_ENTRY_SIZE;
    struct guest_vector *vector = &assignment->vectors[number];
    bool was_masked = vector->masked;
    vector_write(vector, field, (uint32_t)value);
    if (width == 8)
        vector_write(vector, field + 4, (uint32_t)(value >> 32));
    /* While a vector is masked its values are only kept; unmasking programs it. */
    if (!was_masked || !vector->masked)
        vector_update(assignment, number);
}
