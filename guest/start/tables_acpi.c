/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a hardware-reduced machine (ACPI 6.5, 5.2): RSDP, XSDT, FADT, MADT with x2APIC
 * entries, MCFG, a DSDT that declares one PCI Express root bridge, and, for a guest with emulated
 * ports, an SSDT that declares them.
 */
#include "guest/start/tables_internal.h"

#include "hypervisor/base/string.h"

struct acpi_header {
    char signature[4];         /* 0x00 */
    uint32_t length;           /* 0x04 */
    uint8_t revision;          /* 0x08 */
    uint8_t checksum;          /* 0x09 */
    char oem_id[6];            /* 0x0a */
    char oem_table_id[8];      /* 0x10 */
    uint32_t oem_revision;     /* 0x18 */
    uint32_t creator_id;       /* 0x1c */
    uint32_t creator_revision; /* 0x20 */
} PACKED;
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

struct rsdp {
    char signature[8];         /* 0x00 */
    uint8_t checksum;          /* 0x08: of the first 20 bytes */
    char oem_id[6];            /* 0x09 */
    uint8_t revision;          /* 0x0f */
    uint32_t rsdt;             /* 0x10 */
    uint32_t length;           /* 0x14 */
    uint64_t xsdt;             /* 0x18 */
    uint8_t extended_checksum; /* 0x20 */
    uint8_t reserved[3];       /* 0x21 */
} PACKED;
_Static_assert(sizeof(struct rsdp) == 36, "ACPI 5.2.5.3");

struct xsdt {
    struct acpi_header header; /* 0x00 */
    uint64_t tables[4];        /* 0x24: the SSDT is last and may be absent */
} PACKED;
_Static_assert(sizeof(struct xsdt) == 68, "ACPI 5.2.8");

struct generic_address {
    uint8_t space; /* 0x00: 1 is a port */
    uint8_t width; /* 0x01: bits */
    uint8_t offset;
    uint8_t access; /* 0x03: 1 is a byte */
    uint64_t address;
} PACKED;
_Static_assert(sizeof(struct generic_address) == 12, "ACPI 5.2.3.2");

struct fadt_table {
    struct acpi_header header;            /* 0x00 */
    uint32_t firmware_control;            /* 0x24 */
    uint32_t dsdt;                        /* 0x28 */
    uint8_t legacy[65];                   /* 0x2c: fixed hardware, absent here */
    uint16_t boot_flags;                  /* 0x6d */
    uint8_t reserved;                     /* 0x6f */
    uint32_t flags;                       /* 0x70 */
    struct generic_address reset;         /* 0x74 */
    uint8_t reset_value;                  /* 0x80 */
    uint16_t arm_boot_flags;              /* 0x81 */
    uint8_t minor_version;                /* 0x83 */
    uint64_t x_firmware_control;          /* 0x84 */
    uint64_t x_dsdt;                      /* 0x8c */
    uint8_t x_blocks[96];                 /* 0x94 */
    struct generic_address sleep_control; /* 0xf4 */
    struct generic_address sleep_status;  /* 0x100 */
    uint64_t hypervisor_vendor;           /* 0x10c */
} PACKED;
_Static_assert(sizeof(struct fadt_table) == 276, "ACPI 5.2.9, revision 6");
_Static_assert(offsetof(struct fadt_table, boot_flags) == 109, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt_table, x_dsdt) == 140, "ACPI 5.2.9");
_Static_assert(offsetof(struct fadt_table, sleep_control) == 244, "ACPI 5.2.9");

#define FADT_BOOT_NO_VGA      BIT(2)
#define FADT_BOOT_NO_ASPM     BIT(4)
#define FADT_BOOT_NO_RTC      BIT(5)
#define FADT_RESET_SUPPORTED  BIT(10)
#define FADT_HARDWARE_REDUCED BIT(20)

struct madt_head {
    struct acpi_header header; /* 0x00 */
    uint32_t local_apic;       /* 0x24 */
    uint32_t flags;            /* 0x28 */
} PACKED;

struct madt_x2apic {
    uint8_t type;      /* 0x00: 9 */
    uint8_t length;    /* 0x01: 16 */
    uint16_t reserved; /* 0x02 */
    uint32_t apic_id;  /* 0x04 */
    uint32_t flags;    /* 0x08: bit 0 enabled */
    uint32_t uid;      /* 0x0c */
} PACKED;
_Static_assert(sizeof(struct madt_x2apic) == 16, "ACPI 5.2.12.12");

struct mcfg_table {
    struct acpi_header header; /* 0x00 */
    uint64_t reserved;         /* 0x24 */
    uint64_t base;             /* 0x2c */
    uint16_t segment;          /* 0x34 */
    uint8_t start_bus;         /* 0x36 */
    uint8_t end_bus;           /* 0x37 */
    uint32_t reserved2;        /* 0x38 */
} PACKED;
_Static_assert(sizeof(struct mcfg_table) == 60, "PCI Firmware 4.1.2");

static uint8_t checksum(const void *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    return (uint8_t)-sum;
}

static void header_fill(struct acpi_header *header, const char *signature, size_t length,
                        uint8_t revision)
{
    memcpy(header->signature, signature, 4);
    header->length = (uint32_t)length;
    header->revision = revision;
    memcpy(header->oem_id, "BLKHD ", 6);
    memcpy(header->oem_table_id, "BULKHEAD", 8);
    header->oem_revision = 1;
    memcpy(&header->creator_id, "BLKH", 4);
    header->creator_revision = 1;
    header->checksum = 0;
    header->checksum = checksum(header, length);
}

/*
 * Definition block: Scope (\_SB) { Device (PCI0) { Name (_HID, EisaId ("PNP0A08")),
 * Name (_CID, EisaId ("PNP0A03")), Name (_BBN, Zero), Name (_UID, Zero), Name (_CRS, ...) } } with
 * one bus, one 32-bit window for the BARs and one above the RAM, which is filled in; then a second
 * scope with Device (ECAM), PNP0C02, which reserves the configuration space: Linux believes an MCFG
 * only then (PCI Firmware 4.1.2). ACPI 20, AML encoding.
 */
// clang-format off
static const uint8_t dsdt_body[] = {
    0x10, 0x43, 0x09, '\\', '_', 'S', 'B', '_',             /* Scope (\_SB) */
    0x5b, 0x82, 0x4a, 0x08, 'P', 'C', 'I', '0',             /* Device (PCI0) */
    0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x08, /* EisaId ("PNP0A08") */
    0x08, '_', 'C', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x03, /* EisaId ("PNP0A03") */
    0x08, '_', 'B', 'B', 'N', 0x00,
    0x08, '_', 'U', 'I', 'D', 0x00,
    0x08, '_', 'C', 'R', 'S', 0x11, 0x4e, 0x05, 0x0a, 0x5a, /* Buffer (90) */
    /* WordBusNumber: 0..0, length 1 (ACPI 6.4.3.5.3) */
    0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    /* DWordMemory: 0xc0000000..0xfdffffff, read-write, not cacheable (ACPI 6.4.3.5.2) */
    0x87, 0x17, 0x00, 0x00, 0x0c, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0xff, 0xff, 0xff, 0xfd,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3e,
    /* QWordMemory: likewise (ACPI 6.4.3.5.1), granularity, first, last, translation, length */
    0x8a, 0x2b, 0x00, 0x00, 0x0c, 0x01,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x79, 0x00, /* end tag */
    0x10, 0x34, '\\', '_', 'S', 'B', '_',
    0x5b, 0x82, 0x2c, 'E', 'C', 'A', 'M', /* Device (ECAM) */
    0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0c, 0x02,
    0x08, '_', 'U', 'I', 'D', 0x00,
    0x08, '_', 'C', 'R', 'S', 0x11, 0x11, 0x0a, 0x0e, /* Buffer (14) */
    /* Memory32Fixed: 0xb0000000, 1 MiB, read-write (ACPI 6.4.3.4) */
    0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0xb0, 0x00, 0x00, 0x10, 0x00,
    0x79, 0x00,
};
// clang-format on
#define DSDT_HIGH_WINDOW 0x6a /* QWordMemory's first number */

_Static_assert(GUEST_ECAM_BASE == 0xb0000000 && GUEST_ECAM_SIZE == 0x100000, "dsdt_body");
_Static_assert(GUEST_BAR_BASE == 0xc0000000 && GUEST_BAR_END == 0xfe000000, "dsdt_body");

static uint64_t write_block(struct table_area *area, const char *signature, const uint8_t *body,
                            size_t size)
{
    uint64_t address;
    size_t length = sizeof(struct acpi_header) + size;
    struct acpi_header *header = table_take(area, length, &address);
    if (header == NULL)
        return 0;
    memcpy(header + 1, body, size);
    header_fill(header, signature, length, 2);
    return address;
}

static uint64_t write_dsdt(struct table_area *area, const struct guest_tables_input *input)
{
    uint8_t body[sizeof dsdt_body];
    /* A window of no length is none (ACPI 6.4.3.5.1). */
    const uint64_t size = input->bar_end - input->bar_base;
    const uint64_t window[] = {0, input->bar_base, input->bar_base + size - (size != 0), 0, size};
    memcpy(body, dsdt_body, sizeof body);
    memcpy(body + DSDT_HIGH_WINDOW, window, sizeof window);
    return write_block(area, "DSDT", body, sizeof body);
}

/* Definition block: Name (\\_S5, Package () {5, 0}), Scope (\\_SB) { Device (COM1) {
 * Name (_HID, EisaId ("PNP0501")), Name (_UID, One), Name (_CRS, ...) } } with the eight ports of
 * the serial line and no interrupt: a driver polls it. */
static const uint8_t ssdt_body[] = {
    0x08, '\\', '_',  'S',  '5',  '_',  0x12, 0x05, 0x02, 0x0a, 0x05, 0x00, /* Name (\\_S5, ...) */
    0x10, 0x30, '\\', '_',  'S',  'B',  '_',                                /* Scope (\\_SB) */
    0x5b, 0x82, 0x28, 'C',  'O',  'M',  '1',                                /* Device (COM1) */
    0x08, '_',  'H',  'I',  'D',  0x0c, 0x41, 0xd0, 0x05, 0x01,             /* EisaId ("PNP0501") */
    0x08, '_',  'U',  'I',  'D',  0x01, 0x08, '_',  'C',  'R',  'S',  0x11,
    0x0d, 0x0a, 0x0a,                               /* Buffer (10) */
    0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x00, 0x08, /* IO: 0x3f8, 8 ports (ACPI 6.4.2.5) */
    0x79, 0x00,                                     /* end tag */
};
_Static_assert(PORT_SERIAL == 0x3f8, "ssdt_body");
_Static_assert(SLEEP_TYPE_S5 == 5, "ssdt_body");

static struct generic_address port_register(uint16_t port)
{
    return (struct generic_address){.space = 1, .width = 8, .access = 1, .address = port};
}

static uint64_t write_fadt(struct table_area *area, const struct guest_tables_input *input,
                           uint64_t dsdt)
{
    uint64_t address;
    struct fadt_table *fadt = table_take(area, sizeof *fadt, &address);
    if (fadt == NULL)
        return 0;
    fadt->dsdt = (uint32_t)dsdt;
    fadt->x_dsdt = dsdt;
    fadt->boot_flags = FADT_BOOT_NO_VGA | FADT_BOOT_NO_ASPM | FADT_BOOT_NO_RTC;
    fadt->flags = FADT_HARDWARE_REDUCED;
    if (input->ports) {
        fadt->flags |= FADT_RESET_SUPPORTED;
        fadt->reset = port_register(PORT_RESET);
        fadt->reset_value = RESET_VALUE;
        fadt->sleep_control = port_register(PORT_SLEEP_CONTROL);
        fadt->sleep_status = port_register(PORT_SLEEP_STATUS);
    }
    fadt->minor_version = 5;
    header_fill(&fadt->header, "FACP", sizeof *fadt, 6);
    return address;
}

static uint64_t write_madt(struct table_area *area, const struct guest_tables_input *input)
{
    uint64_t address;
    size_t length = sizeof(struct madt_head) + input->cpu_count * sizeof(struct madt_x2apic);
    struct madt_head *madt = table_take(area, length, &address);
    if (madt == NULL)
        return 0;
    madt->local_apic = 0xfee00000u;
    struct madt_x2apic *entry = (struct madt_x2apic *)(madt + 1);
    for (uint32_t cpu = 0; cpu < input->cpu_count; cpu++)
        entry[cpu] = (struct madt_x2apic){
            .type = 9, .length = 16, .apic_id = input->apic_ids[cpu], .flags = 1, .uid = cpu};
    header_fill(&madt->header, "APIC", length, 6);
    return address;
}

static uint64_t write_mcfg(struct table_area *area, uint64_t ecam_base)
{
    uint64_t address;
    struct mcfg_table *mcfg = table_take(area, sizeof *mcfg, &address);
    if (mcfg == NULL)
        return 0;
    mcfg->base = ecam_base;
    header_fill(&mcfg->header, "MCFG", sizeof *mcfg, 1);
    return address;
}

uint64_t tables_write_acpi(struct table_area *area, const struct guest_tables_input *input)
{
    uint64_t dsdt = write_dsdt(area, input);
    uint64_t fadt = dsdt != 0 ? write_fadt(area, input, dsdt) : 0;
    uint64_t madt = fadt != 0 ? write_madt(area, input) : 0;
    uint64_t mcfg = madt != 0 ? write_mcfg(area, input->ecam_base) : 0;
    uint64_t ssdt =
        mcfg != 0 && input->ports ? write_block(area, "SSDT", ssdt_body, sizeof ssdt_body) : 0;
    uint64_t xsdt_address, rsdp_address;
    bool complete = mcfg != 0 && (ssdt != 0 || !input->ports);
    struct xsdt *xsdt = complete ? table_take(area, sizeof *xsdt, &xsdt_address) : NULL;
    struct rsdp *rsdp = xsdt != NULL ? table_take(area, sizeof *rsdp, &rsdp_address) : NULL;
    if (rsdp == NULL)
        return 0;
    const uint64_t tables[] = {fadt, madt, mcfg, ssdt};
    size_t count = ssdt != 0 ? ARRAY_SIZE(tables) : ARRAY_SIZE(tables) - 1;
    memcpy(xsdt->tables, tables, count * sizeof tables[0]);
    header_fill(&xsdt->header, "XSDT", offsetof(struct xsdt, tables) + count * sizeof tables[0], 1);
    memcpy(rsdp->signature, "RSD PTR ", 8);
    memcpy(rsdp->oem_id, "BLKHD ", 6);
    rsdp->revision = 2;
    rsdp->length = sizeof *rsdp;
    rsdp->xsdt = xsdt_address;
    rsdp->checksum = checksum(rsdp, 20);
    rsdp->extended_checksum = checksum(rsdp, sizeof *rsdp);
    return rsdp_address;
}
