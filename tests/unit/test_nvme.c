/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c
// SOURCES: drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/base/string.c
/* The NVMe PF driver against a model of a controller: what it sets up, and that nothing is left. */
#include "drivers/nvme/setup/nvme_setup_registers.h"
#include "tests/unit/support/nvme_model.h"

static void it_is_known_by_its_class(void **state)
{
    assert_true(nvme_pf_setup.probe(&pf->function));
    pf->function.class_code = 0x010801;
    assert_false(nvme_pf_setup.probe(&pf->function));
    pf->function.class_code = NVME_CLASS;
    pf->function.is_vf = true;
    assert_false(nvme_pf_setup.probe(&pf->function));
}

static void each_vf_gets_its_share_and_one_namespace(void **state)
{
    model.attached[2][MODEL_ID] = model.attached[2][FIRST + 3] = model.attached[3][FIRST] = true;
    start(2);
    assert_int_equal(resets, 2); /* once more for the flexible resources */
    for (unsigned vf = 0; vf < 2; vf++) {
        assert_true(model.secondary[vf].online);
        assert_int_equal(model.secondary[vf].had[0], 5); /* half of 12, but no more than 5 */
        assert_int_equal(model.secondary[vf].had[1], 3);
        assert_int_equal(attachments(vf + 1), 1);
        assert_true(model.attached[vf + 1][FIRST + vf]);
    }
    assert_int_equal(attachments(3), 0); /* nobody's */
    assert_false(model.secondary[2].online);
    assert_int_equal(host_log_count("nvme.started", "controller=2 vfs=2 queues=5 vectors=3"), 1);
}

static void resources_that_are_free_need_no_second_reset(void **state)
{
    memset(model.primary, 0, sizeof model.primary);
    memset(model.primary_next, 0, sizeof model.primary_next);
    start(3);
    assert_int_equal(resets, 1);
    assert_int_equal(model.secondary[2].had[0], 4);
}

/* The PF has a domain of its own with three pages in it. */
static void the_pf_reaches_its_queues_only(void **state)
{
    size_t before = pages_in_use();
    start(1);
    assert_true(pf->master);
    assert_int_equal(pf->domain->table.table_pages, 3 * PAGE_SIZE); /* the model's: bytes */
    assert_ptr_equal(pf_dma_find(pf->function.rid)->memory, pf->domain->table.root);
    assert_int_equal(pages_in_use(), before + 3);
    nvme_pf_setup.stop(&device);
    assert_false(pf->master);
    assert_null(pf->domain);
    assert_null(pf_dma_at(0));
    assert_int_equal(pages_in_use(), before);
    assert_int_equal(pf->cc, 0);
    assert_false(nvme_pf_driver.service(&device));
}

static void the_queues_go_round(void **state)
{
    start(2);
    unsigned before = commands;
    for (unsigned i = 0; i < 20; i++)
        nvme_pf_driver.vf_reset(&device, 1);
    assert_true(commands > before + 100);
    assert_true(model.secondary[1].online);
    assert_int_equal(host_log_count("nvme.dead", NULL), 0);
}

static void a_vf_without_an_owner_is_offline(void **state)
{
    start(2);
    nvme_pf_driver.vf_release(&device, 1);
    assert_false(model.secondary[1].online);
    assert_int_equal(model.secondary[1].had[0], 0);
    assert_int_equal(attachments(2), 0);
    assert_true(model.secondary[0].online && model.attached[1][FIRST]);
    unsigned before = model.secondary[1].resets;
    nvme_pf_driver.vf_reset(&device, 1);
    assert_true(model.secondary[1].online && model.attached[2][FIRST + 1]);
    assert_int_equal(model.secondary[1].resets, before + 1);
    nvme_pf_driver.vf_reset(&device, 2); /* none in use */
    nvme_pf_driver.vf_release(&device, 2);
    assert_false(model.secondary[2].online);
}

static void looking_is_rare_enough(void **state)
{
    start(2);
    look();
    unsigned before = commands;
    for (unsigned i = 0; i < 1000; i++)
        assert_false(nvme_pf_driver.service(&device));
    assert_int_equal(commands, before);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_known_by_its_class),
        TEST(each_vf_gets_its_share_and_one_namespace),
        TEST(resources_that_are_free_need_no_second_reset),
        TEST(the_pf_reaches_its_queues_only),
        TEST(the_queues_go_round),
        TEST(a_vf_without_an_owner_is_offline),
        TEST(looking_is_rare_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
