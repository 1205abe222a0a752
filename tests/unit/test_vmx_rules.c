/* SPDX-License-Identifier: MIT */
// SOURCES: tests/tools/vmx_rules.c tests/tools/vmx_view.c tests/tools/vmcs_names.c
/* The rules of SDM 3C 27.2: what Bulkhead writes passes, and each broken rule names its field. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/x86/registers.h"
#include "tests/tools/vmx_view.h"
#include "tests/unit/support/host.h"

static struct vmx_view view;

static const char cpu_lines[][300] = {
    "[0.1] vmx.fixed cr0=0x80000021:0xffffffff cr4=0x2000:0x3727ff physical_bits=40",
    "[0.1] vmx.allowed pin=0x48d:0x16:0xff primary=0x48e:0x4006172:0xfff9fffe "
    "secondary=0x48b:0:0x1257ffff exit=0x48f:0x36dfb:0x407fffff entry=0x490:0x11fb:0xffff",
};

/* As the log of a run in Bochs had them. */
static const struct {
    uint32_t field;
    uint64_t value;
} good[] = {
    {VMCS_HOST_ES_SELECTOR, 0x10},
    {VMCS_HOST_CS_SELECTOR, 8},
    {VMCS_HOST_SS_SELECTOR, 0x10},
    {VMCS_HOST_DS_SELECTOR, 0x10},
    {VMCS_HOST_FS_SELECTOR, 0},
    {VMCS_HOST_GS_SELECTOR, 0},
    {VMCS_HOST_TR_SELECTOR, 0x18},
    {VMCS_VPID, 1},
    {VMCS_IO_BITMAP_A, 0x2da000},
    {VMCS_IO_BITMAP_B, 0x2db000},
    {VMCS_MSR_BITMAP, 0x2dc000},
    {VMCS_EPT_POINTER, 0x1fc4401e},
    {VMCS_HOST_PAT, 0x7040600070106},
    {VMCS_HOST_EFER, 0xd00},
    {VMCS_PIN_CONTROLS, 0x3e},
    {VMCS_PRIMARY_CONTROLS, 0xb6006d72},
    {VMCS_CR3_TARGET_COUNT, 0},
    {VMCS_EXIT_CONTROLS, 0x3f6fff},
    {VMCS_ENTRY_CONTROLS, 0xd1ff},
    {VMCS_ENTRY_INTERRUPTION, 0},
    {VMCS_SECONDARY_CONTROLS, 0x1010ea},
    {VMCS_HOST_CR0, 0x80010033},
    {VMCS_HOST_CR3, 0x1fc17000},
    {VMCS_HOST_CR4, 0x142660},
    {VMCS_HOST_FS_BASE, 0},
    {VMCS_HOST_GS_BASE, 0xffffffff8015ab00},
    {VMCS_HOST_TR_BASE, 0xffffffff801650e8},
    {VMCS_HOST_GDTR_BASE, 0xffffffff801650c0},
    {VMCS_HOST_IDTR_BASE, 0xffffffff80164000},
    {VMCS_HOST_SYSENTER_ESP, 0},
    {VMCS_HOST_SYSENTER_EIP, 0},
    {VMCS_HOST_RIP, 0xffffffff800b9c76},
};

static int fresh(void **state)
{
    vmx_view_clear(&view);
    for (size_t i = 0; i < ARRAY_SIZE(cpu_lines); i++)
        assert_true(vmx_view_read_cpu(&view, cpu_lines[i]));
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        view.value[good[i].field] = good[i].value;
        view.known[good[i].field] = true;
    }
    return 0;
}

static const char *fault(void)
{
    static char text[300];
    return vmx_controls_fault(&view, text, sizeof text) ||
                   vmx_host_state_fault(&view, text, sizeof text) ||
                   vmx_host_state_useless(&view, text, sizeof text)
               ? text
               : NULL;
}

static void what_the_hypervisor_writes_passes(void **state)
{
    if (fault() != NULL)
        fail_msg("%s", fault());
}

static void each_broken_rule_names_its_field(void **state)
{
    static const struct {
        uint32_t field;
        uint64_t value;
        const char *says;
    } cases[] = {
        {VMCS_PIN_CONTROLS, 0x28,
         "pin-based controls are 0x28; SDM 3C 27.2.1.1 wants bit 1 to be 1"},
        {VMCS_PIN_CONTROLS, 0x13e,
         "pin-based controls are 0x13e; SDM 3C 27.2.1.1 wants bit 8 to be 0"},
        {VMCS_PIN_CONTROLS, 0x36, "NMI exiting (bit 3) with virtual NMIs"},
        {VMCS_PRIMARY_CONTROLS, 0xb6006d70,
         "wants bit 1 to be 1, as this CPU fixes it (MSR 0x48e)"},
        {VMCS_SECONDARY_CONTROLS, 0xf01010ea,
         "wants bit 29 to be 0, as this CPU fixes it (MSR 0x48b)"},
        {VMCS_SECONDARY_CONTROLS, 0x1010e8, "enable EPT (bit 1) with unrestricted guest (bit 7)"},
        {VMCS_SECONDARY_CONTROLS, 0x1010fa, "no virtual APIC (bits 4, 8, 9) without TPR shadow"},
        {VMCS_EXIT_CONTROLS, 0x3f6dff, "host address-space size"},
        {VMCS_EXIT_CONTROLS, 0, "VM-exit controls are 0; SDM 3C 27.2.1.2 wants bit 0 to be 1"},
        {VMCS_ENTRY_CONTROLS, 0xd1fe & ~1u, "VM-entry controls"},
        {VMCS_ENTRY_CONTROLS, 0xd5ff, "neither entry to SMM"},
        {VMCS_CR3_TARGET_COUNT, 5, "CR3-target count is 0x5; SDM 3C 27.2.1.1 wants at most 4"},
        {VMCS_IO_BITMAP_A, 0x2da001, "address of I/O bitmap A is 0x2da001"},
        {VMCS_IO_BITMAP_B, BIT(40), "address of I/O bitmap B is 0x10000000000"},
        {VMCS_MSR_BITMAP, 0x800, "address of MSR bitmaps is 0x800"},
        {VMCS_VPID, 0, "a VPID that is not 0"},
        {VMCS_EPT_POINTER, 0x1fc44019, "memory type 0 or 6"},
        {VMCS_EPT_POINTER, 0x1fc44006, "3 in bits 5:3"},
        {VMCS_EPT_POINTER, 0x1fc4411e, "0 in bits 11:8"},
        {VMCS_ENTRY_INTERRUPTION, 0x80000120, "VM-entry interruption-information field"},
        {VMCS_ENTRY_INTERRUPTION, 0x80000203, "VM-entry interruption-information field"},
        {VMCS_HOST_CR0, 0x80010013, "host CR0 is 0x80010013; SDM 3C 27.2.2 wants"},
        {VMCS_HOST_CR4, 0x140660, "host CR4 is 0x140660; SDM 3C 27.2.2 wants"},
        {VMCS_HOST_CR4, 0x142640, "27.2.4 wants PAE"},
        {VMCS_HOST_CR3, BIT(45), "host CR3 is 0x200000000000"},
        {VMCS_HOST_SYSENTER_EIP, BIT(50), "host IA32_SYSENTER_EIP"},
        {VMCS_HOST_PAT, 2, "host IA32_PAT is 0x2"},
        {VMCS_HOST_EFER, 0x1d00, "reserved bits clear"},
        {VMCS_HOST_EFER, 0x800, "LMA (bit 10) and LME (bit 8)"},
        {VMCS_HOST_SS_SELECTOR, 0x13, "host SS selector is 0x13; SDM 3C 27.2.3 wants RPL and TI"},
        {VMCS_HOST_CS_SELECTOR, 0, "a CS that is not 0"},
        {VMCS_HOST_TR_SELECTOR, 0, "host TR selector is 0; SDM 3C 27.2.3 wants a TR that is not 0"},
        {VMCS_HOST_GS_BASE, BIT(55), "host GS base"},
        {VMCS_HOST_IDTR_BASE, BIT(47), "host IDTR base"},
        {VMCS_HOST_RIP, BIT(62), "host RIP is 0x4000000000000000; SDM 3C 27.2.4"},
        {VMCS_HOST_RIP, 0, "host RIP is 0; the first exit continues there"},
        {VMCS_HOST_GDTR_BASE, 0, "host GDTR base is 0; after an exit"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(NULL);
        view.value[cases[i].field] = cases[i].value;
        const char *said = fault();
        if (said == NULL || strstr(said, cases[i].says) == NULL)
            fail_msg("%s = %#llx: %s, not %s", vmcs_field_name(cases[i].field),
                     (unsigned long long)cases[i].value, said != NULL ? said : "nothing",
                     cases[i].says);
    }
}

static void what_was_not_written_is_told_from_what_was_not_logged(void **state)
{
    view.known[VMCS_HOST_TR_SELECTOR] = false;
    assert_string_equal(fault(), "host TR selector was never written; SDM 3C 27.2.3 wants a TR "
                                 "that is not 0");
    view.from_log = true;
    assert_null(fault());
    view.from_log = false;
    fresh(NULL);
    view.known[VMCS_EXIT_CONTROLS] = false;
    assert_non_null(strstr(fault(), "VM-exit controls were never written; SDM 3C 27.2.1.2"));
}

/* Logs whose first lines are gone still name what needs no CPU. */
static void without_boot_lines_only_plain_rules_are_judged(void **state)
{
    struct vmx_view *bare = &view;
    memset(bare->allowed, 0, sizeof bare->allowed);
    bare->cr0_fixed0 = bare->cr4_fixed0 = 0;
    bare->cr0_fixed1 = bare->cr4_fixed1 = ~UINT64_C(0);
    bare->value[VMCS_PIN_CONTROLS] = 0x1fe;
    assert_null(fault());
    bare->value[VMCS_HOST_TR_SELECTOR] = 0;
    assert_non_null(fault());
}

static void rubbish_is_no_state(void **state)
{
    static const char *const lines[] = {
        "vmx.vmcs core=1 fields=\"0x800\"",         "vmx.vmcs core=1 fields=\"=1\"",
        "vmx.vmcs core=1 fields=\"0x99999=1\"",     "vmx.vmcs core=1",
        "vmx.vmcs core=1 fields=\"0x800=zz\"",      "guest.output text=\"vmx.fixed cr0=1\"",
        "vmx.allowed pin=0x48d:0x16 primary=0:0:0", "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_false(vmx_view_read_fields(&view, lines[i]));
        assert_false(vmx_view_read_cpu(&view, lines[i]));
    }
    assert_int_equal(vmx_line_core("[1.2] vmx.vmcs core=17 fields=\""), 17);
    assert_int_equal(vmx_line_core("vmx.vmcs fields=\""), 0);
    assert_null(vmcs_field_name(0x1234));
    assert_string_equal(vmcs_field_name(VMCS_GUEST_ES_RIGHTS + 14), "guest TR access rights");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_hypervisor_writes_passes, fresh),
        cmocka_unit_test_setup(each_broken_rule_names_its_field, fresh),
        cmocka_unit_test_setup(what_was_not_written_is_told_from_what_was_not_logged, fresh),
        cmocka_unit_test_setup(without_boot_lines_only_plain_rules_are_judged, fresh),
        cmocka_unit_test_setup(rubbish_is_no_state, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
