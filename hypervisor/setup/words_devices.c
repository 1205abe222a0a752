/* SPDX-License-Identifier: MIT */
/* Names of devices that laboratories have, by vendor and device id; of others what class of device
 * they are (PCI Code and ID Assignment 1.15) and whose. */
#include "hypervisor/setup/words.h"

#include "hypervisor/assign/pf.h"
#include "hypervisor/base/format.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/monitor/commands.h"

#define ANY 0xff

static const struct {
    uint16_t vendor, first, last; /* device ids */
    const char *name;
} devices[] = {
    {0x1b36, 0x000c, 0x000c, "QEMU root port"},
    {0x1b36, 0x000d, 0x000d, "QEMU xHCI"},
    {0x1b36, 0x0010, 0x0010, "QEMU NVMe"},
    {0x1234, 0x1111, 0x1111, "QEMU display"},
    {0x1234, 0x11e8, 0x11e8, "QEMU edu"},
    {0x8086, 0x29c0, 0x29c0, "Intel Q35 host bridge"},
    {0x8086, 0x2918, 0x2918, "Intel ICH9 ISA bridge"},
    {0x8086, 0x2922, 0x2922, "Intel ICH9 SATA"},
    {0x8086, 0x2930, 0x2930, "Intel ICH9 SMBus"},
    {0x8086, 0x100e, 0x100e, "Intel 82540EM"},
    {0x8086, 0x10d3, 0x10d3, "Intel 82574L"},
    {0x8086, 0x10c9, 0x10c9, "Intel 82576"},
    {0x8086, 0x10e6, 0x10e8, "Intel 82576"},
    {0x8086, 0x150a, 0x150a, "Intel 82576"},
    {0x8086, 0x150d, 0x150d, "Intel 82576"},
    {0x8086, 0x1526, 0x1526, "Intel 82576"},
    {0x8086, 0x10ca, 0x10ca, "Intel 82576 VF"},
    {0x8086, 0x1521, 0x1524, "Intel I350"},
    {0x8086, 0x1520, 0x1520, "Intel I350 VF"},
    {0x8086, 0x1533, 0x1533, "Intel I210"},
    {0x8086, 0x15f2, 0x15f3, "Intel I225"},
    {0x8086, 0x125c, 0x125c, "Intel I226"},
    {0x8086, 0x10fb, 0x10fb, "Intel 82599"},
    {0x8086, 0x10ed, 0x10ed, "Intel 82599 VF"},
    {0x8086, 0x1572, 0x1572, "Intel X710"},
    {0x8086, 0x154c, 0x154c, "Intel X710 VF"},
    {0x8086, 0x159b, 0x159b, "Intel E810"},
    {0x8086, 0x1889, 0x1889, "Intel E810 VF"},
    {0x1af4, 0x1041, 0x1041, "virtio network"},
    {0x1af4, 0x1042, 0x1042, "virtio block"},
    {0x15b3, 0x1015, 0x1015, "ConnectX-4 Lx"},
    {0x15b3, 0x1017, 0x1017, "ConnectX-5"},
    {0x15b3, 0x101d, 0x101d, "ConnectX-6 Dx"},
};

static const struct {
    uint16_t id;
    const char *name;
} vendors[] = {
    {0x8086, "Intel"},   {0x1022, "AMD"},      {0x1002, "AMD"},      {0x10de, "NVIDIA"},
    {0x10ec, "Realtek"}, {0x14e4, "Broadcom"}, {0x15b3, "Mellanox"}, {0x144d, "Samsung"},
    {0x1af4, "virtio"},  {0x1b36, "QEMU"},     {0x1b21, "ASMedia"},  {0x15b7, "SanDisk"},
    {0x1987, "Phison"},  {0x1a03, "ASPEED"},
};

static const struct {
    uint8_t base, sub, interface; /* ANY: the first row that fits */
    const char *name;
} classes[] = {
    {0x01, 0x01, ANY, "IDE"},          {0x01, 0x04, ANY, "RAID"},
    {0x01, 0x06, ANY, "SATA"},         {0x01, 0x07, ANY, "SAS"},
    {0x01, 0x08, ANY, "NVMe"},         {0x01, ANY, ANY, "storage"},
    {0x02, 0x00, ANY, "Ethernet"},     {0x02, ANY, ANY, "network"},
    {0x03, ANY, ANY, "display"},       {0x04, ANY, ANY, "sound"},
    {0x05, ANY, ANY, "memory"},        {0x06, 0x00, ANY, "host bridge"},
    {0x06, 0x01, ANY, "ISA bridge"},   {0x06, 0x04, ANY, "PCI bridge"},
    {0x06, ANY, ANY, "bridge"},        {0x07, 0x00, ANY, "serial port"},
    {0x07, ANY, ANY, "communication"}, {0x08, 0x06, ANY, "IOMMU"},
    {0x08, ANY, ANY, "peripheral"},    {0x0c, 0x03, 0x30, "xHCI"},
    {0x0c, 0x03, ANY, "USB"},          {0x0c, 0x05, ANY, "SMBus"},
    {0x0c, ANY, ANY, "serial bus"},    {0x0d, ANY, ANY, "wireless"},
    {0x10, ANY, ANY, "encryption"},    {0x11, ANY, ANY, "signals"},
    {0x12, ANY, ANY, "accelerator"},
};

static const char *class_name(const struct pci_function *function)
{
    if (function->pcie_type == PCIE_TYPE_ROOT_PORT)
        return "root port";
    if (function->pcie_type == PCIE_TYPE_UPSTREAM || function->pcie_type == PCIE_TYPE_DOWNSTREAM)
        return "switch port";
    uint8_t base = (uint8_t)(function->class_code >> 16),
            sub = (uint8_t)(function->class_code >> 8), interface = (uint8_t)function->class_code;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i].base == base && (classes[i].sub == ANY || classes[i].sub == sub) &&
            (classes[i].interface == ANY || classes[i].interface == interface))
            return classes[i].name;
    return "device";
}

static const struct pci_function *parent_of(const struct pci_function *function)
{
    return function->is_vf ? function->pf : function->bridge;
}

static struct short_text rid_or_dash(const struct pci_function *function)
{
    return function != NULL ? rid_text(function->rid) : (struct short_text){"-"};
}

static void write_name(struct pci_function *function)
{
    const char *section = pf_name(function->is_vf ? function->pf : function);
    if (section[0] == '\0')
        (void)format_text(function->name, sizeof function->name, "-");
    else if (function->is_vf)
        (void)format_text(function->name, sizeof function->name, "%s.vf%u", section,
                          function->vf_index);
    else
        (void)format_text(function->name, sizeof function->name, "%s", section);
}

static void write_kind(struct pci_function *function)
{
    const char *vendor = "";
    for (size_t i = 0; i < ARRAY_SIZE(vendors); i++)
        if (vendors[i].id == function->vendor)
            vendor = vendors[i].name;
    (void)format_text(function->words, sizeof function->words, "%s%s%s%s", vendor,
                      vendor[0] != '\0' ? " " : "", class_name(function),
                      function->is_vf ? " VF" : "");
    for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
        if (devices[i].vendor == function->vendor && function->device >= devices[i].first &&
            function->device <= devices[i].last)
            (void)format_text(function->words, sizeof function->words, "%s", devices[i].name);
}

/* Deep trees stay inside their column. */
static void write_row(struct pci_function *function, const char *unit)
{
    char rid[32] = "", *end = rid;
    for (const struct pci_function *up = parent_of(function); up != NULL && end < rid + 8;
         up = parent_of(up))
        end += format_text(end, 3, "  ");
    (void)format_text(end, (size_t)(rid + sizeof rid - end), "%s", rid_text(function->rid).text);
    (void)format_text(function->row, sizeof function->row, "%-14s %04x:%04x %2s", rid,
                      function->vendor, function->device, unit);
}

static void write_record(struct pci_function *function, const char *unit)
{
    const struct pci_function *port = NULL;
    PCI_FOR_EACH_UPWARD (above, function->bridge)
        port = above;
    const char *kind = function->is_vf            ? "vf"
                       : function->cap_sriov != 0 ? "pf"
                       : function->is_bridge      ? "bridge"
                                                  : "function";
    (void)format_text(function->record, sizeof function->record,
                      "rid=%s name=%s id=%04x:%04x class=%06x kind=%s parent=%s port=%s unit=%s",
                      rid_text(function->rid).text, function->name, function->vendor,
                      function->device, function->class_code, kind,
                      rid_or_dash(parent_of(function)).text, rid_or_dash(port).text, unit);
}

/* The first function below `parent` with a requester id from `from` on. */
static const struct pci_function *child(const struct pci_function *parent, uint64_t from)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (parent_of(function) == parent && function->rid >= from)
            break;
    return function;
}

/* Below each what is behind it: a bridge's bus, a PF's VFs. */
static void order_tree(void)
{
    const struct pci_function *at = child(NULL, 0), *next;
    for (size_t i = 0; at != NULL && i < PCI_MAX_FUNCTIONS; i++, at = next) {
        command_tree[i] = at;
        next = child(at, 0);
        for (const struct pci_function *up = at; next == NULL && up != NULL; up = parent_of(up))
            next = child(parent_of(up), (uint64_t)up->rid + 1);
    }
}

void words_of_devices(void)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        char unit[8] = "-";
        if (iommu_unit_of(function) >= 0)
            (void)format_text(unit, sizeof unit, "%d", iommu_unit_of(function));
        write_name(function);
        write_kind(function);
        write_row(function, unit);
        write_record(function, unit);
    }
    order_tree();
}
