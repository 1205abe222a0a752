/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx_controls.c
/* Choosing VMX controls from the capability MSRs of several CPUs, and refusing by name. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/setup/vmx.h"
#include "hypervisor/setup/vmx_registers.h"
#include "tests/unit/support/host.h"

#define FIRST MSR_VMX_BASIC
#define COUNT 17

static uint64_t msrs[COUNT];
static uint32_t reads; /* bit per MSR that was read */

static uint64_t read_msr(uint32_t msr)
{
    assert_in_range(msr, FIRST, FIRST + COUNT - 1);
    reads |= 1u << (msr - FIRST);
    return msrs[msr - FIRST];
}

static uint64_t *msr(uint32_t number)
{
    return &msrs[number - FIRST];
}

/* Bochs 3.0, corei7_skylake_x: measured. */
static const uint64_t bochs[COUNT] = {
    0x00d810000000002b, 0x000000ff00000016, 0xfff9fffe0401e172, 0x407fffff00036dff,
    0x0000ffff000011ff, 0x00000000600401e0, 0x0000000080000021, 0x00000000ffffffff,
    0x0000000000002000, 0x00000000003727ff, 0x0000000000000050, 0x02577fff00000000,
    0x00000f0106734141, 0x000000ff00000016, 0xfff9fffe04006172, 0x407fffff00036dfb,
    0x0000ffff000011fb,
};

/* KVM's nested VMX without APICv: no UC paging structures, no shutdown state, no PAUSE-loop
 * exiting. */
static const uint64_t kvm[COUNT] = {
    0x00d8100011e57ed0, 0x0000007f00000016, 0xfff9fffe0401e172, 0x003fffff00036dff,
    0x0000f3ff000011ff, 0x0000000020000165, 0x0000000080000021, 0x00000000ffffffff,
    0x0000000000002000, 0x00000000003727ff, 0x000000000000002e, 0x001238ee00000000,
    0x00000f01063340c1, 0x0000007f00000016, 0xfff9fffe04006172, 0x003fffff00036dfb,
    0x0000f3ff000011fb,
};

static enum status choose(const uint64_t *set, struct vmx_controls *controls)
{
    struct vmx_capabilities capabilities;
    if (set != NULL)
        memcpy(msrs, set, sizeof msrs);
    reads = 0;
    host_log_clear();
    vmx_capabilities_read(&capabilities, read_msr);
    return vmx_controls_choose(&capabilities, controls);
}

static void assert_allowed(uint32_t number, uint32_t word)
{
    uint32_t must = (uint32_t)*msr(number), may = (uint32_t)(*msr(number) >> 32);
    assert_int_equal(word & must, must);
    assert_int_equal(word & ~may, 0);
}

static void accepts(const uint64_t *set)
{
    struct vmx_controls controls;
    assert_int_equal(choose(set, &controls), STATUS_OK);
    assert_int_equal(host_log_count("cpu.refused", NULL), 0);
    assert_allowed(MSR_VMX_TRUE_PIN, controls.word[VMX_PIN]);
    assert_allowed(MSR_VMX_TRUE_PRIMARY, controls.word[VMX_PRIMARY]);
    assert_allowed(MSR_VMX_SECONDARY, controls.word[VMX_SECONDARY]);
    assert_allowed(MSR_VMX_TRUE_EXIT, controls.word[VMX_EXIT]);
    assert_allowed(MSR_VMX_TRUE_ENTRY, controls.word[VMX_ENTRY]);

    assert_true(controls.word[VMX_PIN] & PIN_NMI_EXIT);
    assert_true(controls.word[VMX_SECONDARY] & SECONDARY_WBINVD_EXIT);
    assert_true(controls.word[VMX_PIN] & PIN_VIRTUAL_NMI);
    assert_false(controls.word[VMX_PIN] & PIN_EXTERNAL_INTERRUPT_EXIT);
    assert_true(controls.word[VMX_PRIMARY] & PRIMARY_MSR_BITMAPS);
    assert_false(controls.word[VMX_PRIMARY] & PRIMARY_HLT_EXIT);
    assert_false(controls.word[VMX_PRIMARY] & PRIMARY_CR3_LOAD_EXIT);
    assert_true(controls.word[VMX_SECONDARY] & SECONDARY_EPT);
    assert_true(controls.word[VMX_SECONDARY] & SECONDARY_UNRESTRICTED);
    assert_true(controls.word[VMX_SECONDARY] & SECONDARY_VPID);
    assert_false(controls.word[VMX_SECONDARY] & SECONDARY_VMFUNC);
    assert_false(controls.word[VMX_SECONDARY] & SECONDARY_USER_WAIT);
    assert_true(controls.word[VMX_EXIT] & EXIT_LOAD_EFER);
    assert_true(controls.word[VMX_ENTRY] & ENTRY_LOAD_EFER);
    assert_false(controls.word[VMX_ENTRY] & ENTRY_IA32E_GUEST);
}

static void bochs_is_accepted(void **state)
{
    accepts(bochs);
}

static void kvm_is_accepted(void **state)
{
    accepts(kvm);
}

/* Each thing that a CPU may lack or force, the MSR that says so, and the name in the refusal. */
static const struct {
    uint32_t msr;
    uint64_t clear, set;
    const char *control;
} defects[] = {
    {MSR_VMX_TRUE_PIN, PIN_NMI_EXIT << 32, 0, "NMI exiting"},
    {MSR_VMX_TRUE_PIN, 0, PIN_EXTERNAL_INTERRUPT_EXIT, "external-interrupt exiting"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_MSR_BITMAPS << 32, 0, "MSR bitmaps"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_IO_BITMAPS << 32, 0, "I/O bitmaps"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_MWAIT_EXIT << 32, 0, "MWAIT exiting"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_MONITOR_EXIT << 32, 0, "MONITOR exiting"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_RDPMC_EXIT << 32, 0, "RDPMC exiting"},
    {MSR_VMX_TRUE_PRIMARY, 0, PRIMARY_HLT_EXIT, "HLT exiting"},
    {MSR_VMX_TRUE_PRIMARY, 0, PRIMARY_CR3_LOAD_EXIT, "CR3-load exiting"},
    {MSR_VMX_TRUE_PRIMARY, 0, PRIMARY_CR3_STORE_EXIT, "CR3-store exiting"},
    {MSR_VMX_TRUE_PRIMARY, PRIMARY_SECONDARY << 32, 0, "activate secondary controls"},
    {MSR_VMX_SECONDARY, SECONDARY_EPT << 32, 0, "EPT"},
    {MSR_VMX_SECONDARY, SECONDARY_UNRESTRICTED << 32, 0, "unrestricted guest"},
    {MSR_VMX_SECONDARY, 0, SECONDARY_DESCRIPTOR_EXIT, "descriptor-table exiting"},
    {MSR_VMX_TRUE_EXIT, EXIT_HOST_64BIT << 32, 0, "host address-space size"},
    {MSR_VMX_TRUE_EXIT, EXIT_SAVE_EFER << 32, 0, "save IA32_EFER"},
    {MSR_VMX_TRUE_EXIT, EXIT_LOAD_EFER << 32, 0, "load IA32_EFER (exit)"},
    {MSR_VMX_TRUE_EXIT, EXIT_LOAD_PAT << 32, 0, "load IA32_PAT (exit)"},
    {MSR_VMX_TRUE_ENTRY, ENTRY_LOAD_EFER << 32, 0, "load IA32_EFER (entry)"},
    {MSR_VMX_TRUE_ENTRY, ENTRY_LOAD_PAT << 32, 0, "load IA32_PAT (entry)"},
    {MSR_VMX_BASIC, 0, VMX_BASIC_32BIT_ADDRESSES, "64-bit VMCS addresses"},
    {MSR_VMX_BASIC, BITS(53, 50), 0, "write-back VMCS memory"},
    {MSR_VMX_MISC, VMX_MISC_SAVES_LMA, 0, "EFER.LMA stored on exit"},
    {MSR_VMX_EPT_VPID, VMX_EPT_4_LEVELS, 0, "EPT page-walk length 4"},
    {MSR_VMX_EPT_VPID, VMX_EPT_WRITE_BACK, 0, "write-back EPT structures"},
    {MSR_VMX_EPT_VPID, VMX_EPT_INVEPT, 0, "INVEPT"},
    {MSR_VMX_EPT_VPID, VMX_EPT_INVEPT_ALL, 0, "INVEPT"},
};

static void each_defect_is_named(void **state)
{
    const uint64_t *sets[] = {bochs, kvm};
    for (size_t set = 0; set < ARRAY_SIZE(sets); set++)
        for (size_t i = 0; i < ARRAY_SIZE(defects); i++) {
            char expected[160];
            struct vmx_controls controls;
            memcpy(msrs, sets[set], sizeof msrs);
            *msr(defects[i].msr) &= ~defects[i].clear;
            *msr(defects[i].msr) |= defects[i].set;
            assert_int_equal(choose(NULL, &controls), STATUS_UNSUPPORTED);
            snprintf(expected, sizeof expected, "name=vmx control=\"%s\" msr=0x%x value=0x%llx ",
                     defects[i].control, defects[i].msr, (unsigned long long)*msr(defects[i].msr));
            if (host_log_count("cpu.refused", expected) != 1)
                fail_msg("%s is not in: %s", expected, host_log_text());
        }
}

static void a_single_defect_is_the_only_refusal(void **state)
{
    struct vmx_controls controls;
    memcpy(msrs, bochs, sizeof msrs);
    *msr(MSR_VMX_SECONDARY) &= ~(SECONDARY_UNRESTRICTED << 32);
    assert_int_equal(choose(NULL, &controls), STATUS_UNSUPPORTED);
    assert_int_equal(host_log_count("cpu.refused", NULL), 1);

    memcpy(msrs, bochs, sizeof msrs);
    *msr(MSR_VMX_SECONDARY) &= ~(SECONDARY_EPT << 32);
    *msr(MSR_VMX_EPT_VPID) = 0;
    assert_int_equal(choose(NULL, &controls), STATUS_UNSUPPORTED);
    assert_int_equal(host_log_count("cpu.refused", NULL), 1);
}

static void wanted_controls_may_be_missing(void **state)
{
    struct vmx_controls controls;
    memcpy(msrs, bochs, sizeof msrs);
    *msr(MSR_VMX_SECONDARY) &= ~((SECONDARY_VPID | SECONDARY_RDTSCP | SECONDARY_INVPCID |
                                  SECONDARY_XSAVES | SECONDARY_ENCLS_EXIT)
                                 << 32);
    *msr(MSR_VMX_TRUE_PIN) &= ~(PIN_VIRTUAL_NMI << 32);
    assert_int_equal(choose(NULL, &controls), STATUS_OK);
    assert_false(controls.word[VMX_SECONDARY] & SECONDARY_VPID);
    assert_false(controls.word[VMX_PIN] & PIN_VIRTUAL_NMI);
}

static void msrs_that_do_not_exist_are_not_read(void **state)
{
    struct vmx_controls controls;
    memcpy(msrs, bochs, sizeof msrs);
    *msr(MSR_VMX_BASIC) &= ~VMX_BASIC_TRUE_CONTROLS;
    /* The older MSR forces CR3 exits: such a CPU is refused, by the MSR that it has. */
    assert_int_equal(choose(NULL, &controls), STATUS_UNSUPPORTED);
    assert_int_equal(reads >> (MSR_VMX_TRUE_PIN - FIRST), 0);
    assert_int_equal(host_log_count("cpu.refused", "control=\"CR3-load exiting\" msr=0x482 "), 1);

    memcpy(msrs, bochs, sizeof msrs);
    *msr(MSR_VMX_TRUE_PRIMARY) &= ~(PRIMARY_SECONDARY << 32);
    assert_int_equal(choose(NULL, &controls), STATUS_UNSUPPORTED);
    assert_false(reads & 1u << (MSR_VMX_SECONDARY - FIRST));
    assert_false(reads & 1u << (MSR_VMX_EPT_VPID - FIRST));

    memcpy(msrs, bochs, sizeof msrs);
    *msr(MSR_VMX_SECONDARY) &= ~((SECONDARY_EPT | SECONDARY_VPID) << 32);
    assert_int_equal(choose(NULL, &controls), STATUS_UNSUPPORTED);
    assert_false(reads & 1u << (MSR_VMX_EPT_VPID - FIRST));
}

static void firmware_lock_is_understood(void **state)
{
    uint64_t write = 1;
    assert_int_equal(vmx_feature_control_check(5, &write), STATUS_OK);
    assert_int_equal(write, 0);
    assert_int_equal(vmx_feature_control_check(0x100000, &write), STATUS_OK);
    assert_int_equal(write, 0x100005);
    host_log_clear();
    assert_int_equal(vmx_feature_control_check(3, &write), STATUS_DENIED);
    assert_int_equal(write, 0);
    assert_int_equal(host_log_count("cpu.refused", "msr=0x3a value=0x3 "), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bochs_is_accepted),
        cmocka_unit_test(kvm_is_accepted),
        cmocka_unit_test(each_defect_is_named),
        cmocka_unit_test(a_single_defect_is_the_only_refusal),
        cmocka_unit_test(wanted_controls_may_be_missing),
        cmocka_unit_test(msrs_that_do_not_exist_are_not_read),
        cmocka_unit_test(firmware_lock_is_understood),
    };
    return cmocka_run_group_tests_name("vmx controls", tests, NULL, NULL);
}
