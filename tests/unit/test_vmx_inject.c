/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/vcpu/vmx/vmcs.c hypervisor/setup/vmx_errata.c hypervisor/vcpu/state.c
/* Events that are given to a guest, against an array in place of the VMCS. */
#include "tests/unit/support/vmcs_fixture.h"

static void injection_obeys_the_rules(void **state)
{
    fields[VMCS_GUEST_CR0] = CR0_PE;
    fields[VMCS_GUEST_ACTIVITY] = ACTIVITY_HLT;
    vmx_inject(&vcpu, 13, true, 0x18);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000b0d);
    assert_int_equal(fields[VMCS_ENTRY_EXCEPTION_ERROR], 0x18);
    assert_int_equal(fields[VMCS_GUEST_ACTIVITY], ACTIVITY_ACTIVE);

    fields[VMCS_GUEST_CR0] = 0; /* real mode has no error codes */
    vmx_inject(&vcpu, 13, true, 0x18);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x8000030d);

    fields[VMCS_ENTRY_INTERRUPTION] = 0x80000030; /* an interrupt that waits is not lost */
    vmx_inject(&vcpu, 6, false, 0);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000030);

    fields[VMCS_ENTRY_INTERRUPTION] = 0;
    vmx_inject(&vcpu, 2, false, 0);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000202);

    fields[VMCS_ENTRY_INTERRUPTION] = 0;
    fields[VMCS_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_NMI; /* waits for the guest's IRET */
    vmx_inject(&vcpu, 2, false, 0);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0);
    assert_true(fields[VMCS_PRIMARY_CONTROLS] & PRIMARY_NMI_WINDOW);
    fields[VMCS_GUEST_INTERRUPTIBILITY] = 0;
    decode(REASON_NMI_WINDOW);
    assert_int_equal(exit_.kind, EXIT_NMI);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000202);
    assert_false(fields[VMCS_PRIMARY_CONTROLS] & PRIMARY_NMI_WINDOW);

    fields[VMCS_ENTRY_INTERRUPTION] = 0;
    vmx_controls.word[VMX_PIN] &= ~(uint32_t)PIN_VIRTUAL_NMI;
    vmx_inject(&vcpu, 2, false, 0);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0);
}

/* Entries with an NMI fail in the shadow of MOV SS, and on some CPUs in that of STI. */
static void nmi_waits_for_the_end_of_a_shadow(void **state)
{
    static const uint64_t shadows[] = {INTERRUPTIBILITY_STI, INTERRUPTIBILITY_MOV_SS};
    for (size_t i = 0; i < ARRAY_SIZE(shadows); i++) {
        fresh(state);
        fields[VMCS_GUEST_INTERRUPTIBILITY] = shadows[i];
        vmx_inject(&vcpu, 2, false, 0);
        assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0);
        assert_true(fields[VMCS_PRIMARY_CONTROLS] & PRIMARY_NMI_WINDOW);
        fields[VMCS_GUEST_INTERRUPTIBILITY] = 0;
        decode(REASON_NMI_WINDOW);
        assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000202);
        assert_false(fields[VMCS_PRIMARY_CONTROLS] & PRIMARY_NMI_WINDOW);
    }
    fresh(state); /* a CPU that opens the window in the shadow of STI: no wait for ever */
    fields[VMCS_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_STI;
    vmx_inject(&vcpu, 2, false, 0);
    decode(REASON_NMI_WINDOW);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000202);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], 0);
}

/* Faults push RF = 1, NMIs, traps and aborts what is there. */
static void faults_push_rf(void **state)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        bool fault = vector < 32 && vector != 1 && vector != 2 && vector != 3 && vector != 4 &&
                     vector != 8 && vector != 18;
        fresh(state);
        vmx_inject(&vcpu, (uint8_t)vector, false, 0);
        assert_int_equal(fields[VMCS_GUEST_RFLAGS], fault ? 0x10002 : 2);
    }
    fresh(state); /* nothing is pushed for what is not delivered */
    fields[VMCS_ENTRY_INTERRUPTION] = 0x80000030;
    vmx_inject(&vcpu, 6, false, 0);
    assert_int_equal(fields[VMCS_GUEST_RFLAGS], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(injection_obeys_the_rules, fresh),
        cmocka_unit_test_setup(nmi_waits_for_the_end_of_a_shadow, fresh),
        cmocka_unit_test_setup(faults_push_rf, fresh),
    };
    return cmocka_run_group_tests_name("vmx injection", tests, NULL, NULL);
}
