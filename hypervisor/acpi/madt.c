/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/bytes.h"
#include "hypervisor/acpi/madt.h"
#include "hypervisor/acpi/table.h"

#define MADT_NAME          "APIC"
#define MADT_LOCAL_ADDRESS 36
#define MADT_FLAGS         40
#define MADT_FIRST         44u
#define MADT_PCAT_COMPAT   BIT(0)
#define APIC_ENABLED       BIT(0)
#define POLARITY           0x3u
#define POLARITY_LOW       0x3u
#define XAPIC_ID_NONE      0xff /* broadcast; firmware marks empty sockets with it */

/* Interrupt controller structures (ACPI 6.5, 5.2.12): smallest length of those that are used. */
enum {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_LOCAL_NMI = 4,
    MADT_APIC_ADDRESS = 5,
    MADT_X2APIC = 9,
    MADT_X2APIC_NMI = 10,
};
static const uint8_t smallest[] = {
    [MADT_LOCAL_APIC] = 8,    [MADT_IO_APIC] = 12, [MADT_LOCAL_NMI] = 6,
    [MADT_APIC_ADDRESS] = 12, [MADT_X2APIC] = 16,  [MADT_X2APIC_NMI] = 12,
};

static void add_cpu(struct madt *madt, uint32_t id, uint32_t uid, uint32_t flags, uint32_t offset)
{
    if ((flags & APIC_ENABLED) == 0)
        return;
    for (uint32_t i = 0; i < madt->cpu_count; i++) {
        if (madt->apic_id[i] == id) {
            acpi_refuse(MADT_NAME, offset, id, "this APIC id is listed twice; counted once");
            return;
        }
    }
    if (madt->cpu_count == MADT_MAX_CPUS) {
        acpi_refuse(MADT_NAME, offset, id, "more processors than can be used; this one stays off");
        return;
    }
    madt->uid[madt->cpu_count] = uid;
    madt->apic_id[madt->cpu_count++] = id;
}

static void add_ioapic(struct madt *madt, const uint8_t *entry, uint32_t offset)
{
    if (madt->ioapic_count == MADT_MAX_IOAPICS) {
        acpi_refuse(MADT_NAME, offset, entry[2], "more I/O APICs than can be used; left out");
        return;
    }
    madt->ioapic[madt->ioapic_count++] = (struct madt_ioapic){
        .id = entry[2], .address = read32(entry + 4), .gsi_base = read32(entry + 8)};
}

/* Flags: polarity in bits 1:0 (ACPI 6.5, table 5.26); NMIs are edges whatever they say. */
static void add_nmi(struct madt *madt, struct madt_nmi nmi, uint16_t flags, uint32_t offset)
{
    if (nmi.pin > 1 || madt->nmi_count == MADT_MAX_NMIS) {
        acpi_refuse(MADT_NAME, offset, nmi.pin,
                    nmi.pin > 1 ? "an NMI at a pin that local APICs do not have; left out"
                                : "more NMI pins than can be used; left out");
        return;
    }
    nmi.active_low = (flags & POLARITY) == POLARITY_LOW;
    madt->nmi[madt->nmi_count++] = nmi;
}

const struct madt_nmi *madt_nmi_of(const struct madt *madt, uint32_t apic_id)
{
    for (uint32_t cpu = 0; cpu < madt->cpu_count; cpu++)
        for (uint32_t i = 0; i < madt->nmi_count && madt->apic_id[cpu] == apic_id; i++)
            if (madt->nmi[i].all || madt->nmi[i].uid == madt->uid[cpu])
                return &madt->nmi[i];
    return NULL;
}

static void read_entry(struct madt *madt, const uint8_t *entry, uint32_t offset)
{
    uint8_t type = entry[0];
    if (type >= ARRAY_SIZE(smallest) || smallest[type] == 0)
        return;
    if (entry[1] < smallest[type]) {
        acpi_refuse(MADT_NAME, offset, entry[1], "an entry too short for its type; left out");
        return;
    }
    switch (type) {
    case MADT_LOCAL_APIC:
        if (entry[3] != XAPIC_ID_NONE)
            add_cpu(madt, entry[3], entry[2], read32(entry + 4), offset);
        break;
    case MADT_IO_APIC:
        add_ioapic(madt, entry, offset);
        break;
    case MADT_LOCAL_NMI:
        add_nmi(madt, (struct madt_nmi){.all = entry[2] == 0xff, .uid = entry[2], .pin = entry[5]},
                read16(entry + 3), offset);
        break;
    case MADT_X2APIC_NMI:
        add_nmi(madt,
                (struct madt_nmi){.all = read32(entry + 4) == UINT32_MAX,
                                  .uid = read32(entry + 4),
                                  .pin = entry[8]},
                read16(entry + 2), offset);
        break;
    case MADT_APIC_ADDRESS:
        madt->local_apic_address = read64(entry + 4);
        break;
    case MADT_X2APIC:
        if (read32(entry + 4) != UINT32_MAX)
            add_cpu(madt, read32(entry + 4), read32(entry + 12), read32(entry + 8), offset);
        break;
    default:
        break;
    }
}

enum status madt_parse(const void *table, uint32_t length, struct madt *madt)
{
    *madt = (struct madt){0};
    length = acpi_usable_length(table, length, MADT_NAME, MADT_FIRST);
    if (length == 0)
        return STATUS_INVALID;
    const uint8_t *bytes = table;
    madt->local_apic_address = read32(bytes + MADT_LOCAL_ADDRESS);
    madt->has_8259 = (read32(bytes + MADT_FLAGS) & MADT_PCAT_COMPAT) != 0;
    uint32_t offset = MADT_FIRST;
    while (offset < length) {
        uint32_t left = length - offset;
        if (left < 2 || bytes[offset + 1] < 2 || bytes[offset + 1] > left) {
            acpi_refuse(MADT_NAME, offset, left < 2 ? left : bytes[offset + 1],
                        "impossible entry length; it and what follows are ignored");
            break;
        }
        read_entry(madt, bytes + offset, offset);
        offset += bytes[offset + 1];
    }
    return STATUS_OK;
}
