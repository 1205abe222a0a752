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
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
/* L5, steps 5 and 6: what is refused, and a unit that does not answer. */
#include "hypervisor/iommu/vtd.h"
#include "tests/labs/checks/vtd_bench.h"

static void refused(const struct pci_function *one, enum status wanted, const char *name,
                    const char *what)
{
    host_log_clear();
    asking("iommu_connect(): %s", what);
    enum status got = iommu_connect(one, &domain);
    expect(got == wanted, "%s: the status is \"%s\", %s is expected", what, status_name(got), name);
}

/* An operator sees in the log why a device is not given to a guest. */
static void refused_in_words(const struct pci_function *one, enum status wanted, const char *name,
                             const char *words, const char *what)
{
    refused(one, wanted, name, what);
    expect(host_log_count("iommu.refused", rid_text(one->rid).text) == 1,
           "%s: no iommu.refused names the function; refuse_function() logs it", what);
    expect(host_log_count("iommu.refused", words) == 1, "%s: iommu.refused does not say \"%s\"",
           what, words);
}

static void refusals(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    struct pci_function *port = machine_bridge(RID(0, 0, 0x1c, 0), NULL, 2);
    struct pci_function *to_pci = machine_bridge(RID(0, 2, 0, 0), port, 3);
    to_pci->pcie_type = PCIE_TYPE_TO_PCI_BRIDGE;
    refused_in_words(machine_function(RID(0, 3, 1, 0), to_pci), STATUS_DENIED, "STATUS_DENIED",
                     "shares its requester id", "a function behind a bridge to conventional PCI");
    strcpy(vtd.unit[0].refusal, "it has no wheels");
    vtd.unit[0].usable = false;
    refused_in_words(function, STATUS_UNSUPPORTED, "STATUS_UNSUPPORTED", "it has no wheels",
                     "a unit that is not usable (unit->usable), for the reason in unit->refusal");
    vtd.unit[0].usable = true;
    vtd.enabled = false;
    refused(function, STATUS_UNSUPPORTED, "STATUS_UNSUPPORTED", "VT-d is off (vtd.enabled)");
    vtd.enabled = true;
    static struct iommu_domain others;
    for (uint32_t i = 0; i < VTD_MAX_CONNECTIONS; i++)
        vtd.connections[i] = (struct vtd_connection){RID(9, 0, 0, 0) + i, &vtd.unit[0], &others};
    refused(function, STATUS_FULL, "STATUS_FULL", "no record is free (vtd.connections)");
    memset(vtd.connections, 0, sizeof vtd.connections);

    machine_reset();
    unit = vtd_model_add(0xfed00000, MODEL_CAP, MODEL_ECAP);
    machine_drhd(0, false, 0xfed00000);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    expect(machine_start() == STATUS_OK &&
               iommu_domain_create(&domain, OWNER_GUEST(0)) == STATUS_OK,
           "a unit for one function could not be set up: %s", host_log_text());
    refused_in_words(machine_function(RID(0, 0, 3, 0), NULL), STATUS_NOT_FOUND, "STATUS_NOT_FOUND",
                     "", "a function that no unit covers (vtd_unit_of() gives NULL)");
}

static void expect_on_record(const char *when)
{
    expect(
        iommu_domain_of(function->rid) == &domain && domain.functions == 1,
        "%s: the connection is not on record, and a cache may still have it: the domain's memory "
        "would be given to somebody else",
        when);
}

static void silence(void)
{
    machine_of(MODEL_CAP, MODEL_ECAP);
    unit->queue_silent = true;
    asking("iommu_connect() on a unit that does not answer");
    expect(iommu_connect(function, &domain) != STATUS_OK,
           "iommu_connect() on a unit that does not answer: STATUS_OK was returned, and nothing "
           "says that its caches have forgotten");
    expect(!vtd_model_has_context(unit, (uint16_t)function->rid),
           "iommu_connect() on a unit that does not answer: the entry is left present; the caller "
           "is told that the function is not connected");
    expect_on_record("iommu_connect() on a unit that does not answer");

    machine_of(MODEL_CAP, MODEL_ECAP);
    expect(iommu_connect(function, &domain) == STATUS_OK, "iommu_connect() refuses: %s",
           host_log_text());
    unit->queue_silent = true;
    asking("iommu_disconnect() on a unit that does not answer");
    expect(iommu_disconnect(function, &domain) != STATUS_OK,
           "iommu_disconnect() on a unit that does not answer: STATUS_OK was returned, and its "
           "caches may still let the function through");
    expect_on_record("iommu_disconnect() on a unit that does not answer");
}

void lab_check(void)
{
    refusals();
    silence();
}
