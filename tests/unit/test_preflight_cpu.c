/* SPDX-License-Identifier: MIT */
// SOURCES: boot/preflight/processor.c boot/preflight/virtualization.c boot/preflight/threads.c
// SOURCES: boot/preflight/report.c hypervisor/setup/vmx_controls.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c
/* Processors that say this and that; above all: no MSR is read that CPUID does not vouch for. */
#include <string.h>

#include "boot/preflight/preflight.h"
#include "tests/unit/support/host.h"

#define MAX_LEAVES 64
#define MAX_MSRS   32

static struct {
    uint32_t leaf, subleaf;
    struct cpuid_result result;
} leaves[MAX_LEAVES];
static struct {
    uint32_t number;
    uint64_t value;
} msrs[MAX_MSRS];
static size_t leaf_count, msr_count;
static unsigned faults; /* reads of MSRs that are not there */
static struct preflight facts;

static void leaf(uint32_t number, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
                 uint32_t edx)
{
    for (size_t i = 0; i < leaf_count; i++)
        if (leaves[i].leaf == number && leaves[i].subleaf == subleaf) {
            leaves[i].result = (struct cpuid_result){eax, ebx, ecx, edx};
            return;
        }
    leaves[leaf_count].leaf = number;
    leaves[leaf_count].subleaf = subleaf;
    leaves[leaf_count++].result = (struct cpuid_result){eax, ebx, ecx, edx};
}

static void has_msr(uint32_t number, uint64_t value)
{
    msrs[msr_count].number = number;
    msrs[msr_count++].value = value;
}

static struct cpuid_result query(uint32_t number, uint32_t subleaf)
{
    for (size_t i = 0; i < leaf_count; i++)
        if (leaves[i].leaf == number && leaves[i].subleaf == subleaf)
            return leaves[i].result;
    return (struct cpuid_result){0, 0, 0, 0};
}

static uint64_t read_msr(uint32_t number)
{
    for (size_t i = 0; i < msr_count; i++)
        if (msrs[i].number == number)
            return msrs[i].value;
    faults++;
    return 0;
}

static const struct preflight_cpu cpu = {query, read_msr};

#define VMX    BIT(5)
#define X2APIC BIT(21)
#define GUEST  BIT(31)

static void intel(uint32_t signature, uint32_t most, uint32_t features)
{
    leaf(0, 0, most, 0x756e6547, 0x6c65746e, 0x49656e69);
    leaf(1, 0, signature, 0, features, 0x1fcbfbff);
    leaf(0x80000000, 0, 0x80000008, 0, 0, 0);
    leaf(0x80000001, 0, 0, 0, 0, 1u << 20);
    leaf(0x80000002, 0, 0x22205641, 0x5c, 0, 0); /* A" and a backslash */
    leaf(0x80000008, 0, 0x3027, 0, 0, 0);
}

static void vmx_msrs(uint64_t feature_control)
{
    static const struct {
        uint32_t number;
        uint64_t value;
    } usual[] = {
        {0x480, 0x00d8040000000001 | BIT(55)},
        {0x485, BIT(5)},
        {0x486, 0x80000021},
        {0x487, 0xffffffff},
        {0x488, 0x2000},
        {0x489, 0x3727ff},
        {0x48d, UINT64_C(0x000000ff00000016)},
        {0x48e, UINT64_C(0xfff9fffe04006172)},
        {0x48b, UINT64_C(0x00ffffff00000000)},
        {0x48c, UINT64_C(0xf0106734141)},
        {0x48f, UINT64_C(0x01ffffff00036dfb)},
        {0x490, UINT64_C(0x0003ffff000011fb)},
    };
    has_msr(0x3a, feature_control);
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
        has_msr(usual[i].number, usual[i].value);
}

static int fresh(void **state)
{
    host_log_clear();
    leaf_count = msr_count = faults = 0;
    memset(&facts, 0, sizeof facts);
    return 0;
}

static void run(void)
{
    preflight_processor(&cpu, &facts);
    preflight_virtualization(&cpu, &facts);
}

static void test_a_usual_intel_cpu(void **state)
{
    intel(0x90672, 0x1f, (uint32_t)(VMX | X2APIC));
    leaf(0xb, 0, 1, 2, 0x100, 0);
    leaf(0x1f, 0, 1, 2, 0x100, 0);
    leaf(0x1f, 1, 7, 16, 0x201, 0);
    vmx_msrs(5);
    has_msr(0x34, 1234);
    has_msr(0x8b, UINT64_C(0x2f00000000));
    run();
    assert_int_equal(faults, 0);
    assert_true(facts.intel && facts.vmx && facts.x2apic && !facts.svm && !facts.under_hypervisor);
    assert_int_equal(facts.smt_shift, 1);
    assert_int_equal(host_log_count("cpu.name",
                                    "vendor=\"GenuineIntel\" family=0x6 model=0x97 stepping=0x2 "
                                    "signature=0x90672 microcode=0x2f"),
                     1);
    assert_int_equal(host_log_count("cpu.name", "brand=\"AV \\\"\\\\\""), 1);
    assert_int_equal(host_log_count("cpu.width", "physical=39 linear=48"), 1);
    assert_int_equal(host_log_count("cpu.lock", "value=0x5 locked=yes vmx=yes"), 1);
    assert_int_equal(host_log_count("cpu.smi", "count=1234"), 1);
    assert_int_equal(host_log_count("cpu.topology", "source=0x1f smt_shift=1 package_shift=7"), 1);
    assert_int_equal(host_log_count("vmx.control", "name=\"EPT\" need=required on=yes off=yes"), 1);
    assert_int_equal(host_log_count("vmx.control", "word=entry"), 6);
    assert_int_equal(host_log_count("cpu.refused", NULL), 0);
}

/* Without the CPUID bits that vouch for them none is read. */
static void test_no_msr_is_read_on_trust(void **state)
{
    static const struct {
        uint32_t signature, most, features;
        bool topology;
    } cpus[] = {
        {0x00673, 0x2, 0, false},                          /* family 6, but before SMI counts */
        {0x1067a, 0xd, (uint32_t)VMX, false},              /* Penryn: no leaf 0Bh; VMX */
        {0x906ea, 0x16, (uint32_t)(X2APIC | GUEST), true}, /* below a hypervisor */
        {0x00f43, 0xb, 0, true},                           /* family 15 */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
        fresh(NULL);
        intel(cpus[i].signature, cpus[i].most, cpus[i].features);
        if (cpus[i].topology)
            leaf(0xb, 0, 1, 2, 0x100, 0);
        if ((cpus[i].features & VMX) != 0)
            vmx_msrs(5);
        has_msr(0x8b, 0);
        run();
        assert_int_equal(faults, 0);
        assert_int_equal(host_log_count("cpu.smi", "count=unknown"), 1);
    }
    /* No MSRs at all. */
    fresh(NULL);
    intel(0x90672, 0x1f, (uint32_t)(VMX | X2APIC));
    leaf(1, 0, 0x90672, 0, (uint32_t)VMX, 0);
    leaf(0xb, 0, 1, 2, 0x100, 0);
    run();
    assert_int_equal(faults, 0);
    assert_false(facts.vmx);
}

static void test_locks(void **state)
{
    intel(0x90672, 0x1f, (uint32_t)(VMX | X2APIC));
    vmx_msrs(1);
    has_msr(0x8b, 0);
    run();
    assert_false(facts.vmx);
    assert_int_equal(host_log_count("cpu.refused", "locked VMX off"), 1);
    fresh(NULL);
    leaf(0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
    leaf(1, 0, 0x800f82, 0, (uint32_t)X2APIC, 0x1fcbfbff);
    leaf(0x80000000, 0, 0x8000001f, 0, 0, 0);
    leaf(0x80000001, 0, 0, 0, 4, 0);
    leaf(0x8000000a, 0, 1, 16, 0, 1);
    has_msr(0xc0010114, 0x18);
    has_msr(0x8b, 0x800820d);
    run();
    assert_int_equal(faults, 0);
    assert_true(!facts.svm && !facts.vmx);
    assert_int_equal(host_log_count("cpu.refused", "switched SVM off and locked it"), 1);
    assert_int_equal(host_log_count("cpu.name", "family=0x17 model=0x8"), 1);
    msrs[0].value = 0;
    run();
    assert_true(facts.svm);
}

/* Leaves that never end, and largest leaves that cannot be. */
static void test_cpuid_that_lies(void **state)
{
    intel(0x90672, 0xffffffff, (uint32_t)(VMX | X2APIC));
    leaf(0x80000000, 0, 0xffffffff, 0, 0, 0);
    for (uint32_t i = 0; i < 12; i++) {
        leaf(0xb, i, 31, 0xffff, 0x200 | i, 0);
        leaf(4, i, 0xff, 1, 1, 1);
    }
    vmx_msrs(5);
    has_msr(0x34, 1);
    has_msr(0x8b, 0);
    has_msr(0x10a, 0);
    run();
    assert_int_equal(faults, 0);
    assert_true(host_log_count("cpu.cpuid", NULL) < 200);
}

static void test_threads(void **state)
{
    facts.madt.cpu_count = 6;
    for (uint32_t i = 0; i < 6; i++)
        facts.madt.apic_id[i] = i;
    preflight_threads(&facts);
    assert_int_equal(host_log_count("cpu.threads", "enabled=6 cores=6 highest_apic_id=0x5"), 1);
    assert_int_equal(host_log_count("cpu.smt", NULL), 0);
    facts.smt_shift = 1;
    preflight_threads(&facts);
    assert_int_equal(host_log_count("cpu.smt", "threads=6 cores=3"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_usual_intel_cpu, fresh),
        cmocka_unit_test_setup(test_no_msr_is_read_on_trust, fresh),
        cmocka_unit_test_setup(test_locks, fresh),
        cmocka_unit_test_setup(test_cpuid_that_lies, fresh),
        cmocka_unit_test_setup(test_threads, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
