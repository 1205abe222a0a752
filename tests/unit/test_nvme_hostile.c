/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c
// SOURCES: drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/string.c
/* Controllers that do not answer, refuse, or give values that contradict themselves. */
#include "drivers/nvme/setup/nvme_setup_registers.h"
#include "tests/unit/support/nvme_model.h"

/* Refused in bounded time, and the device can reach nothing any more. */
static void refused(enum status status, const char *event, const char *message)
{
    uint64_t before = clock_microseconds();
    size_t pages = pages_in_use();
    assert_int_equal(nvme_pf_setup.start(&device, 2), status);
    assert_true(clock_microseconds() - before < 30000000);
    assert_true(host_log_count(event, message) >= 1);
    assert_false(pf->master);
    assert_null(pf->domain);
    assert_null(pf_dma_at(0));
    assert_int_equal(pages_in_use(), pages);
    assert_false(nvme_pf_driver.service(&device));
}

static void controllers_that_cannot_be_used(void **state)
{
    wrong.never_ready = true;
    refused(STATUS_TIMEOUT, "nvme.refused", "does not start");
    fresh(NULL);
    wrong.gone = true;
    refused(STATUS_DEVICE, "nvme.refused", "registers do not answer");
    fresh(NULL);
    wrong.no_flr = true;
    refused(STATUS_UNSUPPORTED, "nvme.refused", "cannot be reset");
    fresh(NULL);
    model.cap_low = 2u << 24 | 15;
    refused(STATUS_UNSUPPORTED, "nvme.refused", "32 entries");
    fresh(NULL);
    model.cap_high = 1u << 5 | 1u << 16;
    refused(STATUS_UNSUPPORTED, "nvme.refused", "4 KiB pages");
    fresh(NULL);
    model.cap_high = 1u << 5 | 15;
    refused(STATUS_INVALID, "nvme.refused", "doorbells");
    fresh(NULL);
    device.registers_size = 0x1000;
    refused(STATUS_INVALID, "nvme.refused", "BAR 0");
    fresh(NULL);
    assert_int_equal(nvme_pf_setup.start(&device, 0), STATUS_INVALID);
    assert_int_equal(nvme_pf_setup.start(&device, 65), STATUS_INVALID);
}

static void no_memory_to_share(void **state)
{
    wrong.domain_fails = true;
    refused(STATUS_NO_MEMORY, "iommu.refused", "status=full");
    fresh(NULL);
    wrong.map_fails = true;
    refused(STATUS_NO_MEMORY, "iommu.refused", "status=no-memory");
    fresh(NULL);
    wrong.attach_fails = true;
    refused(STATUS_NO_MEMORY, "iommu.refused", "status=denied");
    fresh(NULL);
    host_pages_limit(pages_in_use() + 2);
    refused(STATUS_NO_MEMORY, "iommu.refused", "status=no-memory");
    host_pages_limit(SIZE_MAX);
}

static void commands_that_fail(void **state)
{
    static const int opcodes[] = {NVME_IDENTIFY, NVME_NAMESPACE_ATTACHMENT,
                                  NVME_VIRTUALIZATION_MANAGEMENT};
    for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
        fresh(NULL);
        model.attached[2][MODEL_ID] = true; /* something to detach */
        wrong.refuse = opcodes[i];
        refused(STATUS_DEVICE, "nvme.command", "code=0x1 ");
        fresh(NULL);
        model.attached[2][MODEL_ID] = true;
        wrong.mute = opcodes[i];
        refused(STATUS_TIMEOUT, "nvme.dead", "no answer");
    }
    fresh(NULL);
    wrong.wrong_id = true;
    refused(STATUS_DEVICE, "nvme.dead", "not issued");
    fresh(NULL);
    wrong.wrong_queue = true;
    refused(STATUS_DEVICE, "nvme.dead", "not issued");
}

static uint8_t wrong_what;
static uint16_t wrong_offset;
static uint32_t wrong_value;

static void falsify(unsigned what, uint8_t *data)
{
    if (what == wrong_what)
        put32(data, wrong_offset, wrong_value);
}

static void values_that_contradict_themselves(void **state)
{
    static const struct {
        uint8_t what;
        uint16_t offset;
        uint32_t value;
        enum status status;
        const char *message;
    } cases[] = {
        {NVME_ID_CONTROLLER, NVME_CONTROLLER_OACS, 8, STATUS_UNSUPPORTED, "no Virtualization"},
        {NVME_ID_CONTROLLER, NVME_CONTROLLER_OACS, 128, STATUS_UNSUPPORTED, "Attachment"},
        {NVME_ID_CONTROLLER, NVME_CONTROLLER_ID, 9, STATUS_INVALID, "not its own"},
        {NVME_ID_CONTROLLER, NVME_CONTROLLER_NAMESPACES, 1, STATUS_INVALID, "out of order"},
        {NVME_ID_PRIMARY, NVME_PRIMARY_TYPES, 1, STATUS_INVALID, "no queues or interrupts"},
        {NVME_ID_PRIMARY, NVME_PRIMARY_QUEUES, 3, STATUS_UNSUPPORTED, "fewer VFs"},
        {NVME_ID_PRIMARY, NVME_PRIMARY_INTERRUPTS, 0, STATUS_UNSUPPORTED, "fewer VFs"},
        {NVME_ID_PRIMARY, NVME_PRIMARY_QUEUES + 12, 8u << 16 | 5, STATUS_UNSUPPORTED, "fewer VFs"},
        {NVME_ID_SECONDARIES, 0, 0, STATUS_INVALID, "no entry"},
        {NVME_ID_SECONDARIES, NVME_SECONDARY(3), 9u << 16 | 5, STATUS_INVALID, "no entry"},
        {NVME_ID_SECONDARIES, NVME_SECONDARY(2), 2u << 16 | 5, STATUS_INVALID, "twice"},
        {NVME_ID_SECONDARIES, NVME_SECONDARY(3), 2u << 16 | 2, STATUS_INVALID, "twice"},
        {NVME_ID_ALLOCATED_NAMESPACES, 0, 0, STATUS_NOT_FOUND, "fewer namespaces"},
        {NVME_ID_ALLOCATED_NAMESPACES, 0, 1, STATUS_INVALID, "out of order"},
        {NVME_ID_ALLOCATED_NAMESPACES, 0, UINT32_MAX, STATUS_INVALID, "out of order"},
        {NVME_ID_ATTACHED_CONTROLLERS, 0, 2048, STATUS_INVALID, "longer than a page"},
        {NVME_ID_ATTACHED_CONTROLLERS, 0, 1 | 9u << 16, STATUS_DEVICE, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(NULL);
        wrong_what = cases[i].what;
        wrong_offset = cases[i].offset;
        wrong_value = cases[i].value;
        wrong.falsify = falsify;
        refused(cases[i].status, cases[i].message == NULL ? "nvme.command" : "nvme.refused",
                cases[i].message);
    }
}

static void flexible_resources_that_stay_where_they_are(void **state)
{
    wrong.keeps_flexible = true;
    refused(STATUS_DEVICE, "nvme.refused", "give up");
}

/* The secondary controller list says something else than the answers did. */
static void a_vf_that_is_not_online_as_it_should_be(void **state)
{
    static const struct {
        unsigned offset;
        uint32_t value;
    } cases[] = {
        {NVME_SECONDARY_STATE, 0},
        {NVME_SECONDARY_QUEUES, 4 | 3u << 16},
        {NVME_SECONDARY_QUEUES, 5 | 2u << 16},
        {NVME_SECONDARY_ID, 6 | 2u << 16},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(NULL);
        assert_int_equal(nvme_pf_setup.start(&device, 2), STATUS_OK);
        wrong_what = NVME_ID_SECONDARIES;
        wrong_offset = (uint16_t)(NVME_SECONDARY(3) + cases[i].offset);
        wrong_value = cases[i].value;
        wrong.falsify = falsify;
        assert_int_equal(nvme_pf_setup.vfs_enabled(&device), STATUS_DEVICE);
        assert_int_equal(host_log_count("nvme.refused", "not online"), 1);
    }
}

static void a_vf_that_does_not_come_online_sees_nothing(void **state)
{
    static const int actions[] = {NVME_SECONDARY_OFFLINE, NVME_SECONDARY_ASSIGN,
                                  NVME_SECONDARY_ONLINE};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        fresh(NULL);
        start(2);
        nvme_pf_driver.vf_release(&device, 1);
        host_log_clear();
        wrong.refuse_action = actions[i];
        nvme_pf_driver.vf_reset(&device, 1);
        assert_int_equal(host_log_count("nvme.vf_failed", "vf=1 controller=6"), 1);
        assert_int_equal(attachments(2), 0);
        assert_false(model.secondary[1].online);
        assert_int_equal(attachments(1), 1);
    }
}

/* Before anybody has it, each is asked by its own registers, in a domain of its own. */
static void secondary_controllers_that_may_too_much(void **state)
{
    static const struct {
        uint16_t commands;
        uint32_t capability;
        uint16_t offset;
        uint32_t value;
        const char *offers; /* NULL: nothing that matters */
    } cases[] = {
        {0, 0, 0, 0, NULL},
        {BIT(4) | BIT(5) | BIT(8) | BIT(9), 0, 0, 0, NULL},
        {NVME_OACS_SECURITY, 0, 0, 0, "\"Security Send\""},
        {NVME_OACS_FIRMWARE, 0, 0, 0, "\"Firmware Commit\""},
        {NVME_OACS_NAMESPACES, 0, 0, 0, "\"Namespace Attachment\""},
        {NVME_OACS_MANAGEMENT, 0, 0, 0, "\"NVMe-MI Send\""},
        {NVME_OACS_VIRTUALIZATION, 0, 0, 0, "\"Virtualization Management\""},
        {NVME_OACS_LOCKDOWN, 0, 0, 0, "\"Lockdown\""},
        {0, 0, NVME_CONTROLLER_CTRATT, BIT(11), "\"Capacity Management\""},
        {0, 0, NVME_CONTROLLER_SANICAP, BIT(1), "\"Sanitize\""},
        {NVME_OACS_FORMAT, 0, 0, 0, NULL}, /* of its own */
        {0, 0, NVME_CONTROLLER_FNA, BIT(0), NULL},
        {NVME_OACS_FORMAT, 0, NVME_CONTROLLER_FNA, BIT(0), "\"Format NVM of all namespaces\""},
        {NVME_OACS_FORMAT, 0, NVME_CONTROLLER_FNA, BIT(1), "\"Format NVM of all namespaces\""},
        {NVME_OACS_FORMAT, 0, NVME_CONTROLLER_FNA, BIT(2) | BIT(3) | BIT(8), NULL},
        {0, NVME_CAP_SUBSYS_RESET, 0, 0, "\"NVM Subsystem Reset\""},
        {0, NVME_CAP_PMR | NVME_CAP_CMB, 0, 0,
         "\"Persistent Memory Region, Controller Memory Buffer\""},
        {0xffff, UINT32_MAX & ~0xf00f000fu, NVME_CONTROLLER_FNA, 3,
         "\"Security Send, Firmware Commit, Namespace Attachment, NVMe-MI Send, Virtualization "
         "Management, Lockdown, Format NVM of all namespaces, NVM Subsystem Reset, Persistent "
         "Memory Region, Controller Memory Buffer\""},
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        bool accepted = i % 2 != 0;
        const char *offers = cases[i / 2].offers;
        fresh(NULL);
        device.unsafe_controllers = accepted;
        wrong.vf_commands = cases[i / 2].commands;
        wrong.vf_capability = cases[i / 2].capability;
        wrong.vf_offset = cases[i / 2].offset;
        wrong.vf_value = cases[i / 2].value;
        assert_int_equal(nvme_pf_setup.start(&device, 2), STATUS_OK);
        assert_int_equal(nvme_pf_setup.vfs_enabled(&device),
                         offers == NULL || accepted ? STATUS_OK : STATUS_DENIED);
        assert_int_equal(host_log_count("nvme.refused", offers), offers != NULL && !accepted);
        assert_int_equal(host_log_count("nvme.accepted", offers),
                         offers != NULL && accepted ? 2 : 0);
        for (unsigned vf = 1; vf <= 2; vf++)
            assert_true(!parts[vf].master && parts[vf].domain == NULL && parts[vf].cc == 0);
        assert_int_equal(mappings, 0);
        assert_int_equal(pages_in_use(), 3);
    }
}

static void secondary_controllers_that_do_not_work(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        fresh(NULL);
        assert_int_equal(nvme_pf_setup.start(&device, 1), STATUS_OK);
        wrong.vf_missing = i == 0;
        wrong.vf_unmapped = i == 1;
        wrong.never_ready = i == 2;
        parts[1].function.bar[0].base = i == 3 ? 0 : parts[1].function.bar[0].base;
        assert_int_not_equal(nvme_pf_setup.vfs_enabled(&device), STATUS_OK);
        assert_int_equal(host_log_count("nvme.refused", "does not work"), 1);
        assert_false(parts[1].master);
        assert_int_equal(mappings, 0);
    }
}

/* It is not asked again, whoever wants something of it, and it is off the bus. */
static void a_controller_that_falls_silent_costs_one_wait(void **state)
{
    start(2);
    wrong.mute = NVME_IDENTIFY;
    host_clock_advance(MILLISECONDS(50));
    uint64_t before = clock_microseconds();
    (void)nvme_pf_driver.service(&device);
    assert_true(pci_unusable(device.function));
    assert_in_range(clock_microseconds() - before, 2000000, 2100000);
    assert_false(pf->master);
    assert_int_equal(host_log_count("nvme.dead", "opcode=0x6"), 1);
    before = clock_microseconds();
    unsigned asked = commands;
    for (unsigned i = 0; i < 100; i++) {
        look();
        nvme_pf_driver.vf_reset(&device, 0);
        nvme_pf_driver.vf_release(&device, 0);
    }
    assert_int_equal(commands, asked);
    assert_true(clock_microseconds() - before < 100 * MILLISECONDS(51));
}

static void one_that_does_not_stop_is_cut_off(void **state)
{
    start(1);
    wrong.never_stops = true;
    nvme_pf_setup.stop(&device);
    assert_false(pf->master);
    assert_null(pf->domain);
    assert_int_equal(host_log_count("nvme.refused", "does not stop"), 1);
}

/* The unit may still let it through: its pages are nobody else's until a reboot. */
static void pages_stay_taken_when_the_unit_does_not_confirm(void **state)
{
    start(1);
    size_t before = pages_in_use();
    wrong.detach_fails = true;
    nvme_pf_setup.stop(&device);
    assert_false(pf->master);
    assert_int_equal(pages_in_use(), before);
    assert_int_equal(host_log_count("iommu.domain", "stay allocated"), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(controllers_that_cannot_be_used),
        TEST(no_memory_to_share),
        TEST(commands_that_fail),
        TEST(values_that_contradict_themselves),
        TEST(flexible_resources_that_stay_where_they_are),
        TEST(a_vf_that_is_not_online_as_it_should_be),
        TEST(a_vf_that_does_not_come_online_sees_nothing),
        TEST(secondary_controllers_that_may_too_much),
        TEST(secondary_controllers_that_do_not_work),
        TEST(a_controller_that_falls_silent_costs_one_wait),
        TEST(one_that_does_not_stop_is_cut_off),
        TEST(pages_stay_taken_when_the_unit_does_not_confirm), /* last: it keeps a slot */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
