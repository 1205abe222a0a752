/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
/* L11, steps 4 and 5: the list of secondary controllers, and one command of Virtualization
 * Management. */
#include "tests/labs/checks/nvme_bench.h"

static struct nvme_controller one;
static uint8_t *list;

static void machine(void)
{
    now("before the first command");
    if (one.dma != NULL)
        nvme_close(&one);
    fresh(NULL);
    one = (struct nvme_controller){.device = &device, .id = MODEL_ID};
    expect(nvme_open(&one) == STATUS_OK && nvme_identify(&one, NVME_ID_SECONDARIES, 0) == STATUS_OK,
           "the controller does not answer: %s", reason());
    list = one.dma->memory + NVME_PAGE_DATA * PAGE_SIZE;
    host_log_clear();
    managements = 0;
}

static void finds(uint16_t vf, unsigned wanted, const char *why)
{
    now("nvme_find_secondary(VF %u)", vf);
    unsigned got = nvme_find_secondary(&one, vf);
    expect(got == wanted, "%s: offset %u, wanted %u; %s (5.17.2.16)", doing, got, wanted, why);
}

static void entry(unsigned index, unsigned id, unsigned primary, unsigned function)
{
    uint8_t *at = list + NVME_SECONDARY(index);
    put16(at, NVME_SECONDARY_ID, id);
    put16(at, NVME_SECONDARY_PRIMARY, primary);
    put16(at, NVME_SECONDARY_FUNCTION, function);
}

static void finding(void)
{
    machine();
    for (uint16_t vf = 0; vf < SECONDARIES; vf++)
        finds(vf, NVME_SECONDARY(SECONDARIES - 1u - vf),
              "entries are in the order of their controllers' ids, which here is not that of the "
              "VFs; VFN "
              "numbers VFs from 1");
    finds(SECONDARIES, 0, "no entry has that VFN, and 0 says so");
    machine();
    entry(0, 40, MODEL_ID + 7, 2);
    entry(1, FIRST + 1, MODEL_ID, 2);
    finds(1, NVME_SECONDARY(1),
          "entry 0 has the VFN and another PCID: it is another primary controller's");
    entry(1, FIRST + 1, MODEL_ID, 3);
    entry(SECONDARIES - 2, FIRST + 1, MODEL_ID, 90);
    finds(1, 0, "entry 0 alone has the VFN, and its PCID is another primary controller's");
    machine();
    list[NVME_SECONDARY_COUNT] = 2;
    finds(0, 0,
          "NUMID is 2, so the list has two entries, and this VFN is in what lies behind them");
    list[NVME_SECONDARY_COUNT + 1] = 1;
    finds(0, 0, "NUMID is 2: it has one byte, and the next one is reserved");
    machine();
    list[NVME_SECONDARY_COUNT] = 255;
    entry(NVME_SECONDARIES, FIRST, MODEL_ID, 31); /* the host gives a fourth page with three */
    finds(30, 0,
          "NUMID is 255, and a list has 127 entries at most: what is behind is not of the page");
}

static void expect_action(enum nvme_action action, enum nvme_resource kind, uint16_t id,
                          uint16_t count)
{
    expect(managements == 1,
           "%s: %u Virtualization Management commands arrived, and one is expected", doing,
           managements);
    const struct managed *got = &managed[0];
    expect(got->action == action && got->kind == kind && got->id == id,
           "%s: CDW10 has action %xh (bits 3:0), resource type %u (10:8), controller %u (31:16); "
           "wanted %xh, %u, %u (5.39)",
           doing, got->action, got->kind, got->id, action, kind, id);
    expect(got->count == count, "%s: CDW11 is %u, and NR, the number of resources, is %u (5.39)",
           doing, got->count, count);
}

static enum status manage_once(enum nvme_action action, enum nvme_resource kind, uint16_t id,
                               uint16_t count)
{
    managements = 0;
    host_log_clear();
    now("nvme_manage(%xh, %s, controller %u, %u)", action, kind_name(kind), id, count);
    return nvme_manage(&one, action, kind, id, count);
}

static void compares_the_result(void)
{
    wrong.fewer = 1;
    enum status status = manage_once(NVME_SECONDARY_ASSIGN, NVME_QUEUES, FIRST + 1, 3);
    expect(status == STATUS_DEVICE && host_log_count("nvme.refused", "other resources") == 1,
           "%s: it says %s and logs \"%s\"; the completion's CDW0 says that 2 were assigned (NRM, "
           "bits 15:0), "
           "and that is refused: STATUS_DEVICE, nvme_refuse() with \"... other resources ...\"",
           doing, status_name(status), reason());
    wrong.fewer = 0u - 1;
    status = manage_once(NVME_SECONDARY_ASSIGN, NVME_QUEUES, FIRST + 1, 3);
    expect(status == STATUS_DEVICE,
           "%s: it says %s; CDW0 says that 4 were assigned, which is another count as well", doing,
           status_name(status));
    wrong.fewer = 0u - 0x50000;
    status = manage_once(NVME_SECONDARY_ASSIGN, NVME_QUEUES, FIRST + 1, 3);
    expect(status == STATUS_OK,
           "%s: it says %s; CDW0 is 50003h: NRM, bits 15:0, is 3, and bits 31:16 are reserved",
           doing, status_name(status));
    wrong.fewer = 0;
}

static void managing(void)
{
    uint16_t queues = (uint16_t)seeded("queues", 2, 5, 4);
    machine();
    enum status status = manage_once(NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, FIRST + 2, 3);
    expect_action(NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, FIRST + 2, 3);
    expect(status == STATUS_DEVICE,
           "%s: it says %s, and the controller refused: the primary one holds all of them", doing,
           status_name(status));
    memset(model.primary, 0, sizeof model.primary);
    status = manage_once(NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, FIRST + 2, 3);
    expect(status == STATUS_OK, "%s: it says %s, and the controller did it%s", doing,
           status_name(status), refused_action());
    status = manage_once(NVME_SECONDARY_ASSIGN, NVME_QUEUES, FIRST, queues);
    expect_action(NVME_SECONDARY_ASSIGN, NVME_QUEUES, FIRST, queues);
    expect(status == STATUS_OK, "%s: it says %s, and the controller did it", doing,
           status_name(status));
    compares_the_result();
    status = manage_once(NVME_SECONDARY_OFFLINE, NVME_QUEUES, FIRST + 3, 7);
    expect(
        status == STATUS_OK,
        "%s: it says %s and logs \"%s\"; a count comes back from 1h and 8h alone, and 7h was done",
        doing, status_name(status), reason());
    nvme_close(&one);
}

void lab_check(void)
{
    finding();
    managing();
}
