/* SPDX-License-Identifier: MIT */
// SOURCES: tests/tools/vmx_check.c hypervisor/vcpu/state.c
/* The rules of SDM 3C 27.3.1: good states pass, and each broken rule is named. */
#include <string.h>

#include "hypervisor/vcpu/vmx/registers.h"
#include "hypervisor/x86/registers.h"
#include "tests/tools/vmx_check.h"
#include "tests/unit/support/host.h"

static struct vmx_guest_view real_mode(void)
{
    struct vmx_guest_view view = {
        .entry_controls = 0xd1ff,
        .link_pointer = ~UINT64_C(0),
        .cr0_fixed0 = 0x80000021,
        .cr0_fixed1 = 0xffffffff,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3727ff,
        .physical_bits = 40,
    };
    vcpu_state_sipi(&view.state, 0x9f);
    view.state.cr0 = CR0_NE | CR0_ET;
    view.state.cr4 = CR4_VMXE;
    return view;
}

static struct vmx_guest_view protected_mode(void)
{
    struct vmx_guest_view view = real_mode();
    vcpu_state_pvh(&view.state, 0x100000);
    view.state.cr0 |= CR0_NE;
    view.state.cr4 = CR4_VMXE;
    return view;
}

static struct vmx_guest_view long_mode(void)
{
    struct vmx_guest_view view = protected_mode();
    view.entry_controls |= ENTRY_IA32E_GUEST;
    view.state.cr0 |= CR0_PG;
    view.state.cr4 |= CR4_PAE;
    view.state.efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    view.state.cs.attributes = 0xa09b;
    view.state.rip = UINT64_C(0xffffffff81000000);
    view.state.fs.base = view.state.gs.base = UINT64_C(0xffff888000000000);
    return view;
}

static struct vmx_guest_view virtual_8086(void)
{
    struct vmx_guest_view view = protected_mode();
    struct vcpu_segment *segments[] = {&view.state.cs, &view.state.ss, &view.state.ds,
                                       &view.state.es, &view.state.fs, &view.state.gs};
    view.state.rflags |= BIT(17);
    view.state.rip = 0x100;
    for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
        *segments[i] = (struct vcpu_segment){
            .selector = 0x1234, .base = 0x12340, .limit = 0xffff, .attributes = 0xf3};
    return view;
}

static void good_states_pass(void **state)
{
    struct vmx_guest_view views[] = {real_mode(), protected_mode(), long_mode(), virtual_8086()};
    for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
        const char *fault = vmx_guest_state_fault(&views[i]);
        if (fault != NULL)
            fail_msg("good state %zu: %s", i, fault);
    }
}

static void unusable_segments_are_not_looked_at(void **state)
{
    struct vmx_guest_view view = long_mode();
    view.state.ds =
        (struct vcpu_segment){.unusable = true, .base = ~UINT64_C(0), .limit = 0xfffff0};
    view.state.ldtr = (struct vcpu_segment){.unusable = true, .selector = 4};
    assert_null(vmx_guest_state_fault(&view));
}

#define REFUSED(make, change, words)                                                               \
    do {                                                                                           \
        struct vmx_guest_view view = make();                                                       \
        change;                                                                                    \
        const char *fault = vmx_guest_state_fault(&view);                                          \
        if (fault == NULL || strstr(fault, words) == NULL)                                         \
            fail_msg("%s: expected \"%s\", got \"%s\"", #change, words, fault ? fault : "-");      \
    } while (0)

static void control_registers_are_checked(void **state)
{
    REFUSED(real_mode, view.state.cr0 &= ~CR0_NE, "CR0 lacks");
    REFUSED(real_mode, view.state.cr0 |= BIT(32), "CR0 has a bit");
    REFUSED(real_mode, view.state.cr0 |= CR0_PG, "CR0.PG is set without");
    REFUSED(real_mode, view.state.cr4 = 0, "CR4 lacks");
    REFUSED(real_mode, view.state.cr4 |= BIT(22), "CR4 has a bit");
    REFUSED(long_mode, view.state.cr0 &= ~CR0_PG, "without CR0.PG");
    REFUSED(long_mode, view.state.cr4 &= ~CR4_PAE, "without CR4.PAE");
    REFUSED(protected_mode, view.state.cr4 |= BIT(17), "CR4.PCIDE");
    REFUSED(protected_mode, view.state.cr3 = BIT(40), "CR3 is beyond");
    REFUSED(protected_mode, view.state.dr7 = BIT(32), "DR7");
    REFUSED(protected_mode, view.state.efer = EFER_SVME, "EFER has a reserved");
    REFUSED(protected_mode, view.state.efer = EFER_LMA, "IA-32e mode guest control");
    REFUSED(long_mode, view.state.efer &= ~EFER_LMA, "IA-32e mode guest control");
    REFUSED(long_mode, view.state.efer &= ~EFER_LME, "differs from EFER.LME");
}

static void segments_are_checked(void **state)
{
    REFUSED(protected_mode, view.state.cs.base = BIT(32), "CS base");
    REFUSED(protected_mode, view.state.cs.unusable = true, "CS is unusable");
    REFUSED(protected_mode, view.state.cs.attributes = 0xc09a, "CS is neither");
    REFUSED(protected_mode, view.state.cs.attributes = 0xc01b, "CS rights lack");
    REFUSED(protected_mode, view.state.cs.attributes = 0xc0f3, "CS is a data segment with a DPL");
    REFUSED(protected_mode, view.state.cs.attributes = 0xc0fb, "CS is non-conforming");
    REFUSED(protected_mode, view.state.cs.attributes = 0xc0ff, "CS is conforming");
    REFUSED(long_mode, view.state.cs.attributes |= 0x4000, "both L and D");
    REFUSED(protected_mode, view.state.cs.limit = 0xfffff000, "CS limit");
    REFUSED(real_mode, view.state.cs.limit = 0x100000, "CS limit");
    REFUSED(real_mode, view.state.ss.attributes |= 0x60;
            view.state.cs.attributes |= 0x60, "SS has a DPL");
    REFUSED(protected_mode, view.state.ss.attributes = 0xc091, "SS is no");
    REFUSED(protected_mode, view.state.ds.base = BIT(32), "DS base");
    REFUSED(protected_mode, view.state.ds.attributes = 0xc092, "DS is no");
    REFUSED(protected_mode, view.state.es.attributes = 0xc099, "ES is no");
    REFUSED(long_mode, view.state.gs.base = BIT(47), "GS base");
    REFUSED(protected_mode, view.state.fs.limit = 0xff000, "FS limit");
    REFUSED(virtual_8086, view.state.cs.base++, "CS does not fit virtual-8086");
    REFUSED(virtual_8086, view.state.gs.limit = 0xfffff, "a data segment does not fit");
}

static void system_segments_are_checked(void **state)
{
    REFUSED(protected_mode, view.state.tr.selector = 4, "TR selects");
    REFUSED(protected_mode, view.state.tr.base = BIT(47), "TR base");
    REFUSED(protected_mode, view.state.tr.unusable = true, "TR is unusable");
    REFUSED(protected_mode, view.state.tr.attributes = 0x89, "TR is not a busy");
    REFUSED(long_mode, view.state.tr.attributes = 0x83, "TR is not a busy");
    REFUSED(protected_mode, view.state.tr.attributes = 0x0b, "TR rights");
    REFUSED(protected_mode, view.state.tr.limit = 0x100000, "TR limit");
    REFUSED(protected_mode, view.state.ldtr.unusable = false;
            view.state.ldtr.attributes = 0x8b, "LDTR is no");
    REFUSED(protected_mode, view.state.ldtr.unusable = false;
            view.state.ldtr.selector = 4, "LDTR selects");
    REFUSED(protected_mode, view.state.idtr_base = BIT(47), "GDTR or IDTR base");
    REFUSED(protected_mode, view.state.gdtr_limit = 0x10000, "GDTR or IDTR limit");
}

static void rip_and_flags_are_checked(void **state)
{
    REFUSED(protected_mode, view.state.rip = BIT(32), "RIP has bits");
    REFUSED(long_mode, view.state.rip = BIT(47), "RIP is not canonical");
    REFUSED(protected_mode, view.state.rflags = 0, "RFLAGS has a reserved");
    REFUSED(protected_mode, view.state.rflags |= BIT(15), "RFLAGS has a reserved");
    REFUSED(long_mode, view.state.rflags |= BIT(17); view.state.rip = 0x100;
            view.state.cs = view.state.ss = view.state.ds = view.state.es = view.state.fs =
                view.state.gs = virtual_8086().state.cs,
            "RFLAGS.VM");
    REFUSED(protected_mode, view.entry_interruption = 0x80000030, "RFLAGS.IF clear");
}

static void non_register_state_is_checked(void **state)
{
    REFUSED(protected_mode, view.activity = 4, "activity");
    REFUSED(protected_mode, view.activity = ACTIVITY_HLT; view.state.ss.attributes |= 0x60;
            view.state.cs.attributes |= 0x60, "halted");
    REFUSED(protected_mode, view.activity = ACTIVITY_HLT; view.interruptibility = 2, "not active");
    REFUSED(protected_mode, view.interruptibility = BIT(5), "reserved bit");
    REFUSED(protected_mode, view.interruptibility = 3, "at once");
    REFUSED(protected_mode, view.interruptibility = 1, "blocking by STI with");
    REFUSED(protected_mode, view.interruptibility = 2; view.entry_interruption = 0x80000030;
            view.state.rflags |= RFLAGS_IF, "interrupt shadow");
    REFUSED(protected_mode, view.interruptibility = 8;
            view.entry_interruption = 0x80000202, "NMIs are blocked");
    REFUSED(protected_mode, view.interruptibility = 2; view.state.rflags |= BIT(8), "BS");
    REFUSED(protected_mode, view.link_pointer = 0, "link pointer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_states_pass),
        cmocka_unit_test(unusable_segments_are_not_looked_at),
        cmocka_unit_test(control_registers_are_checked),
        cmocka_unit_test(segments_are_checked),
        cmocka_unit_test(system_segments_are_checked),
        cmocka_unit_test(rip_and_flags_are_checked),
        cmocka_unit_test(non_register_state_is_checked),
    };
    return cmocka_run_group_tests_name("vmx check", tests, NULL, NULL);
}
