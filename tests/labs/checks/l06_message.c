/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/iommu_quirks.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/vdev/virtual_msix.c hypervisor/pci/life.c
/* L6, steps 6 to 8: from what a guest writes into its MSI-X table to what arrives at a core. The
 * unit is the model, the device's table is memory. */
#include "hypervisor/base/mmio.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/vdev/virtual_msix.h"
#include "tests/labs/checks/irq_bench.h"

#define VECTORS 4u
#define BAR     UINT64_C(0xc0400000) /* the guest's */
#define TABLE   UINT64_C(0xfe100000) /* the device's */

static uint32_t table[VECTORS][4];
static bool hasty;
static struct vcpu cores[2];
static struct guest guest;
static struct guest_vector vectors[VECTORS];
static struct assignment device;
static uint32_t near, far; /* the guest's APIC ids: of eight bits, and beyond */

static bool device_register(uintptr_t address, unsigned width, uint64_t *value, bool write)
{
    uintptr_t offset = address - TABLE;
    if (offset >= sizeof table || width != 4)
        return false;
    uint32_t *field = &table[offset / 16][offset % 16 / 4];
    if (!write)
        *value = *field;
    else {
        hasty |= offset % 16 != 12 && (table[offset / 16][3] & 1) == 0;
        *field = (uint32_t)*value;
    }
    return true;
}

uint8_t mmio_read8(uintptr_t address)
{
    return UINT8_MAX;
}
uint16_t mmio_read16(uintptr_t address)
{
    return UINT16_MAX;
}
void mmio_write8(uintptr_t address, uint8_t value)
{
}
void mmio_write16(uintptr_t address, uint16_t value)
{
}
void msix_enable(const struct pci_function *of, bool on, bool mask_all)
{
}

static void fresh(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP, true);
    vtd_model_elsewhere = device_register;
    near = seeded("near", 3, 0xfe, 3);
    far = seeded("far", 0x1001, 0x7eff, 0x1234);
    cores[0] = (struct vcpu){.apic_id = near};
    cores[1] = (struct vcpu){.apic_id = far};
    guest = (struct guest){.name = "alpha", .cpu_count = 3, .vcpus = {NULL, &cores[0], &cores[1]}};
    hasty = false;
    memset(table, 0, sizeof table);
    device = (struct assignment){
        .guest = &guest,
        .function = function,
        .bars = {[3] = {.guest_base = BAR, .host_base = TABLE, .size = 0x4000}},
        .has_msix = true,
        .msix_enabled = true,
        .msix = {.vectors = VECTORS, .table_bar = 3},
        .msix_table = (uintptr_t)TABLE,
        .vectors = vectors,
    };
    for (unsigned i = 0; i < VECTORS; i++) {
        memcpy(table[i], (const uint32_t[]){0xfee00000, 0x55, 0xaaaa, 1}, sizeof table[i]);
        vectors[i] = (struct guest_vector){.masked = true};
    }
}

static void put(unsigned number, unsigned field, uint32_t value)
{
    virtual_msix_write(&device, BAR + number * 16 + field, 4, value);
}

/* As a driver does it: masked, address, data, unmasked. */
static void program(unsigned number, uint64_t address, uint32_t data)
{
    asking("a guest programs vector %u with address %#llx, data %#x", number,
           (unsigned long long)address, data);
    put(number, 12, 1);
    put(number, 0, (uint32_t)address);
    put(number, 4, (uint32_t)(address >> 32));
    put(number, 8, data);
    put(number, 12, 0);
}

static uint64_t to(uint32_t apic_id)
{
    return 0xfee00000u | (uint64_t)(apic_id & 0xff) << 12 | (uint64_t)(apic_id & 0xffffff00u) << 32;
}

static bool is_masked(unsigned number)
{
    return (table[number][3] & 1) != 0;
}

static const char *refusal(void)
{
    static char text[400];
    const char *found = strstr(host_log_text(), "irq.refused");
    snprintf(text, sizeof text, "%.*s", found != NULL ? (int)strcspn(found, "\n") : 16,
             found != NULL ? found : "nothing is logged");
    return text;
}

static void expect_arrives(unsigned number, uint32_t apic_id, uint8_t wanted, const char *when)
{
    expect(!is_masked(number), "%s: the vector stays masked in the device (%s)", when, refusal());
    const uint32_t *entry = table[number];
    expect((entry[0] & 0x10) != 0,
           "%s: the device's table has address %#x, data %#x: the guest's own message has reached "
           "the device instead of the one of iommu_interrupt_allocate()",
           when, entry[0], entry[2]);
    struct iommu_msi msi = {entry[0], entry[1], entry[2],
                            (uint16_t)((entry[0] >> 5 & 0x7fff) | (entry[0] >> 2 & 1) << 15)};
    expect_message(&msi);
    expect_delivered(vtd_model_interrupt(unit, (uint16_t)function->rid, entry[0], entry[2]),
                     apic_id, wanted, when);
    expect_lawful(when);
}

static void delivery(void)
{
    uint8_t wanted = (uint8_t)seeded("vector", 0x20, 0xe0, 0x31);
    fresh();
    program(0, to(near), wanted);
    expect_arrives(0, near, wanted, "fixed delivery to an 8-bit APIC id");
    program(1, to(near), 0x100u | wanted);
    expect_arrives(1, near, wanted,
                   "lowest priority (delivery mode 1), which one core gets like a fixed one");
    program(2, to(far), wanted);
    expect_arrives(2, far, wanted, "an APIC id whose bits 31:8 are in bits 63:40 of the address");
    program(2, 0xfee00000u | (uint64_t)(far & 0xff) << 12 | (far >> 8 & 0x7f) << 5, wanted);
    expect_arrives(
        2, far, wanted,
        "an APIC id whose bits 14:8 are in bits 11:5 of the address, as Linux writes it");
    program(3, to(near), 16);
    expect_arrives(3, near, 16, "vector 16, the first that an APIC takes");
    expect(!hasty, "an entry of the device's table was written while it was unmasked: the device "
                   "may send half of it (PCIe 6.1.4.2)");
    expect(entries_present() == VECTORS, "4 vectors have %u remapping entries", entries_present());
}

static void changes(void)
{
    fresh();
    program(0, to(near), 0x31);
    for (unsigned i = 0; i < 100; i++) {
        asking("a guest rewrites an unmasked vector");
        put(0, 8, 0x50 + i);
    }
    expect_arrives(0, near, 0x50 + 99, "data rewritten 100 times while unmasked");
    expect(entries_present() == 1,
           "one vector that was rewritten 100 times has %u remapping entries: the old one is to be "
           "freed, or a guest uses up the table",
           entries_present());
    expect(!hasty, "an entry of the device's table was written while it was unmasked: the device "
                   "may send half of it (PCIe 6.1.4.2)");
    /* The old entry goes, and no new one is to be had. */
    vtd.unit[vtd.unit_count++] = vtd.unit[0]; /* the machine remaps still */
    vtd.unit[0].usable = false;
    put(0, 8, 0x33);
    expect(is_masked(0), "iommu_interrupt_allocate() failed and the vector is unmasked: the device "
                         "would send a message of before");
    expect(strstr(host_log_text(), "irq.refused") != NULL,
           "iommu_interrupt_allocate() failed and nobody was told (irq.refused)");
    expect(host_log_count("irq.refused", "status=unsupported") == 1,
           "iommu_interrupt_allocate() failed with unsupported, and irq.refused tells another "
           "status: %s",
           refusal());
    vtd.unit[0].usable = true;
    vtd.unit_count--;
    put(0, 8, 0x34);
    expect_arrives(0, near, 0x34,
                   "after a refusal: what was freed is not the vector's any more, and must not be "
                   "freed again");
    put(0, 12, 1);
    expect(is_masked(0), "the guest has masked the vector and the device may still send it");
    device.msix_enabled = false;
    put(0, 12, 0);
    expect(is_masked(0), "the guest has MSI-X off, and the vector is unmasked in the device");
}

/* A vector that is programmed again, when its own entry is the only one to be had, or not to be
 * had. */
static void programmed_again(void)
{
    struct iommu_msi msi;
    fresh();
    program(0, to(near), 0x31);
    while (iommu_interrupt_allocate(other, near, 0x41, &msi) == STATUS_OK)
        continue;
    put(0, 8, 0x32);
    expect_arrives(0, near, 0x32,
                   "a vector that is programmed again when the table is full: it gives its own "
                   "entry back first, and then gets one");
    host_log_clear();
    vectors[0].index = msi.index; /* another function's: not given back */
    put(0, 8, 0x33);
    expect(is_masked(0) && host_log_count("irq.refused", "status=denied") == 1,
           "iommu_interrupt_free() failed with denied, and the vector is %s, %s; the entry "
           "that it had may be in use still, so it stays masked and irq.refused tells the status",
           is_masked(0) ? "masked" : "unmasked", refusal());
}

static void forgeries(void)
{
    const struct {
        uint64_t address;
        uint32_t data;
        const char *why;
    } forged[] = {
        {to(0), 0x31, "APIC id 0 is the control core, not the guest's"},
        {to(near + 1 == 0xff ? near - 1 : near + 1), 0x31, "that APIC id is a neighbour's"},
        {to(1), 0x31, "the destination is an APIC id, not the number of the guest's core"},
        {to(0xff), 0x31, "ffh is all cores"},
        {to(near | 0x1000), 0x31, "bits 63:40 of the address are bits 31:8 of the APIC id"},
        {to(far & 0xff), 0x31, "that is only the low byte of the guest's APIC id"},
        {to(near) | 0x10 << 5, 0x31, "bits 11:5 of the address are bits 14:8 of the APIC id"},
        {to(near), 0x00, "vectors below 16 are not interrupts"},
        {to(near), 0x0f, "vectors below 16 are not interrupts"},
        {to(near), 0x231, "delivery mode 2 is an SMI"},
        {to(near), 0x431, "delivery mode 4 is an NMI, which no guest may send to a core"},
        {to(near), 0x531, "delivery mode 5 is INIT: the core would be reset"},
        {to(near), 0x631, "delivery mode 6 is reserved"},
        {to(near), 0x731, "delivery mode 7 is ExtINT"},
        {to(near) & 0xfffff, 0x31, "the address is memory: bits 31:20 must be feeh"},
        {to(near) - 0x100000, 0x31, "the address is not in fee00000h-feefffffh"},
    };
    fresh();
    for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
        host_log_clear();
        device.messages_refused = 0;
        program(3, forged[i].address, forged[i].data);
        expect(is_masked(3) && entries_present() == 0, "address %#llx, data %#x was accepted: %s",
               (unsigned long long)forged[i].address, forged[i].data, forged[i].why);
        expect(strstr(host_log_text(), "irq.refused") != NULL,
               "address %#llx, data %#x was refused and nobody was told (refuse_message())",
               (unsigned long long)forged[i].address, forged[i].data);
    }
}

static void without_remapping(void)
{
    fresh();
    vtd.unit[0].remapping = false;
    program(0, to(near) | 0xc, 0xc031);
    expect(!is_masked(0),
           "without remapping (unsafe_interrupts = yes): the vector stays masked, %s", refusal());
    expect(table[0][0] == (uint32_t)to(near) && table[0][1] == 0,
           "without remapping: the address is %#x instead of %#llx; redirection hint and logical "
           "destination (bits 3:2) could name other cores than the one that was checked",
           table[0][0], (unsigned long long)to(near));
    expect(table[0][2] == 0x31,
           "without remapping: the data is %#x instead of the vector alone, 0x31", table[0][2]);
    program(1, to(far), 0x31);
    expect(is_masked(1),
           "without remapping: APIC id %#x was accepted, and the address has eight bits for it",
           far);
    program(3, to(near), 0x0f);
    expect(is_masked(3), "without remapping: vector fh was accepted: vectors below 16 are no "
                         "interrupts, and here nobody else looks at it");
    program(2, to(0), 0x31);
    expect(is_masked(2), "without remapping: a message to the control core was accepted");
}

void lab_check(void)
{
    delivery();
    changes();
    programmed_again();
    forgeries();
    without_remapping();
}
