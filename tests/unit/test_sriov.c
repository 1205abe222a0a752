/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_sriov.c hypervisor/setup/pci_sriov_ids.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/pci/acs.c hypervisor/setup/pci_acs.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* SR-IOV: counts, ids, placement and order, with honest and hostile capability images. */
#include <string.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_sriov.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/sriov_card.h"

static const struct mcfg mcfg = {
    .count = 1,
    .segment = {{.base = 0xa0000000, .segment = 0, .start_bus = 0, .end_bus = 255}},
};

/* As the 82576 has it. */
static const struct model_sriov igb = {
    .offset = 0x160,
    .total = 8,
    .initial = 8,
    .first_offset = 0x80,
    .stride = 2,
    .vf_device = 0x10ca,
    .supported_pages = 0x553,
    .bar = {[0] = {.size = 0x4000, .is_64bit = true, .prefetchable = true},
            [3] = {.size = 0x4000, .is_64bit = true, .prefetchable = true}},
};

static struct model_function *port, *device;
static struct pci_function *pf;
static struct sriov sriov;

static int fresh(void **state)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    port = device = NULL;
    pf = NULL;
    return 0;
}

static void add_port(unsigned flags)
{
    port = sriov_port(flags != 0);
}

static void add_pf(rid_t rid, const struct model_sriov *capability)
{
    device = sriov_card(rid, capability);
}

static void enumerate(void)
{
    assert_int_equal(pci_enumerate(&mcfg, NULL), STATUS_OK);
    pf = pci_function_find(device->rid);
    assert_non_null(pf);
}

static void standard(const struct model_sriov *capability)
{
    add_port(1);
    add_pf(RID(0, 1, 0, 0), capability);
    enumerate();
}

static enum status bring_up(uint16_t vfs)
{
    enum status status = sriov_probe(pf, &sriov);
    if (status == STATUS_OK)
        status = sriov_enable(&sriov, vfs);
    if (status == STATUS_OK)
        status = sriov_verify(&sriov);
    return status;
}

static void vfs_redirect_what_they_send_each_other(void **state)
{
    struct model_sriov capability = igb;
    capability.vf_acs = 0x004c;
    standard(&capability);
    acs_enable_all(); /* before there are any */
    assert_int_equal(bring_up(2), STATUS_OK);
    for (uint16_t i = 0; i < 2; i++)
        assert_int_equal(model_get(model_find(sriov_vf_rid(&sriov, i)), 0x106, 2), 0x000c);
}

static void vfs_come_up_in_order(void **state)
{
    standard(&igb);
    uint64_t before = clock_microseconds();
    assert_int_equal(bring_up(7), STATUS_OK);
    assert_in_range(clock_microseconds() - before, 100000, 300000);
    assert_string_equal(model_last_violation(), "");
    assert_true(sriov.ari);
    assert_int_equal(model_get(port, 0x54 + 0x28, 2) & 0x20, 0x20); /* ARI forwarding */
    assert_int_equal(model_get(device, 0x168, 2), 0x19);            /* ARI, VF MSE, VFE */
    assert_int_equal(model_get(device, 0x170, 2), 7);
    assert_int_equal(model_get(device, 0x180, 4), 1);
    static const rid_t rids[] = {0x180, 0x182, 0x184, 0x186, 0x188, 0x18a, 0x18c};
    for (uint16_t i = 0; i < 7; i++) {
        assert_int_equal(sriov_vf_rid(&sriov, i), rids[i]);
        const struct pci_function *vf = pci_function_find(rids[i]);
        assert_non_null(vf);
        assert_true(vf->is_vf);
        assert_int_equal(vf->vendor, 0x8086);
        assert_int_equal(vf->device, 0x10ca);
        assert_int_equal(vf->class_code, 0x020000);
        assert_int_equal(vf->vf_index, i);
        assert_ptr_equal(vf->pf, pf);
        assert_ptr_equal(vf->bridge, pf->bridge);
        assert_int_equal(vf->cap_msix, 0x70);
        assert_int_equal(vf->cap_pcie, 0xa0);
        assert_int_equal(vf->bar[0].base, UINT64_C(0x800000000) + i * 0x4000);
        assert_int_equal(vf->bar[3].base, UINT64_C(0x800020000) - 0x4000 + i * 0x4000);
        assert_int_equal(vf->owner, OWNER_NOBODY);
        assert_int_equal(model_get(model_find(rids[i]), 4, 2) & 4, 0);
    }
    assert_null(pci_function_find(0x18e));
    assert_int_equal(pf->owner, OWNER_HYPERVISOR);
    assert_int_equal(host_log_count("sriov.enabled", "pf=01:00.0 vfs=7 total=8"), 1);
    assert_int_equal(host_log_count("sriov.vf", "rid=01:10.0 bar0=0x800000000"), 1);
    assert_int_equal(host_log_count("sriov.vf", NULL), 7);
}

static void counts_out_of_range_are_refused(void **state)
{
    standard(&igb);
    assert_int_equal(sriov_probe(pf, &sriov), STATUS_OK);
    assert_int_equal(sriov_enable(&sriov, 0), STATUS_INVALID);
    assert_int_equal(sriov_enable(&sriov, 9), STATUS_INVALID);
    assert_int_equal(sriov_enable(&sriov, 0x108), STATUS_INVALID); /* not an 8-bit number */
    assert_int_equal(host_log_count("sriov.refused", "9 VFs requested; 1 to 8 are possible"), 1);
    assert_int_equal(model_get(device, 0x168, 2) & 1, 0);
    assert_int_equal(model_violations(), 0);
    assert_int_equal(sriov_enable(&sriov, 8), STATUS_OK);
    assert_int_equal(sriov_enable(&sriov, 8), STATUS_BUSY); /* twice */
    assert_int_equal(model_violations(), 0);
}

static void refuse_image(const struct model_sriov *image, const char *part)
{
    fresh(NULL);
    standard(image);
    assert_int_not_equal(bring_up(2), STATUS_OK);
    assert_int_equal(host_log_count("sriov.refused", part), 1);
    assert_int_equal(model_get(device, 0x168, 2) & 9, 0);
    assert_int_equal(model_get(device, 0x170, 2), 0);
    assert_int_equal(pci_function_count(), 2);
    assert_string_equal(model_last_violation(), "");
}

static void hostile_images_are_refused(void **state)
{
    struct model_sriov image = igb;
    image.total = 0;
    refuse_image(&image, "offers no VFs");
    image = igb;
    image.initial = 9;
    refuse_image(&image, "InitialVFs");
    image = igb;
    image.stride = 0;
    refuse_image(&image, "stride 0");
    image = igb;
    image.first_offset = 0; /* VF 0 is the PF */
    refuse_image(&image, "requester id of another function");
    image = igb;
    image.supported_pages = 0x552;
    refuse_image(&image, "4 KiB pages");
    image = igb;
    image.vf_device = 0xffff;
    refuse_image(&image, "VF device id");
    image = igb;
    image.first_offset = 0xff00; /* past bus 255 */
    refuse_image(&image, "past bus 255");
    image = igb;
    image.first_offset = 0x300; /* bus 4: behind another port */
    refuse_image(&image, "not forwarded");
    image = igb;
    image.bar[0].io = true;
    image.bar[0].is_64bit = image.bar[0].prefetchable = false;
    refuse_image(&image, "I/O BAR");
    image = igb;
    image.bar[0].size = 0x400; /* four VFs in a page */
    refuse_image(&image, "share a page");
    image = igb;
    image.refuses_num_vfs = true;
    refuse_image(&image, "does not take the number");
    image = igb;
    image.bar[0].size = GIB(64);
    refuse_image(&image, "fits nowhere");
    image = igb;
    image.silent_vf = 2;
    refuse_image(&image, "does not answer");
}

static void bus_numbers_carry(void **state)
{
    struct model_sriov image = igb;
    image.first_offset = 0xfe;
    image.stride = 1;
    standard(&image);
    assert_int_equal(bring_up(4), STATUS_OK);
    assert_int_equal(sriov_vf_rid(&sriov, 1), RID(0, 1, 31, 7));
    assert_int_equal(sriov_vf_rid(&sriov, 2), RID(0, 2, 0, 0));
    assert_non_null(pci_function_find(RID(0, 2, 0, 1)));
    assert_int_equal(model_violations(), 0);
}

static void a_bus_of_another_bridge_is_refused(void **state)
{
    struct model_sriov image = igb;
    image.first_offset = 0x100;
    add_pf(RID(0, 0, 4, 0), &image); /* on the root bus: VFs would be on bus 1 */
    add_port(0);
    enumerate();
    assert_int_equal(bring_up(1), STATUS_INVALID);
    assert_int_equal(host_log_count("sriov.refused", "belongs to another bridge"), 1);
}

static void offsets_are_read_with_ari_set(void **state)
{
    struct model_sriov image = igb;
    image.first_offset = 4;
    image.stride = 1;
    image.first_offset_without_ari = 0x100;
    standard(&image);
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(sriov_vf_rid(&sriov, 7), RID(0, 1, 1, 3));
}

static void without_ari_in_the_port_device_numbers_end_at_zero(void **state)
{
    add_port(1);
    model_put(port, 0x54 + 0x24, 4, 0);
    add_pf(RID(0, 1, 0, 0), &igb);
    enumerate();
    assert_int_equal(bring_up(2), STATUS_INVALID);
    assert_int_equal(host_log_count("sriov.refused", "need ARI"), 1);
    fresh(NULL);
    struct model_sriov image = igb;
    image.first_offset = 1;
    image.stride = 1;
    add_port(1);
    model_put(port, 0x54 + 0x24, 4, 0);
    add_pf(RID(0, 1, 0, 0), &image);
    enumerate();
    assert_int_equal(bring_up(7), STATUS_OK);
    assert_false(sriov.ari);
    assert_int_equal(sriov_disable(&sriov), STATUS_OK);
    assert_int_equal(sriov_probe(pf, &sriov), STATUS_OK);
    assert_int_equal(sriov_enable(&sriov, 8), STATUS_INVALID); /* VF 7 would be 01:01.0 */
}

static void a_good_place_from_the_firmware_is_kept(void **state)
{
    struct model_sriov image = igb;
    image.bar[0].base = 0xc0100000; /* in the non-prefetchable window */
    image.bar[3].base = UINT64_C(0x800040000);
    standard(&image);
    assert_int_equal(bring_up(2), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, 0xc0100000);
    assert_int_equal(sriov.vf_bar[3].base, UINT64_C(0x800040000));
    assert_int_equal(host_log_count("sriov.placed", NULL), 0);
}

static void bad_places_from_the_firmware_are_corrected(void **state)
{
    struct model_sriov image = igb;
    image.bar[0].base = 0xc0018000; /* over the PF's own BAR 0 with 8 VFs */
    image.bar[3].base = 0xd0000000; /* outside the window */
    standard(&image);
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, UINT64_C(0x800000000));
    assert_int_equal(sriov.vf_bar[3].base, UINT64_C(0x800020000));
    assert_int_equal(host_log_count("sriov.placed", NULL), 2);
    fresh(NULL);
    image.bar[0].base = 0xc0040000;
    image.bar[3].base = 0xc0044000; /* the two overlap once there are two VFs */
    standard(&image);
    assert_int_equal(bring_up(2), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, 0xc0040000);
    assert_int_equal(sriov.vf_bar[3].base, UINT64_C(0x800000000));
}

static void bars_of_32_bits_stay_below_4g(void **state)
{
    struct model_sriov image = igb;
    image.bar[0].is_64bit = image.bar[3].is_64bit = false;
    standard(&image);
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, 0xc0020000); /* after the PF's BAR 0 */
    assert_int_equal(sriov.vf_bar[3].base, 0xc0040000);
}

static void a_full_window_grows(void **state)
{
    struct model_sriov image = igb;
    image.bar[0] = (struct model_bar){.size = MIB(1)};
    image.bar[3] = (struct model_bar){0};
    add_port(0);
    struct model_function *next = model_bridge(RID(0, 0, 2, 0), 4, 4);
    model_window(next, false, 0xc0a00000, 0xc0afffff);
    add_pf(RID(0, 1, 0, 0), &image);
    enumerate();
    assert_int_equal(bring_up(8), STATUS_OK); /* 8 MiB: 0xc0200000 up to the neighbour */
    assert_int_equal(sriov.vf_bar[0].base, 0xc0200000);
    assert_int_equal(model_get(port, 0x20, 4), 0xc090c000);
    assert_int_equal(host_log_count("pci.window", "bridge=00:01.0 base=0xc0000000 size=10M"), 1);
}

static void a_window_grows_downwards_when_it_must(void **state)
{
    struct model_sriov image = igb;
    image.bar[0] = (struct model_bar){.size = MIB(1)};
    image.bar[3] = (struct model_bar){0};
    add_port(0);
    model_window(model_bridge(RID(0, 0, 2, 0), 4, 4), false, 0xc0200000, 0xc02fffff);
    struct model_function *low = model_endpoint(RID(0, 0, 5, 0), 0x1234, 1, 0x030000);
    model_bar(low, 0, (struct model_bar){.size = MIB(16), .base = 0xbe000000});
    add_pf(RID(0, 1, 0, 0), &image);
    enumerate();
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, 0xbf800000);
    assert_int_equal(model_get(port, 0x20, 4), 0xc010bf80);
    fresh(NULL); /* the same with the neighbour below as well: nowhere */
    add_port(0);
    model_window(model_bridge(RID(0, 0, 2, 0), 4, 4), false, 0xc0200000, 0xc02fffff);
    low = model_endpoint(RID(0, 0, 5, 0), 0x1234, 1, 0x030000);
    model_bar(low, 0, (struct model_bar){.size = MIB(32), .base = 0xbe000000});
    add_pf(RID(0, 1, 0, 0), &image);
    enumerate();
    assert_int_equal(bring_up(8), STATUS_NO_MEMORY);
    assert_int_equal(model_get(port, 0x20, 4), 0xc010c000);
    assert_int_equal(host_log_count("sriov.refused", "bar=0 vfs=8 size=8M"), 1);
}

static void a_closed_window_is_opened(void **state)
{
    struct model_sriov image = igb;
    port = model_bridge(RID(0, 0, 1, 0), 1, 3);
    model_pcie(port, 0x54, PCIE_TYPE_ROOT_PORT, false);
    add_pf(RID(0, 1, 0, 0), &image);
    model_bar(device, 0, (struct model_bar){0});
    model_put(device, 0x10, 4, 0);
    struct model_function *other = model_endpoint(RID(0, 0, 5, 0), 0x1234, 1, 0x030000);
    model_bar(other, 0, (struct model_bar){.size = MIB(16), .base = 0xc1000000});
    model_frame(MIB(1), 0xc0000000 - MIB(1), OWNER_NOBODY);
    model_frame(0xc2000000, MIB(2), OWNER_FIRMWARE);
    enumerate();
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, 0xc2200000); /* past the BAR and the firmware's range */
    assert_int_equal(sriov.vf_bar[3].base, 0xc2220000);
    assert_int_equal(model_get(port, 4, 2) & 2, 2);
}

static void on_the_root_bus_only_proven_holes_are_used(void **state)
{
    struct model_sriov image = igb;
    image.bar[0] = (struct model_bar){.size = MIB(1)};
    image.bar[3] = (struct model_bar){0};
    model_frame(MIB(1), 0x80000000 - MIB(1), OWNER_NOBODY);
    model_frame(0xfc000000, MIB(64), OWNER_FIRMWARE);
    add_pf(RID(0, 0, 4, 0), &image);
    model_bar(device, 0, (struct model_bar){.size = 0x20000, .base = 0x9ffe0000});
    enumerate();
    assert_int_equal(bring_up(8), STATUS_OK);
    /* ECAM lies at 0xa0000000 .. 0xafffffff. */
    assert_int_equal(sriov.vf_bar[0].base, 0xb0000000);
    fresh(NULL); /* firmware that packs everything at the top */
    model_frame(MIB(1), 0xef000000 - MIB(1), OWNER_NOBODY);
    add_pf(RID(0, 0, 4, 0), &image);
    model_bar(device, 0, (struct model_bar){.size = 0x20000, .base = 0xfeba0000});
    enumerate();
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(sriov.vf_bar[0].base, 0xef000000);
    fresh(NULL);
    image.bar[0].size = MIB(256); /* 2 GiB in all */
    model_frame(MIB(1), 0x80000000 - MIB(1), OWNER_NOBODY);
    add_pf(RID(0, 0, 4, 0), &image);
    enumerate();
    assert_int_equal(bring_up(8), STATUS_NO_MEMORY);
}

static void two_pfs_do_not_collide(void **state)
{
    struct model_sriov image = igb;
    image.bar[0].base = image.bar[3].base = 0;
    add_port(1);
    add_pf(RID(0, 1, 0, 0), &image);
    model_put(device, 0x0e, 1, 0x80);
    struct model_function *first = device;
    image.first_offset = 0x80;
    add_pf(RID(0, 1, 0, 1), &image);
    model_bar(device, 0, (struct model_bar){.size = 0x20000, .base = 0xc0020000});
    enumerate();
    struct pci_function *pf0 = pci_function_find(first->rid);
    struct sriov one, two;
    assert_int_equal(sriov_probe(pf0, &one), STATUS_OK);
    assert_int_equal(sriov_probe(pf, &two), STATUS_OK);
    assert_int_equal(sriov_enable(&one, 8), STATUS_OK);
    assert_int_equal(sriov_enable(&two, 8), STATUS_OK); /* before the first has finished */
    assert_int_equal(sriov_verify(&one), STATUS_OK);
    assert_int_equal(sriov_verify(&two), STATUS_OK);
    assert_int_equal(one.vf_bar[0].base, UINT64_C(0x800000000));
    assert_int_equal(two.vf_bar[0].base, UINT64_C(0x800040000));
    assert_int_equal(pci_function_count(), 3 + 16);
    assert_int_equal(model_violations(), 0);
}

static void vfs_go_away_again(void **state)
{
    standard(&igb);
    assert_int_equal(bring_up(4), STATUS_OK);
    struct pci_function *vf = pci_function_find(0x182);
    vf->owner = OWNER_GUEST(1);
    assert_int_equal(sriov_disable(&sriov), STATUS_BUSY);
    assert_int_equal(model_get(device, 0x168, 2) & 1, 1);
    vf->owner = OWNER_NOBODY;
    uint64_t before = clock_microseconds();
    assert_int_equal(sriov_disable(&sriov), STATUS_OK);
    assert_true(clock_microseconds() - before >= 1000000);
    assert_int_equal(pci_function_count(), 2);
    assert_int_equal(pf->owner, OWNER_NOBODY);
    assert_int_equal(bring_up(8), STATUS_OK);
    assert_int_equal(pci_function_count(), 10);
    assert_int_equal(sriov.vf_bar[0].base, UINT64_C(0x800000000));
    assert_int_equal(model_violations(), 0);
}

static void a_guests_pf_is_left_alone(void **state)
{
    standard(&igb);
    pf->owner = OWNER_GUEST(0);
    unsigned writes = model_writes();
    assert_int_equal(sriov_probe(pf, &sriov), STATUS_BUSY);
    assert_int_equal(model_writes(), writes);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vfs_come_up_in_order),
        TEST(vfs_redirect_what_they_send_each_other),
        TEST(counts_out_of_range_are_refused),
        TEST(hostile_images_are_refused),
        TEST(bus_numbers_carry),
        TEST(a_bus_of_another_bridge_is_refused),
        TEST(offsets_are_read_with_ari_set),
        TEST(without_ari_in_the_port_device_numbers_end_at_zero),
        TEST(a_good_place_from_the_firmware_is_kept),
        TEST(bad_places_from_the_firmware_are_corrected),
        TEST(bars_of_32_bits_stay_below_4g),
        TEST(a_full_window_grows),
        TEST(a_window_grows_downwards_when_it_must),
        TEST(a_closed_window_is_opened),
        TEST(on_the_root_bus_only_proven_holes_are_used),
        TEST(two_pfs_do_not_collide),
        TEST(vfs_go_away_again),
        TEST(a_guests_pf_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
