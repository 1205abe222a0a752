/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
/* L11, steps 2 and 3: commands and completions, three times round the queues. */
#include "tests/labs/checks/nvme_bench.h"

static struct nvme_controller one;

static void machine(unsigned stride)
{
    now("before the first command");
    fresh(NULL);
    model.cap_high |= stride;
    memset(model.primary, 0, sizeof model.primary);
    one = (struct nvme_controller){.device = &device};
    expect(nvme_open(&one) == STATUS_OK, "nvme_open() fails: %s", reason());
}

/* Why the driver gave up. */
static _Noreturn void gave_up(unsigned number, unsigned before, uint16_t head)
{
    if (commands == before)
        is_wrong("%s: SQ0TDBL was not written, so the controller does not know of the command; "
                 "submit() writes the new tail (3.3.1)",
                 doing);
    if (strstr(host_log_text(), "no answer") != NULL)
        is_wrong(
            "%s: its completion was posted in entry %u with phase tag %u, and was not taken within "
            "two seconds; controller->phase is %u, and it is inverted when head comes back to 0, "
            "then only (3.3.3.2)",
            doing, (pf->head + NVME_ENTRIES - 1) % NVME_ENTRIES,
            pf->head == 0 ? pf->phase ^ 1u : pf->phase, one.phase);
    is_wrong("%s: the answer's command id or queue is not that of command %u: entry %u was taken, "
             "and what was posted "
             "is copied whole into *answer",
             doing, number, head);
}

static void rounds(unsigned stride)
{
    machine(stride);
    for (unsigned number = 1; number <= 3 * NVME_ENTRIES + 5; number++) {
        unsigned before = commands;
        uint16_t head = one.head;
        uint32_t result = 0xdead;
        now("command %u, CAP.DSTRD %u", number, stride);
        enum status status = number % 2 != 0 ? nvme_identify(&one, NVME_ID_CONTROLLER, 0)
                                             : nvme_execute(&one, NVME_VIRTUALIZATION_MANAGEMENT, 0,
                                                            FIRST << 16 | NVME_SECONDARY_ASSIGN,
                                                            number % 5, &result);
        if (one.dead)
            gave_up(number, before, head);
        const struct nvme_command *got =
            &pf->fetched[(pf->taken + NVME_ENTRIES - 1) % NVME_ENTRIES];
        expect(
            status == STATUS_OK,
            "%s: it says %s; opcode %#x with CDW10 %#x and CDW11 %u arrived, and status %#x came "
            "back: all 64 bytes of the command are copied, and all 16 of the answer",
            doing, status_name(status), got->opcode, got->dword10, got->dword11, one.code);
        expect(commands == before + 1, "%s: the controller got %u commands", doing,
               commands - before);
        expect(number % 2 != 0 || result == number % 5,
               "%s: the result is %u, and the completion's CDW0 was %u: all of the entry is copied",
               doing, result, number % 5);
        expect(number % 2 == 0 || nvme_data16(&one, NVME_CONTROLLER_ID) == MODEL_ID,
               "%s: CNTLID in the data page is %u, and the controller wrote %u: the command that "
               "arrived was another",
               doing, nvme_data16(&one, NVME_CONTROLLER_ID), MODEL_ID);
        expect(pf->seen == pf->head,
               "%s: the completion was taken, and CQ0HDBL is still %u; the controller may use the "
               "entry "
               "again when it is %u (3.3.1)",
               doing, pf->seen, pf->head);
        expect(one.tail == pf->tail && one.head == pf->head,
               "%s: tail %u and head %u in the driver, %u and %u in the controller", doing,
               one.tail, one.head, pf->tail, pf->head);
    }
    nvme_close(&one);
}

static void silence(void)
{
    machine(0);
    now("a command that is never answered");
    wrong.mute = NVME_IDENTIFY;
    uint64_t before = clock_microseconds();
    enum status status = nvme_identify(&one, NVME_ID_CONTROLLER, 0);
    unsigned took = (unsigned)((clock_microseconds() - before) / 1000);
    expect(status == STATUS_TIMEOUT && one.dead,
           "%s: it says %s; complete() returns false, and the controller is never asked again",
           doing, status_name(status));
    expect(took >= 2000 && took < 2200, "%s: given up after %u ms; COMMAND_TIME is two seconds",
           doing, took);
}

void lab_check(void)
{
    rounds(0);
    rounds(seeded("stride", 1, 5, 2));
    silence();
}
