/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
/* L11, steps 6 and 7: how much each VF gets, and where it comes from. */
#include "tests/labs/checks/nvme_bench.h"

static enum status started(uint16_t vfs)
{
    asking("%s", doing);
    trace_begin();
    host_log_clear();
    return nvme_pf_setup.start(&device, vfs);
}

static void shares(void)
{
    static const struct {
        uint32_t total;
        uint16_t most, granularity, vfs;
        const char *why;
    } cases[] = {
        {12, 12, 1, 2, "what there is, divided by the VFs"},
        {12, 5, 1, 2, "no more than VQFRSM: a secondary controller can have no more"},
        {13, 12, 1, 3, "what does not divide is left over"},
        {12, 12, 4, 2,
         "a multiple of VQGRAN, which is the step in which the device hands them out"},
        {14, 7, 3, 2, "a multiple of VQGRAN, of what VQFRSM leaves"},
        {4, 5, 1, 2, "two queue pairs are enough: admin and I/O"},
        {8, 8, 0, 2, "VQGRAN 0 says that any number will do"},
        {0x20008, 4, 1, 4, "VQFRT has 32 bits"},
        {200, 4, 1, 1, "no more than VQFRSM: a secondary controller can have no more"},
    };
    for (size_t i = 0; i <= ARRAY_SIZE(cases); i++) {
        fresh(NULL);
        uint16_t vfs = i < ARRAY_SIZE(cases) ? cases[i].vfs : (uint16_t)seeded("vfs", 1, 3, 3);
        model.total[0] = i < ARRAY_SIZE(cases) ? cases[i].total : seeded("total", 8, 40, 17);
        model.most[0] = i < ARRAY_SIZE(cases) ? cases[i].most : (uint16_t)seeded("most", 4, 9, 6);
        model.granularity[0] =
            i < ARRAY_SIZE(cases) ? cases[i].granularity : (uint16_t)seeded("granularity", 1, 2, 2);
        model.most[1] = VECTORS_TOTAL;
        model.namespaces = SECONDARIES;
        uint32_t each = MIN(model.total[0] / vfs, model.most[0]);
        each -= model.granularity[0] > 1 ? each % model.granularity[0] : 0;
        now("VQFRT %u, VQFRSM %u, VQGRAN %u, %u VFs", model.total[0], model.most[0],
            model.granularity[0], vfs);
        enum status status = started(vfs);
        struct nvme_controller *controller = nvme_controller_of(&device);
        expect(status == STATUS_OK,
               "%s: refused with %s, \"%s\"; each gets %u queue pairs, and %s%s", doing,
               status_name(status), reason(), each,
               i < ARRAY_SIZE(cases) ? cases[i].why : "all of the rules", refused_action());
        expect(controller->queues == each,
               "%s: each VF gets %u queue pairs, wanted %u; %s (5.17.2.15)", doing,
               controller->queues, each, i < ARRAY_SIZE(cases) ? cases[i].why : "all of the rules");
        expect(controller->vectors == VECTORS_TOTAL / vfs,
               "%s: each VF gets %u interrupts, wanted %u: the block at offset %u is theirs", doing,
               controller->vectors, VECTORS_TOTAL / vfs, NVME_PRIMARY_INTERRUPTS);
    }
    static const uint16_t too_few[][3] = {{3, 5, 1}, {12, 1, 1}, {12, 0, 1}, {12, 5, 8}};
    for (size_t i = 0; i < ARRAY_SIZE(too_few); i++) {
        fresh(NULL);
        model.total[0] = too_few[i][0];
        model.most[0] = too_few[i][1];
        model.granularity[0] = too_few[i][2];
        now("VQFRT %u, VQFRSM %u, VQGRAN %u, 2 VFs", model.total[0], model.most[0],
            model.granularity[0]);
        expect(started(2) == STATUS_UNSUPPORTED && strstr(reason(), "fewer VFs") != NULL,
               "%s: not refused; fewer than two queue pairs each, admin and I/O, are not a "
               "controller: 0 "
               "says so (8.26.1)",
               doing);
    }
}

static const char *given_up(void)
{
    static char text[120];
    snprintf(text, sizeof text, "allocate 0 queues to %u, allocate 0 interrupts to %u", MODEL_ID,
             MODEL_ID);
    return text;
}

/* The trace up to the list of secondary controllers. */
static void expect_given_up(const char *wanted)
{
    char *end = strstr(trace, "list");
    if (end != NULL)
        *(end >= trace + 2 ? end - 2 : end) = '\0';
    expect_trace(wanted);
}

static void freeing(void)
{
    fresh(NULL);
    now("nvme_take_stock(), the primary controller holds everything");
    enum status status = started(2);
    const char *said = reason();
    bool kept = strstr(said, "does not give up") != NULL;
    if (status != STATUS_OK && !kept)
        expect_given_up(given_up());
    expect(!kept || managements < 2 || resets >= 2,
           "%s: it took back 0 of both, and was not reset: what 1h changes is so after the next "
           "Controller Level "
           "Reset (8.26.1)",
           doing);
    expect_given_up(given_up());
    expect(status == STATUS_OK, "%s: it says %s, \"%s\"%s", doing, status_name(status), said,
           refused_action());
    expect(resets == 2, "%s: %u resets, wanted 2: one to begin with, one after 1h (8.26.1)", doing,
           resets);
    expect(pf->csts == 1, "%s: the controller is left off after the reset", doing);

    fresh(NULL);
    memset(model.primary, 0, sizeof model.primary);
    memset(model.primary_next, 0, sizeof model.primary_next);
    now("nvme_take_stock(), the primary controller holds nothing");
    status = started(3);
    expect_given_up("");
    expect(
        status == STATUS_OK && resets == 1,
        "%s: it says %s after %u resets; there is nothing to give up, and nothing to reset it for",
        doing, status_name(status), resets);

    for (unsigned kind = 0; kind < 2; kind++) {
        fresh(NULL);
        model.primary[1 - kind] = model.primary_next[1 - kind] = 0;
        now("nvme_take_stock(), the primary controller holds %s alone", kind_name(kind));
        status = started(2);
        expect(status == STATUS_OK, "%s: it says %s, \"%s\"%s", doing, status_name(status),
               reason(), refused_action());
        expect(model.primary[kind] == 0, "%s: it still has %u", doing, model.primary[kind]);
    }

    fresh(NULL);
    wrong.keeps_flexible = true;
    now("nvme_take_stock(), the primary controller keeps what it was to give up");
    status = started(2);
    expect(status == STATUS_DEVICE && strstr(reason(), "does not give up") != NULL,
           "%s: it says %s, \"%s\"; its capabilities are read again after the reset, and what it "
           "still "
           "holds refuses it",
           doing, status_name(status), reason());
    fresh(NULL);
    wrong.refuse_action = NVME_PRIMARY_ALLOCATE;
    now("nvme_take_stock(), 1h is refused");
    status = started(2);
    expect(status == STATUS_DEVICE, "%s: it says %s; a refused command's status is passed on",
           doing, status_name(status));
    expect(managements == 1, "%s: %u commands were sent all the same", doing, managements);
    expect(!pf->master && pf->domain == NULL, "%s: it can still reach memory", doing);
}

void lab_check(void)
{
    freeing();
    shares();
}
