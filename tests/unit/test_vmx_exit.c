/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/dump.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmx_view.c hypervisor/base/format.c
// SOURCES: hypervisor/base/text.c
// SOURCES: hypervisor/vcpu/vmx/vmcs.c hypervisor/setup/vmx_errata.c hypervisor/vcpu/state.c
/* Exits, interrupted events and guest state, against an array in place of the VMCS. */
#include "tests/tools/vmx_view.h"
#include "tests/unit/support/vmcs_fixture.h"

static void reasons_become_kinds(void **state)
{
    static const struct {
        uint64_t reason;
        enum exit_kind kind;
        bool length;
    } expected[] = {
        {REASON_TRIPLE_FAULT, EXIT_TRIPLE_FAULT, false},
        {REASON_INIT, EXIT_INIT, false},
        {REASON_TASK_SWITCH, EXIT_TASK_SWITCH, true},
        {REASON_CPUID, EXIT_CPUID, true},
        {REASON_HLT, EXIT_HLT, true},
        {REASON_INVD, EXIT_INVD, true},
        {REASON_WBINVD, EXIT_INVD, true},
        {REASON_RDPMC, EXIT_EXCEPTION, false},
        {REASON_VMCALL, EXIT_HYPERCALL, true},
        {REASON_VMXON, EXIT_UNDEFINED, true},
        {REASON_VMCLEAR, EXIT_UNDEFINED, true},
        {REASON_GETSEC, EXIT_UNDEFINED, true},
        {REASON_MONITOR, EXIT_UNDEFINED, true},
        {REASON_MWAIT, EXIT_UNDEFINED, true},
        {REASON_ENCLS, EXIT_UNDEFINED, true},
        {REASON_RDMSR, EXIT_MSR_READ, true},
        {REASON_WRMSR, EXIT_MSR_WRITE, true},
        {REASON_XSETBV, EXIT_XSETBV, true},
        {REASON_EXTERNAL_INTERRUPT, EXIT_OTHER, false},
        {5, EXIT_OTHER, false},
        {REASON_ENCLV + 1, EXIT_OTHER, false},
        {0xffff, EXIT_OTHER, false},
        {BIT(27) | REASON_CPUID, EXIT_OTHER, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        fresh(state);
        fields[VMCS_EXIT_INSTRUCTION_LENGTH] = 3;
        decode(expected[i].reason);
        assert_int_equal(exit_.kind, expected[i].kind);
    }
}

/* While the guest ran: it is the host's to answer, and the guest is given none. */
static void machine_checks_are_exceptions(void **state)
{
    fields[VMCS_EXIT_INTERRUPTION] = INTERRUPTION_VALID | INTERRUPTION_HARDWARE_EXCEPTION << 8 | 18;
    fields[VMCS_IDT_VECTORING] = INTERRUPTION_VALID | 0x41;
    decode(REASON_EXCEPTION_NMI);
    assert_int_equal(exit_.kind, EXIT_EXCEPTION);
    assert_int_equal(exit_.exception.vector, 18);
    assert_false(exit_.exception.has_error);
    /* One that was another core's lets the guest go on, with the interrupt that it cut short. */
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], INTERRUPTION_VALID | 0x41);
    decode(EXIT_REASON_ENTRY_FAILED | REASON_MACHINE_CHECK_AT_ENTRY);
    assert_int_equal(exit_.kind, EXIT_ENTRY_FAILURE);
}

static void an_exit_reads_no_more_than_it_needs(void **state)
{
    handled = OUTCOME_ADVANCE;
    fields[VMCS_GUEST_RIP] = 0x1000;
    fields[VMCS_EXIT_INSTRUCTION_LENGTH] = 2;
    decode(REASON_CPUID);
    assert_int_equal(reads, 5); /* the reason; RIP, the length, the shadow, RFLAGS */
    assert_int_equal(fields[VMCS_GUEST_RIP], 0x1002);
    handled = OUTCOME_RESUME;
    decode(REASON_CPUID);
    assert_int_equal(reads, 5 + 1);
}

static void io_is_decoded(void **state)
{
    fields[VMCS_EXIT_QUALIFICATION] = 0x03f80000 | BIT(5) | BIT(4) | BIT(3) | 3;
    decode(REASON_IO);
    assert_int_equal(exit_.io.port, 0x3f8);
    assert_int_equal(exit_.io.width, 4);
    assert_true(exit_.io.input && exit_.io.string && exit_.io.repeat);
}

static void control_registers_are_decoded(void **state)
{
    fields[VMCS_EXIT_QUALIFICATION] = 0x904; /* MOV CR4, R9 */
    decode(REASON_CONTROL_REGISTER);
    assert_int_equal(exit_.kind, EXIT_CONTROL_REGISTER);
    assert_int_equal(exit_.control.number, 4);
    assert_int_equal(exit_.control.source, GUEST_R9);
    assert_true(exit_.control.write);
    fields[VMCS_EXIT_QUALIFICATION] = 0x30; /* LMSW */
    decode(REASON_CONTROL_REGISTER);
    assert_int_equal(exit_.kind, EXIT_OTHER);
}

static void sipi_has_its_vector(void **state)
{
    fields[VMCS_EXIT_QUALIFICATION] = 0x9f;
    decode(REASON_SIPI);
    assert_int_equal(exit_.sipi_vector, 0x9f);
}

static void nmi_is_a_kick(void **state)
{
    fields[VMCS_EXIT_INTERRUPTION] = 0x80000202;
    decode(REASON_EXCEPTION_NMI);
    assert_int_equal(exit_.kind, EXIT_NMI);
    assert_int_equal(nmi_unblocked, 1);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0);
}

static void exceptions_are_decoded(void **state)
{
    fields[VMCS_EXIT_INTERRUPTION] = 0x80000b11;
    fields[VMCS_EXIT_INTERRUPTION_ERROR] = 0;
    decode(REASON_EXCEPTION_NMI);
    assert_int_equal(exit_.kind, EXIT_EXCEPTION);
    assert_int_equal(exit_.exception.vector, 17);
    assert_true(exit_.exception.has_error);
    assert_int_equal(nmi_unblocked, 0);
}

static void debug_exception_updates_dr6_and_dr7(void **state)
{
    core_registers[CORE_DR6] = 0xffff0ff1;
    fields[VMCS_GUEST_DR7] = 0x2400;
    fields[VMCS_EXIT_INTERRUPTION] = 0x80000301;
    fields[VMCS_EXIT_QUALIFICATION] = BIT(13) | 4;
    decode(REASON_EXCEPTION_NMI);
    assert_int_equal(core_registers[CORE_DR6], 0xffff2ff4);
    assert_int_equal(fields[VMCS_GUEST_DR7], 0x400);
}

static void stepping_in_a_shadow_keeps_bs_pending(void **state)
{
    fields[VMCS_EXIT_INTERRUPTION] = 0x80000301;
    fields[VMCS_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_MOV_SS;
    fields[VMCS_GUEST_RFLAGS] = 0x102;
    decode(REASON_EXCEPTION_NMI);
    assert_int_equal(fields[VMCS_GUEST_PENDING_DEBUG], PENDING_DEBUG_STEP);
}

static void int1_is_a_trap(void **state)
{
    fields[VMCS_EXIT_INTERRUPTION] = 0x80000501;
    fields[VMCS_EXIT_INSTRUCTION_LENGTH] = 1;
    fields[VMCS_GUEST_RIP] = 0x1000;
    decode(REASON_EXCEPTION_NMI);
    assert_int_equal(fields[VMCS_GUEST_RIP], 0x1001);
}

static void ept_violation_is_decoded(void **state)
{
    fields[VMCS_EXIT_QUALIFICATION] = 0x182;
    fields[VMCS_GUEST_PHYSICAL_ADDRESS] = 0xfed00000;
    decode(REASON_EPT_VIOLATION);
    assert_int_equal(exit_.kind, EXIT_MEMORY);
    assert_int_equal(exit_.memory.address, 0xfed00000);
    assert_true(exit_.memory.write);
    assert_false(exit_.memory.read || exit_.memory.execute || exit_.memory.misconfigured);
    decode(REASON_EPT_MISCONFIGURATION);
    assert_true(exit_.memory.misconfigured);
}

/* What the CPU itself does is nobody's instruction: walks of page tables, delivery of events. */
static void the_cpus_own_accesses_are_not_the_instructions(void **state)
{
    static const struct {
        uint64_t qualification, vectoring;
        bool own;
    } cases[] = {
        {0x181, 0, true},          /* a read */
        {0x184, 0, true},          /* a fetch */
        {0x083, 0, false},         /* a walk that sets an accessed bit */
        {0x001, 0, false},         /* MOV to CR3 that loads PDPTEs */
        {0x182, 0x80000030, false} /* an interrupt's frame */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fields[VMCS_EXIT_QUALIFICATION] = cases[i].qualification;
        fields[VMCS_IDT_VECTORING] = cases[i].vectoring;
        decode(REASON_EPT_VIOLATION);
        assert_int_equal(exit_.memory.read || exit_.memory.write || exit_.memory.execute,
                         cases[i].own);
    }
}

static void rdpmc_takes_a_general_protection_fault(void **state)
{
    decode(REASON_RDPMC);
    assert_int_equal(exit_.exception.vector, 13);
    assert_true(exit_.exception.has_error);
    assert_int_equal(exit_.exception.error, 0);
}

static void the_guest_goes_on_behind_an_emulated_instruction(void **state)
{
    fields[VMCS_GUEST_RIP] = 0x1000;
    fields[VMCS_EXIT_INSTRUCTION_LENGTH] = 2;
    fields[VMCS_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_STI;
    handled = OUTCOME_ADVANCE;
    decode(REASON_INVD);
    assert_int_equal(fields[VMCS_GUEST_RIP], 0x1002);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], 0);
    handled = OUTCOME_STOP;
    assert_int_equal(vmx_exited(&vcpu), OUTCOME_STOP);
    assert_int_equal(fields[VMCS_GUEST_RIP], 0x1002);
}

static void only_some_cpus_have_the_multihit_erratum(void **state)
{
    assert_true(vmx_itlb_multihit(0x50654, 0));     /* Skylake-X */
    assert_false(vmx_itlb_multihit(0x50654, 0x40)); /* ... if it says otherwise */
    assert_true(vmx_itlb_multihit(0x206a7, 0));     /* Sandy Bridge */
    assert_false(vmx_itlb_multihit(0x506c9, 0));    /* Goldmont */
    assert_false(vmx_itlb_multihit(0x800f12, 0));   /* no Intel family 6 */
}

static void interrupted_events_are_delivered_again(void **state)
{
    static const struct {
        uint32_t vectoring, entry;
        bool error, length;
    } cases[] = {
        {0x80000030, 0x80000030, false, false}, /* external interrupt */
        {0x80001b0e, 0x80000b0e, true, false},  /* #PF; bit 12 is undefined there */
        {0x80000480, 0x80000480, false, true},  /* INT 0x80 */
        {0x80000603, 0x80000603, false, true},  /* INT3 */
        {0x80000501, 0x80000501, false, true},  /* INT1 */
        {0x00000030, 0, false, false},          /* not valid */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(state);
        fields[VMCS_IDT_VECTORING] = cases[i].vectoring;
        fields[VMCS_IDT_VECTORING_ERROR] = 6;
        fields[VMCS_EXIT_INSTRUCTION_LENGTH] = 2;
        decode(REASON_EPT_VIOLATION);
        assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], cases[i].entry);
        assert_int_equal(fields[VMCS_ENTRY_EXCEPTION_ERROR], cases[i].error ? 6 : 0);
        assert_int_equal(fields[VMCS_ENTRY_INSTRUCTION_LENGTH], cases[i].length ? 2 : 0);
    }
}

static void interrupted_nmi_is_unblocked_first(void **state)
{
    fields[VMCS_IDT_VECTORING] = 0x80000202;
    fields[VMCS_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_NMI;
    decode(REASON_EPT_VIOLATION);
    assert_int_equal(fields[VMCS_ENTRY_INTERRUPTION], 0x80000202);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], 0);
}

static void iret_that_faults_blocks_nmis_again(void **state)
{
    fields[VMCS_EXIT_QUALIFICATION] = EPT_VIOLATION_READ | EPT_VIOLATION_NMI_UNBLOCK;
    decode(REASON_EPT_VIOLATION);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], INTERRUPTIBILITY_NMI);

    fresh(state);
    fields[VMCS_EXIT_QUALIFICATION] = EPT_VIOLATION_NMI_UNBLOCK; /* undefined in a delivery */
    fields[VMCS_IDT_VECTORING] = 0x80000030;
    decode(REASON_EPT_VIOLATION);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], 0);

    fresh(state);
    vmx_controls.word[VMX_PIN] &= ~(uint32_t)PIN_VIRTUAL_NMI;
    fields[VMCS_EXIT_QUALIFICATION] = EPT_VIOLATION_NMI_UNBLOCK;
    decode(REASON_EPT_VIOLATION);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], 0);
}

static void cpl_and_cr4_are_the_guests(void **state)
{
    fields[VMCS_GUEST_ES_RIGHTS + 4] = 0xc0f3;
    assert_int_equal(vmx_cpl(&vcpu), 3);
    fields[VMCS_GUEST_CR4] = CR4_VMXE | BIT(6) | CR4_OSXSAVE;
    fields[VMCS_CR4_SHADOW] = 0;
    struct vcpu_state seen;
    vmx_read_state(&vcpu, &seen);
    assert_int_equal(seen.cr4, CR4_OSXSAVE);
    assert_true(vmx_osxsave(&vcpu));
    fields[VMCS_GUEST_CR4] = CR4_VMXE | BIT(6);
    assert_false(vmx_osxsave(&vcpu));
}

static void cr4_bits_that_policy_denies_exit(void **state)
{
    uint64_t mask = vmx_cr4_mask();
    assert_int_equal(~mask, CR4_PAE | CR4_PGE | CR4_OSXSAVE);
    struct vcpu_state start;
    vcpu_state_pvh(&start, 0x100000);
    start.cr4 = CR4_PAE | CR4_LA57 | BIT(22);
    vmx_write_state(&vcpu, &start);
    assert_int_equal(fields[VMCS_GUEST_CR4], CR4_PAE | CR4_VMXE | BIT(6));
}

static void set_rip_ends_the_instruction(void **state)
{
    fields[VMCS_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI;
    vmx_set_rip(&vcpu, 0x1234);
    assert_int_equal(fields[VMCS_GUEST_RIP], 0x1234);
    assert_int_equal(fields[VMCS_GUEST_INTERRUPTIBILITY], INTERRUPTIBILITY_NMI);
    assert_int_equal(fields[VMCS_GUEST_PENDING_DEBUG], 0);
    fields[VMCS_GUEST_RFLAGS] |= BIT(8);
    vmx_set_rip(&vcpu, 0x1236);
    assert_int_equal(fields[VMCS_GUEST_PENDING_DEBUG], PENDING_DEBUG_STEP);
    fields[VMCS_GUEST_RFLAGS] = 0x10002; /* as an access to memory exits */
    fields[VMCS_GUEST_PENDING_DEBUG] = 0;
    vmx_set_rip(&vcpu, 0x1238);
    assert_int_equal(fields[VMCS_GUEST_RFLAGS], 2);
    assert_int_equal(fields[VMCS_GUEST_PENDING_DEBUG], 0);
}

/* Not by bytes: padding holds anything. */
static void assert_same_segment(const struct vcpu_segment *left, const struct vcpu_segment *right)
{
    assert_int_equal(left->selector, right->selector);
    assert_int_equal(left->attributes, right->attributes);
    assert_int_equal(left->unusable, right->unusable);
    assert_int_equal(left->limit, right->limit);
    assert_int_equal(left->base, right->base);
}

static void assert_same_state(const struct vcpu_state *left, const struct vcpu_state *right)
{
    const size_t segments = offsetof(struct vcpu_state, cs);
    const size_t tables = offsetof(struct vcpu_state, gdtr_base);
    assert_memory_equal(left, right, segments);
    for (size_t i = 0; i < (tables - segments) / sizeof left->cs; i++)
        assert_same_segment(&left->cs + i, &right->cs + i);
    assert_int_equal(left->gdtr_base, right->gdtr_base);
    assert_int_equal(left->idtr_base, right->idtr_base);
    assert_int_equal(left->gdtr_limit, right->gdtr_limit);
    assert_int_equal(left->idtr_limit, right->idtr_limit);
    assert_int_equal(left->dr7, right->dr7);
}

static void state_survives_a_round_trip(void **state)
{
    struct vcpu_state written, read;
    vcpu_state_sipi(&written, 0x9f);
    written.cr2 = 0x5555;
    written.cr3 = 0x1000;
    written.dr7 = 0x401;
    written.fs.base = 0xf000;
    vmx_write_state(&vcpu, &written);
    fields[VMCS_CR0_MASK] = vmx_cr0_mask();
    vmx_read_state(&vcpu, &read);
    assert_same_state(&written, &read);
    /* What the guest does not see: NE, MCE and VMXE are on, caches stay enabled. */
    assert_int_equal(fields[VMCS_GUEST_CR0], CR0_NE | CR0_ET);
    assert_int_equal(fields[VMCS_GUEST_CR4], CR4_VMXE | BIT(6));
}

/* What build/entry makes of the log. */
static const char *explained(void)
{
    static char log[8192];
    static struct vmx_view view;
    strncpy(log, host_log_text(), sizeof log - 1);
    vmx_view_clear(&view);
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_int_equal(vmx_line_core(line), 5);
        assert_true(vmx_view_read_fields(&view, line));
    }
    assert_true(view.complete);
    struct vmx_guest_view guest = vmx_view_guest(&view);
    return vmx_guest_state_fault(&guest);
}

static void both_start_states_pass_the_checks(void **state)
{
    struct vcpu_state start[2];
    vcpu_state_sipi(&start[0], 0x9f);
    vcpu_state_pvh(&start[1], 0x100000);
    for (size_t i = 0; i < ARRAY_SIZE(start); i++) {
        vmx_write_state(&vcpu, &start[i]);
        fields[VMCS_LINK_POINTER] = ~UINT64_C(0);
        host_log_clear();
        vmx_dump(&vcpu);
        assert_null(explained());
    }
}

static void long_mode_follows_from_the_registers(void **state)
{
    struct vcpu_state start;
    vcpu_state_pvh(&start, 0x100000);
    start.efer = EFER_LME;
    start.cr4 = CR4_PAE;
    vmx_write_state(&vcpu, &start);
    assert_int_equal(fields[VMCS_GUEST_EFER], EFER_LME);
    assert_false(fields[VMCS_ENTRY_CONTROLS] & ENTRY_IA32E_GUEST);
    start.cr0 |= CR0_PG;
    vmx_write_state(&vcpu, &start);
    assert_int_equal(fields[VMCS_GUEST_EFER], EFER_LME | EFER_LMA);
    assert_true(fields[VMCS_ENTRY_CONTROLS] & ENTRY_IA32E_GUEST);
    start.efer |= EFER_LMA;
    start.cr0 &= ~CR0_PG;
    vmx_write_state(&vcpu, &start);
    assert_int_equal(fields[VMCS_GUEST_EFER], EFER_LME);
    assert_false(fields[VMCS_ENTRY_CONTROLS] & ENTRY_IA32E_GUEST);
}

static void pae_paging_gets_its_pdptes(void **state)
{
    struct vcpu_state start;
    vcpu_state_pvh(&start, 0x100000);
    start.cr4 = CR4_PAE;
    start.cr0 |= CR0_PG;
    start.cr3 = 0x7fe0;
    for (size_t i = 0; i < 4; i++)
        guest_page[0xfe0 + 8 * i] = (uint8_t)(0x11 + i);
    vmx_write_state(&vcpu, &start);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fields[VMCS_GUEST_PDPTE0 + 2 * i], 0x11 + i);
    guest_has_ram = false;
    vmx_write_state(&vcpu, &start);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fields[VMCS_GUEST_PDPTE0 + 2 * i], 0);
}

static void entry_failures_are_explained(void **state)
{
    struct vcpu_state start;
    vcpu_state_pvh(&start, 0x100000);
    start.rip = BIT(40);
    vmx_write_state(&vcpu, &start);
    fields[VMCS_LINK_POINTER] = ~UINT64_C(0);
    host_log_clear();
    decode(EXIT_REASON_ENTRY_FAILED | REASON_GUEST_STATE);
    assert_int_equal(exit_.kind, EXIT_ENTRY_FAILURE);
    assert_string_equal(explained(), "RIP has bits above 31 outside 64-bit mode");
    assert_non_null(strstr(exit_.detail, "build/entry"));

    decode(EXIT_REASON_ENTRY_FAILED | REASON_MSR_LOADING);
    assert_non_null(strstr(exit_.detail, "MSRs"));

    fields[VMCS_INSTRUCTION_ERROR] = 7;
    handled = OUTCOME_STOP;
    assert_int_equal(vmx_entry_failed(&vcpu), OUTCOME_STOP);
    assert_int_equal(exit_.kind, EXIT_ENTRY_FAILURE);
    assert_string_equal(exit_.detail,
                        "VM entry with invalid control fields: build/entry explains the "
                        "vmx.vmcs lines");
    handled = OUTCOME_WAIT;
    assert_int_equal(vmx_kicked(&vcpu), OUTCOME_WAIT);
    assert_int_equal(exit_.kind, EXIT_NMI);
    assert_non_null(vmx_instruction_error_text(14));
    assert_non_null(vmx_instruction_error_text(99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reasons_become_kinds, fresh),
        cmocka_unit_test_setup(machine_checks_are_exceptions, fresh),
        cmocka_unit_test_setup(an_exit_reads_no_more_than_it_needs, fresh),
        cmocka_unit_test_setup(io_is_decoded, fresh),
        cmocka_unit_test_setup(control_registers_are_decoded, fresh),
        cmocka_unit_test_setup(sipi_has_its_vector, fresh),
        cmocka_unit_test_setup(nmi_is_a_kick, fresh),
        cmocka_unit_test_setup(exceptions_are_decoded, fresh),
        cmocka_unit_test_setup(debug_exception_updates_dr6_and_dr7, fresh),
        cmocka_unit_test_setup(stepping_in_a_shadow_keeps_bs_pending, fresh),
        cmocka_unit_test_setup(int1_is_a_trap, fresh),
        cmocka_unit_test_setup(ept_violation_is_decoded, fresh),
        cmocka_unit_test_setup(the_cpus_own_accesses_are_not_the_instructions, fresh),
        cmocka_unit_test_setup(rdpmc_takes_a_general_protection_fault, fresh),
        cmocka_unit_test_setup(the_guest_goes_on_behind_an_emulated_instruction, fresh),
        cmocka_unit_test_setup(only_some_cpus_have_the_multihit_erratum, fresh),
        cmocka_unit_test_setup(interrupted_events_are_delivered_again, fresh),
        cmocka_unit_test_setup(interrupted_nmi_is_unblocked_first, fresh),
        cmocka_unit_test_setup(iret_that_faults_blocks_nmis_again, fresh),
        cmocka_unit_test_setup(cpl_and_cr4_are_the_guests, fresh),
        cmocka_unit_test_setup(cr4_bits_that_policy_denies_exit, fresh),
        cmocka_unit_test_setup(set_rip_ends_the_instruction, fresh),
        cmocka_unit_test_setup(state_survives_a_round_trip, fresh),
        cmocka_unit_test_setup(both_start_states_pass_the_checks, fresh),
        cmocka_unit_test_setup(long_mode_follows_from_the_registers, fresh),
        cmocka_unit_test_setup(pae_paging_gets_its_pdptes, fresh),
        cmocka_unit_test_setup(entry_failures_are_explained, fresh),
    };
    return cmocka_run_group_tests_name("vmx exit", tests, NULL, NULL);
}
