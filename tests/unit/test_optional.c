/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/optional.c hypervisor/assign/pf.c
/* Which groups of code a machine gives back. */
#include <string.h>

#include "hypervisor/assign/pf.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/optional.h"
#include "hypervisor/vcpu/backend.h"
#include "tests/unit/support/host.h"

/* An image in miniature: three parts of each group, of which svm has no data and vmx two pages. */
/* clang-format off */
#define PART(name, bytes) \
    ".balign 4096\n .globl " name "_start, " name "_end\n" \
    name "_start: .zero " bytes "\n" name "_end:\n"
__asm__(".pushsection .data\n .balign 4096\n .globl image_start\n image_start: .zero 4096\n"
        PART("igb_text", "16") PART("nvme_text", "16") PART("svm_text", "16") PART("vmx_text", "4096")
        PART("igb_rodata", "64") PART("nvme_rodata", "64") PART("svm_rodata", "64")
        PART("vmx_rodata", "64")
        PART("igb_data", "16") PART("nvme_data", "16")
        ".balign 4096\n .globl svm_data_start, svm_data_end\n svm_data_start: svm_data_end:\n"
        PART("vmx_data", "4097")
        ".balign 4096\n .popsection\n");
/* clang-format on */
extern const char image_start[], vmx_data_start[], igb_text_start[], svm_data_start[];
extern const char igb_rodata_start[], igb_rodata_end[], nvme_rodata_start[];
extern const char svm_rodata_start[], vmx_rodata_start[];

#define IMAGE_PHYSICAL MIB(16)

const struct vcpu_backend *vcpu_selected;

static struct {
    uint64_t physical, size;
} dropped[16], withheld[16];
static unsigned drops, withholdings;
static uint64_t stays; /* the part there cannot be given back */

uint64_t address_space_drop(uint64_t physical, uintptr_t address, uint64_t size)
{
    assert_int_equal(physical - IMAGE_PHYSICAL, address - (uintptr_t)image_start);
    assert_int_not_equal(size, 0);
    assert_true(IS_ALIGNED(physical | size, PAGE_SIZE));
    if (physical == stays)
        return 0;
    dropped[drops].physical = physical;
    dropped[drops++].size = size;
    return size;
}

void iommu_regions_withhold(uint64_t base, uint64_t size)
{
    withheld[withholdings].physical = base;
    withheld[withholdings++].size = size;
}

static uint64_t place(const char *symbol)
{
    return IMAGE_PHYSICAL + (uint64_t)(symbol - image_start);
}

static bool is_dropped(const char *symbol)
{
    for (unsigned i = 0; i < drops; i++)
        if (place(symbol) - dropped[i].physical < dropped[i].size)
            return true;
    return false;
}

static int start(void **state)
{
    host_log_clear();
    memset(pfs, 0, sizeof pfs);
    vcpu_selected = NULL;
    drops = withholdings = 0;
    stays = 0;
    return 0;
}

static void test_the_other_back_end_goes(void **state)
{
    vcpu_selected = (const void *)svm_rodata_start;
    optional_drop(IMAGE_PHYSICAL);
    assert_true(is_dropped(vmx_rodata_start));
    assert_false(is_dropped(svm_rodata_start));
    assert_int_equal(host_log_count("boot.unused", "name=vmx bytes=16384 "), 1);
    assert_int_equal(host_log_count("boot.unused", "name=igb bytes=12288 "), 1);
    assert_int_equal(host_log_count("boot.unused", "name=svm"), 0);
    assert_int_equal(host_log_count("boot.unused", "free memory"), 3);
    /* Firmware's memory among it stays firmware's. */
    assert_int_equal(withholdings, drops);
    for (unsigned i = 0; i < drops; i++) {
        assert_int_equal(withheld[i].physical, dropped[i].physical);
        assert_int_equal(withheld[i].size, dropped[i].size);
    }

    start(state);
    vcpu_selected = (const void *)(vmx_rodata_start + 8);
    optional_drop(IMAGE_PHYSICAL);
    assert_true(is_dropped(svm_rodata_start));
    assert_false(is_dropped(vmx_rodata_start) || is_dropped(vmx_data_start + 4096));
    assert_int_equal(host_log_count("boot.unused", "name=svm bytes=8192 "), 1); /* it has no data */
}

static void test_without_a_back_end_both_go(void **state)
{
    optional_drop(IMAGE_PHYSICAL);
    assert_true(is_dropped(svm_rodata_start) && is_dropped(vmx_rodata_start));
    assert_true(is_dropped(vmx_data_start + 4096));
    assert_int_equal(host_log_count("boot.unused", "name="), 4);
}

/* A driver stays that has a PF with VFs. */
static void test_drivers(void **state)
{
    pfs[1] = (struct pf){.device.driver = (const void *)igb_rodata_start, .split = true};
    pfs[7] = (struct pf){.device.driver = (const void *)nvme_rodata_start, .split = false};
    optional_drop(IMAGE_PHYSICAL);
    assert_false(is_dropped(igb_rodata_start) || is_dropped(igb_text_start));
    assert_true(is_dropped(nvme_rodata_start));

    start(state);
    pfs[7] = (struct pf){.device.driver = (const void *)nvme_rodata_start, .split = true};
    optional_drop(IMAGE_PHYSICAL);
    assert_false(is_dropped(nvme_rodata_start));
    assert_true(is_dropped(igb_rodata_start));

    start(state);
    pfs[0] = (struct pf){.device.driver = (const void *)igb_rodata_end, .split = true};
    optional_drop(IMAGE_PHYSICAL);
    assert_true(is_dropped(igb_rodata_start));
}

static void test_what_cannot_be_given_back_is_said(void **state)
{
    stays = place(igb_text_start);
    optional_drop(IMAGE_PHYSICAL);
    assert_false(is_dropped(igb_text_start));
    assert_true(is_dropped(igb_rodata_start));
    assert_int_equal(host_log_count("boot.unused", "name=igb bytes=8192 message=\"this machine has "
                                                   "no use of it, but it could not all"),
                     1);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_other_back_end_goes),
        TEST(test_without_a_back_end_both_go),
        TEST(test_drivers),
        TEST(test_what_cannot_be_given_back_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
