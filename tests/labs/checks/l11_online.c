/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
/* L11, steps 8, 9 and 10: a secondary controller goes offline and comes online. */
#include "tests/labs/checks/nvme_bench.h"

enum { VF = 1, ID = FIRST + VF, NAMESPACE = VF + 1 };

static struct nvme_controller *controller;
static struct nvme_vf *vf;

/* All VFs are offline, and have nothing. */
static void machine(void)
{
    now("nvme_pf_setup.start()");
    fresh(NULL);
    model.shared = true;
    expect(nvme_pf_setup.start(&device, 2) == STATUS_OK, "the device is refused: %s", reason());
    controller = nvme_controller_of(&device);
    vf = &controller->vf[VF];
    host_log_clear();
    managements = 0;
    trace_begin();
}

static const char *assigned(void)
{
    static char text[120];
    snprintf(text, sizeof text,
             "assign %u queues to %u, assign %u interrupts to %u, online %u, list",
             controller->queues, ID, controller->vectors, ID, ID);
    return text;
}

static enum status online(const char *what)
{
    now("nvme_bring_online()%s", what);
    trace_begin();
    return nvme_bring_online(controller, VF);
}

static void comes_online(void)
{
    char wanted[300];
    machine();
    enum status status = online(" of an offline controller");
    snprintf(wanted, sizeof wanted, "offline %u, %s, attach namespace %u", ID, assigned(),
             NAMESPACE);
    expect_trace(wanted);
    expect(status == STATUS_OK && model.secondary[VF].online, "%s: it says %s, \"%s\"%s", doing,
           status_name(status), reason(), refused_action());
    expect(vf->online,
           "%s: it is online, and vf->online is false: its namespace would be taken from it",
           doing);
    expect(!model.secondary[0].online, "%s: the other VF's controller is online too", doing);
    status = online(" of one that is online: its guest starts again");
    snprintf(wanted, sizeof wanted, "offline %u, detach namespace %u, %s, attach namespace %u", ID,
             NAMESPACE, assigned(), NAMESPACE);
    expect_trace(wanted);
    expect(status == STATUS_OK && vf->online, "%s: it says %s, \"%s\"%s", doing,
           status_name(status), reason(), refused_action());
}

static void stops_where_it_fails(void)
{
    static const struct {
        int action;
        unsigned commands; /* of offline, assign, assign, online */
    } cases[] = {
        {NVME_SECONDARY_OFFLINE, 1}, {NVME_SECONDARY_ASSIGN, 2}, {NVME_SECONDARY_ONLINE, 4}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        machine();
        char what[80], wanted[300];
        size_t length = 0;
        snprintf(wanted, sizeof wanted, "offline %u, %s", ID, assigned());
        for (unsigned n = 0; n < cases[i].commands; n++)
            length += strcspn(wanted + length, ",") + 2;
        wanted[length - 2] = '\0';
        snprintf(what, sizeof what, ", action %xh is refused", (unsigned)cases[i].action);
        wrong.refuse_action = cases[i].action;
        enum status status = online(what);
        expect(status != STATUS_OK, "%s: it says ok", doing);
        expect(strcmp(trace, wanted) == 0,
               "%s: wanted [%s], got [%s]; nothing is built on what was refused", doing, wanted,
               trace);
        expect(!vf->online, "%s: vf->online is true", doing);
    }
}

static void without_its_namespace(void)
{
    machine();
    wrong.refuse = NVME_NAMESPACE_ATTACHMENT;
    enum status status = online(", its namespace is refused");
    expect(status == STATUS_DEVICE && !vf->online,
           "%s: it says %s, and vf->online is %s; a guest would start without its disk", doing,
           status_name(status), vf->online ? "true" : "false");
}

static struct {
    unsigned offset;
    uint16_t value;
} falsified;

static void falsify(unsigned what, uint8_t *data)
{
    if (what == NVME_ID_SECONDARIES)
        put16(data, NVME_SECONDARY(SECONDARIES - 1 - VF) + falsified.offset, falsified.value);
}

static void compares(void)
{
    static const struct {
        unsigned offset;
        uint16_t value;
        const char *what, *why;
    } cases[] = {
        {NVME_SECONDARY_STATE, 0, "SCS 0, offline", "SCS, bit 0 of byte 4, is 1 for online"},
        {NVME_SECONDARY_QUEUES, 4, "NVQ 4, and 5 were assigned",
         "a guest would find fewer queues than it was told"},
        {NVME_SECONDARY_QUEUES, 6, "NVQ 6, and 5 were assigned",
         "what it has too much, another VF lacks"},
        {NVME_SECONDARY_VECTORS, 2, "NVI 2, and 3 were assigned",
         "its MSI-X table has as many entries as that"},
        {NVME_SECONDARY_ID, 77, "CNTLID 77",
         "that VF's controller has another id than what was set up"},
        {NVME_SECONDARY_FUNCTION, 90, "no entry for the VF",
         "nvme_find_secondary() gives 0 then, and offset 0 is NUMID"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        machine();
        falsified.offset = cases[i].offset;
        falsified.value = cases[i].value;
        wrong.falsify = falsify;
        enum status status = online(", and the list says otherwise");
        expect(status == STATUS_DEVICE && !vf->online,
               "%s: the Secondary Controller List has %s, and it says %s; %s (5.17.2.16)", doing,
               cases[i].what, status_name(status), cases[i].why);
        expect(!model.attached[NAMESPACE][ID], "%s: the namespace was attached to it all the same",
               doing);
    }
}

/* What the specification reserves may become something, and is not compared. */
static void minds_the_bit_alone(void)
{
    machine();
    falsified.offset = NVME_SECONDARY_STATE;
    falsified.value = 0x0181;
    wrong.falsify = falsify;
    enum status status = online(", and reserved bits of the list are set");
    expect(status == STATUS_OK,
           "%s: it says %s; SCS is 81h, whose bit 0 says online: bits 7:1 and the byte behind are "
           "reserved (5.17.2.16)",
           doing, status_name(status));
}

static void goes_offline(void)
{
    char wanted[120];
    machine();
    enum status status = online("");
    expect(status == STATUS_OK, "%s: it says %s, \"%s\"%s", doing, status_name(status), reason(),
           refused_action());
    model.attached[1][ID] = model.attached[3][ID] = true; /* its guest took them */
    trace_begin();
    now("nvme_take_offline() of a controller with three namespaces");
    status = nvme_take_offline(controller, vf);
    snprintf(wanted, sizeof wanted,
             "offline %u, detach namespace 1, detach namespace 2, detach namespace 3", ID);
    expect_trace(wanted);
    expect(status == STATUS_OK, "%s: it says %s", doing, status_name(status));
    expect(!vf->online,
           "%s: vf->online is still true: nvme_watch() would give it its namespace back", doing);
    machine();
    status = online("");
    wrong.refuse_action = NVME_SECONDARY_OFFLINE;
    trace_begin();
    now("nvme_take_offline(), 7h is refused");
    status = nvme_take_offline(controller, vf);
    expect(status == STATUS_DEVICE, "%s: it says %s; whoever asked must know", doing,
           status_name(status));
    expect(!vf->online, "%s: vf->online is still true; nobody may count on it", doing);
    expect(model.attached[NAMESPACE][ID],
           "%s: namespaces are detached while the controller may still use them", doing);
}

void lab_check(void)
{
    comes_online();
    goes_offline();
    stops_where_it_fails();
    without_its_namespace();
    compares();
    minds_the_bit_alone();
}
