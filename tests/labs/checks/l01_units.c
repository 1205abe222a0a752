/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/iommu_discover.c hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/iommu_quirks.c
/* L1, steps 4 to 6: which unit a function is behind. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/format.h"
#include "hypervisor/iommu/vtd.h"
#include "hypervisor/setup/iommu_registers.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define UNIT(n) (0xfed00000 + (n) * 0x10000)

static struct pci_function *functions[24];
static unsigned function_count;
static struct {
    const struct pci_function *function;
    int unit;
    const char *why;
} wanted[24];

/* Of segment 0, bus 9 is bus 8 now and bus 0x0b has gone (its neighbour would be bus ff). */
int pci_bus_now(uint16_t segment, uint8_t bus)
{
    if (segment != 0)
        return bus;
    return bus == 9 ? 8 : bus == 0x0b ? -1 : bus;
}

static struct pci_function *add(rid_t rid, struct pci_function *bridge, int unit, const char *why)
{
    struct pci_function *function = machine_function(rid, bridge);
    functions[function_count] = function;
    wanted[function_count].function = function;
    wanted[function_count].unit = unit;
    wanted[function_count].why = why;
    function_count++;
    return function;
}

void lab_check(void)
{
    machine_reset();
    for (unsigned i = 0; i < 5; i++)
        vtd_model_add(UNIT(i), MODEL_CAP, MODEL_ECAP);
    /* The unit of what is left over comes first in the table, which firmware may do. */
    machine_atsr(0, 1);
    machine_drhd(0, true, UNIT(0));
    machine_flags(0x80 | DRHD_FLAG_INCLUDE_PCI_ALL); /* a flag to come */
    machine_drhd(0, false, UNIT(1));
    machine_scope(SCOPE_ENDPOINT, 0, "14.0");
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_scope(SCOPE_ENDPOINT, 9, "0.0");
    machine_scope(SCOPE_ENDPOINT, 0x0b, "0.0");
    machine_drhd(0, false, UNIT(2));
    machine_scope(SCOPE_BRIDGE, 0, "1c.4");
    machine_drhd(0, false, UNIT(3));
    machine_scope(SCOPE_ENDPOINT, 0, "1c.4/0.0");
    machine_scope(SCOPE_IOAPIC, 0, "1f.0");
    machine_scope(SCOPE_ENDPOINT, 0, "1c.5");
    machine_scope(SCOPE_ENDPOINT, 0, "4.0/0.0");
    machine_scope(SCOPE_ENDPOINT, 0, "15.0");
    machine_drhd(1, false, UNIT(4));
    machine_flags(0x80);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_scope(SCOPE_ENDPOINT, 0, "6.0/0.0");
    machine_scope(SCOPE_ENDPOINT, 9, "0.0");
    machine_rmrr(0, MIB(100), MIB(101) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "1d.0");
    add(RID(0, 0, 2, 0), NULL, 1,
        "unit 1 has a scope that is this very function, and unit 0 is for what is left over");
    struct pci_function *port = machine_bridge(RID(0, 0, 0x1c, 4), NULL, 5);
    functions[function_count] = port;
    wanted[function_count].function = port;
    wanted[function_count].unit = 2;
    wanted[function_count++].why = "unit 2 has a scope that is this very bridge";
    add(RID(0, 5, 0, 1), port, 2,
        "unit 2 lists the bridge above it, and a bridge stands for what is behind it (VT-d 8.3.1)");
    add(RID(0, 5, 0, 0), port, 3,
        "unit 3 has a scope of 2 hops that is this very function, nearer than the bridge's");
    add(RID(0, 0, 3, 0), NULL, 0,
        "no scope names it: it is behind the DRHD with INCLUDE_PCI_ALL, which is bit 0 of the "
        "flags (other bits may be set as well; an ATSR has flags of its own)");
    struct pci_function *next = machine_bridge(RID(0, 0, 0x1c, 5), NULL, 6);
    add(RID(0, 6, 0, 0), next, 0,
        "the scope of the bridge above it is of type 1: an endpoint's, which stands for itself "
        "alone");
    add(RID(0, 0, 0x1f, 0), NULL, 0, "that scope is the I/O APIC's, which is not a PCI function");
    add(RID(0, 0, 4, 0), NULL, 0,
        "the path 4.0/0.0 begins at it, and it is not a bridge: that scope names nothing "
        "(STATUS_NOT_FOUND)");
    add(RID(0, 0, 0x15, 0), NULL, 3,
        "unit 3 has a scope that is this very function, after one whose path leads nowhere");
    add(RID(0, 0, 0x1d, 0), NULL, 0,
        "only an RMRR has a scope that is this function, and an RMRR is not a unit: "
        "look at the structure's type");
    add(RID(1, 0, 2, 0), NULL, 4, "unit 4 is that of its segment");
    add(RID(0, 8, 0, 0), NULL, 1,
        "firmware listed it on bus 9, which is bus 8 by now (pci_bus_now())");
    add(RID(0, 9, 0, 0), NULL, 0,
        "what firmware listed on bus 9 is on bus 8 by now, and this is another "
        "function (pci_bus_now())");
    add(RID(0, 0xff, 0, 0), NULL, 0,
        "firmware's bus 0b is gone (pci_bus_now() gives -1): a scope that begins there names "
        "nothing");
    add(RID(1, 3, 0, 0), machine_bridge(RID(1, 0, 6, 0), NULL, 3), 4,
        "unit 4 has a scope of 2 hops that is this very function, and its bridge is in the "
        "structure's segment");
    add(RID(1, 9, 0, 0), NULL, 4,
        "unit 4 has a scope that is this very function; bus 9 was moved in segment 0 only "
        "(pci_bus_now())");
    add(RID(1, 0, 3, 0), NULL, -1,
        "its segment has no unit for what is left over: INCLUDE_PCI_ALL is bit 0 of the flags");
    asking("iommu_init()");
    expect(machine_start() == STATUS_OK, "the units were not found: %s", host_log_text());
    for (unsigned i = 0; i < function_count; i++) {
        asking("the unit of %s", rid_text(functions[i]->rid).text);
        int got = iommu_unit_of(functions[i]);
        char name[24], number[2][16];
        snprintf(name, sizeof name, "%s", rid_text(functions[i]->rid).text);
        for (unsigned n = 0; n < 2; n++) {
            int unit = n == 0 ? got : wanted[i].unit;
            snprintf(number[n], sizeof number[n], unit < 0 ? "no unit" : "unit %d", unit);
        }
        expect(got == wanted[i].unit, "%s: %s chosen instead of %s; %s", name, number[0], number[1],
               wanted[i].why);
    }
}
