/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
/* L11, step 1: the controller is stopped, gets its admin queues, and is started. */
#include "tests/labs/checks/nvme_bench.h"

static struct nvme_controller one;

static void machine(void)
{
    now("before nvme_open()");
    fresh(NULL);
    pf->function.owner = OWNER_HYPERVISOR;
    one =
        (struct nvme_controller){.device = &device, .tail = 5, .head = 7, .last_id = 9, .phase = 0};
}

static enum status open(const char *what)
{
    now("nvme_open()%s", what);
    return nvme_open(&one);
}

static void queues(const char *what)
{
    unsigned asqs = pf->aqa & 0xfff, acqs = pf->aqa >> 16 & 0xfff;
    expect(
        asqs == NVME_ENTRIES - 1 && acqs == NVME_ENTRIES - 1,
        "%s: AQA is %#x: ASQS (bits 11:0) %u and ACQS (27:16) %u give %u and %u entries, and both "
        "queues have %u; sizes are 0-based (3.1.3.8)",
        what, pf->aqa, asqs, acqs, asqs + 1, acqs + 1, NVME_ENTRIES);
    expect(pf->asq == nvme_page_address(NVME_PAGE_SUBMISSION) &&
               pf->acq == nvme_page_address(NVME_PAGE_COMPLETION),
           "%s: ASQ is %#llx and ACQ %#llx; the pages lie at %#llx and %#llx in the PF's domain "
           "(3.1.3.9, 3.1.3.10)",
           what, (unsigned long long)pf->asq, (unsigned long long)pf->acq,
           (unsigned long long)nvme_page_address(NVME_PAGE_SUBMISSION),
           (unsigned long long)nvme_page_address(NVME_PAGE_COMPLETION));
    expect(one.tail == 0 && one.head == 0 && one.last_id == 0,
           "%s: tail %u, head %u, last_id %u are left from before; new queues begin at entry 0",
           what, one.tail, one.head, one.last_id);
    expect(one.phase == 1,
           "%s: phase is %u; the queue's memory is 0, and the controller writes phase tag 1 in its "
           "first round (3.3.3.2)",
           what, one.phase);
}

/* Gives up after CAP.TO, and not before. */
static void gives_up(const char *what, const char *says)
{
    unsigned allowed = 500 * NVME_CAP_TIMEOUT(model.cap_low);
    uint64_t before = clock_microseconds();
    enum status status = open(what);
    unsigned took = (unsigned)((clock_microseconds() - before) / 1000);
    expect(status == STATUS_TIMEOUT && strstr(host_log_text(), says) != NULL,
           "%s: nvme_open() says %s and logs \"%s\"; timeout is expected, and \"%s\" in the log",
           doing, status_name(status), reason(), says);
    expect(took + 20 >= allowed,
           "%s: given up after %u ms, and CAP.TO gives the controller %u (3.1.3.1)", doing, took,
           allowed);
    expect(one.dma == NULL && pf->domain == NULL, "%s: its memory is still in the PF's domain",
           doing);
}

void lab_check(void)
{
    machine();
    enum status status = open("");
    expect(status == STATUS_OK || pf->cc != 0,
           "nvme_open() says %s, and CC was never written: CC.EN starts the controller",
           status_name(status));
    expect(status == STATUS_OK, "nvme_open() of a sound controller says %s, and logs \"%s\"",
           status_name(status), reason());
    expect((pf->cc & NVME_CC_ENABLE) != 0, "nvme_open() says ok, and CC.EN is 0 (3.1.3.5)");
    expect(pf->csts == 1,
           "nvme_open() says ok while CSTS.RDY is 0; commands are for a controller that is ready "
           "(3.1.3.6)");
    queues("after nvme_open()");
    nvme_close(&one);

    machine();
    now("before nvme_open(): as firmware left it");
    model.cap_low = (model.cap_low & 0xffffff) | seeded("to", 2, 9, 3) << 24;
    pf->masked = UINT32_MAX;
    pf->aqa = 0x00070007;
    pf->asq = pf->acq = 0x1000;
    pf->cc = 0x00460001;
    pf->csts = 1;
    status = open(" of one that firmware left enabled");
    expect(status == STATUS_OK,
           "%s: it says %s, and logs \"%s\"; it is stopped first, and started then", doing,
           status_name(status), reason());
    queues("after nvme_open() of one that firmware left enabled");
    nvme_close(&one);

    machine();
    model.cap_low = (model.cap_low & 0xffffff) | seeded("to", 2, 9, 3) << 24;
    wrong.never_ready = true;
    gives_up(" of one that does not start", "CSTS.RDY stays 0");

    machine();
    pf->cc = 0x00460001;
    pf->csts = 1;
    wrong.never_stops = true;
    gives_up(" of one that does not stop", "CSTS.RDY stays 1");
}
