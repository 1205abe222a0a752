/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/policy/msr.c hypervisor/vcpu/interrupt.c hypervisor/setup/svm_bitmaps.c
// SOURCES: hypervisor/setup/msr_policy.c
#include <stdlib.h>
#include <string.h>

#include "hypervisor/abi/machine.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/interrupt.h"
#include "hypervisor/setup/policy.h"
#include "hypervisor/setup/svm.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"

/* --- the rooms below and beside --- */

static struct vcpu_state guest_state;
static unsigned state_writes;

static void read_state(struct vcpu *vcpu, struct vcpu_state *state)
{
    *state = guest_state;
}

static void write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
    guest_state = *state;
    state_writes++;
}

static uint64_t read_efer(struct vcpu *vcpu)
{
    struct vcpu_state state;
    read_state(vcpu, &state);
    return state.efer;
}

static const struct vcpu_backend fake = {
    .read_state = read_state, .efer = read_efer, .write_state = write_state};

const struct vcpu_backend *vcpu_selected = &fake;

static bool ipi_accepts;
static uint64_t ipi_last;
static unsigned ipi_count;

static bool ipi(struct vcpu *vcpu, uint64_t icr)
{
    ipi_last = icr;
    ipi_count++;
    return ipi_accepts;
}

static const struct vcpu_events events = {.ipi = ipi};
const struct vcpu_events *vcpu_selected_events = &events;

struct cpuid_machine cpuid_machine = {.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE};

static uint32_t written_msr;
static uint64_t written_value;
static bool core_has_msr = true;

static bool apic_is_strict;
static uint64_t timer_entry;

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    if (msr == 0x832 && apic_is_strict && (value & 0xf00) != 0)
        return false;
    if (msr == 0x832)
        timer_entry = value;
    written_msr = msr;
    written_value = value;
    return core_has_msr;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    *value = timer_entry;
    return core_has_msr;
}

static uint32_t features;

static struct cpuid_result model(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid_result){.ecx = features};
}

static uint32_t sent_to, sent_command;
static unsigned sent, kicks;

bool apic_send(uint32_t destination, uint32_t command)
{
    sent_to = destination;
    sent_command = command;
    sent++;
    return true;
}

void cpu_kick(struct cpu *cpu)
{
    kicks++;
}

static struct vcpu vcpu;

static int setup(void **state)
{
    memset(&vcpu, 0, sizeof vcpu);
    memset(&guest_state, 0, sizeof guest_state);
    state_writes = ipi_count = sent = kicks = 0;
    ipi_accepts = core_has_msr = true;
    features = 1u << 24; /* TSC deadline */
    apic_is_strict = true;
    timer_entry = 0x10000;
    msr_policy_init(model);
    written_msr = 0;
    return 0;
}

/* --- what is direct: the whole list, so that an addition is a decision --- */

static bool expected_read(uint32_t msr)
{
    static const uint32_t single[] = {
        0x10,       0x174,      0x175,      0x176,      0x277,      0x6e0,      0x802,
        0x803,      0x808,      0x80a,      0x80d,      0x80f,      0x828,      0x82f,
        0x832,      0x833,      0x834,      0x835,      0x836,      0x837,      0x838,
        0x839,      0x83e,      0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
        0xc0000101, 0xc0000102, 0xc0000103};
    for (size_t i = 0; i < ARRAY_SIZE(single); i++)
        if (msr == single[i])
            return true;
    return msr >= 0x810 && msr <= 0x827;
}

static bool expected_write(uint32_t msr)
{
    static const uint32_t single[] = {
        0x174,      0x175,      0x176,      0x277,      0x6e0,      0x808,      0x80b,
        0x80f,      0x828,      0x832,      0x838,      0x83e,      0x83f,      0xc0000081,
        0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103};
    for (size_t i = 0; i < ARRAY_SIZE(single); i++)
        if (msr == single[i])
            return true;
    return false;
}

static void check_range(uint32_t first, uint32_t last)
{
    for (uint32_t msr = first; msr <= last; msr++) {
        if (msr_policy_direct(msr, false) != expected_read(msr) ||
            msr_policy_direct(msr, true) != expected_write(msr))
            print_message("MSR %#x\n", msr);
        assert_int_equal(msr_policy_direct(msr, false), expected_read(msr));
        assert_int_equal(msr_policy_direct(msr, true), expected_write(msr));
    }
}

static void test_direct(void **state)
{
    check_range(0, 0x1fff);
    check_range(0x40000000, 0x400001ff);
    check_range(0xc0000000, 0xc0001fff);
    check_range(0xc0010000, 0xc0011fff);
}

static void test_svm_map_follows_policy(void **state)
{
    static const uint32_t bases[] = {0, 0xc0000000, 0xc0010000};
    uint8_t *msrpm = malloc(SVM_MSRPM_PAGES * PAGE_SIZE),
            *iopm = malloc(SVM_IOPM_PAGES * PAGE_SIZE);
    svm_bitmaps_build(msrpm, iopm);
    for (unsigned range = 0; range < 3; range++) {
        for (uint32_t i = 0; i < 0x2000; i++) {
            unsigned bits = msrpm[range * 0x800 + i / 4] >> i % 4 * 2 & 3;
            assert_int_equal(bits & 1, !msr_policy_direct(bases[range] + i, false));
            assert_int_equal(bits >> 1, !msr_policy_direct(bases[range] + i, true));
        }
    }
    for (size_t i = 0x1800; i < SVM_MSRPM_PAGES * PAGE_SIZE; i++)
        assert_int_equal(msrpm[i], 0xff);
    for (size_t i = 0; i < SVM_IOPM_PAGES * PAGE_SIZE; i++)
        assert_int_equal(iopm[i], 0xff);
    free(msrpm);
    free(iopm);
}

/* --- what exits --- */

static void test_denied(void **state)
{
    /* What CPUID hides of speculation: SPEC_CTRL, PRED_CMD, ARCH_CAPABILITIES, FLUSH_CMD,
     * VIRT_SPEC_CTRL; TSC_ADJUST, SMM, microcode update, PMU, thermal, fixed and variable MTRRs, MC
     * banks, VMX capabilities, PT, XSS, TSX, SGX key, VM_CR, VM_HSAVE_PA, AMD PERF_CTL, PKRS,
     * U_CET. */
    static const uint32_t denied[] = {
        0x48,  0x49,       0x10a,      0x10b,      0xc001011f, 0x3b,  0x9e,  0x79,  0xc1,
        0x186, 0x19a,      0x19b,      0x19c,      0x200,      0x20f, 0x250, 0x26f, 0x38d,
        0x38f, 0x400,      0x480,      0x491,      0x570,      0xda0, 0x122, 0x8c,  0x6a0,
        0x6e1, 0xc0010114, 0xc0010117, 0xc0010000, 0x800,      0x801, 0x804, 0x809, 0x80e,
        0x831, 0x840,      0x8ff,      0x4b564d00, UINT32_MAX};
    uint64_t value;
    for (size_t i = 0; i < ARRAY_SIZE(denied); i++) {
        if (msr_policy_read(&vcpu, denied[i], &value) || msr_policy_write(&vcpu, denied[i], 0))
            print_message("MSR %#x\n", denied[i]);
        assert_false(msr_policy_read(&vcpu, denied[i], &value));
        assert_false(msr_policy_write(&vcpu, denied[i], 0));
    }
    assert_int_equal(written_msr, 0);
}

/* No write, of whatever value, gets to a register of the core but the APIC's local vectors. */
static void test_writes_stay_here(void **state)
{
    static const uint64_t values[] = {0, 1, 0x100ff, 0xffffffff, UINT64_MAX};
    for (uint32_t msr = 0; msr <= 0x1fff; msr++) {
        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
            written_msr = 0;
            (void)!msr_policy_write(&vcpu, msr, values[i]);
            bool lvt = (msr == 0x82f || (msr >= 0x832 && msr <= 0x837)) && values[i] <= 0x100ff;
            assert_int_equal(written_msr, lvt ? msr : 0);
        }
    }
}

static void test_apic_base(void **state)
{
    uint64_t value;
    assert_true(msr_policy_read(&vcpu, MSR_APIC_BASE, &value));
    assert_int_equal(value, 0xfee00d00);
    assert_true(msr_policy_write(&vcpu, MSR_APIC_BASE, 0xfee00d00));
    assert_false(msr_policy_write(&vcpu, MSR_APIC_BASE, 0xfee00900)); /* back to xAPIC */
    assert_false(msr_policy_write(&vcpu, MSR_APIC_BASE, 0xfee00000)); /* off */
    assert_false(msr_policy_write(&vcpu, MSR_APIC_BASE, 0x00100d00)); /* over RAM */
    assert_false(msr_policy_write(&vcpu, MSR_APIC_BASE, UINT64_MAX));
    vcpu.index = 1;
    assert_true(msr_policy_read(&vcpu, MSR_APIC_BASE, &value));
    assert_int_equal(value, 0xfee00c00);
}

static void test_efer(void **state)
{
    uint64_t value;
    guest_state.efer = EFER_LME | EFER_SVME;
    assert_true(msr_policy_read(&vcpu, MSR_EFER, &value));
    assert_int_equal(value, EFER_LME);

    assert_true(msr_policy_write(&vcpu, MSR_EFER, EFER_LME | EFER_SCE | EFER_NXE));
    assert_int_equal(guest_state.efer, EFER_LME | EFER_SCE | EFER_NXE);
    assert_int_equal(state_writes, 1);

    /* LMA is not the guest's to set or clear. */
    assert_true(msr_policy_write(&vcpu, MSR_EFER, EFER_LME | EFER_LMA));
    assert_int_equal(guest_state.efer, EFER_LME);
    guest_state = (struct vcpu_state){.cr0 = CR0_PE | CR0_PG, .efer = EFER_LME | EFER_LMA};
    assert_true(msr_policy_write(&vcpu, MSR_EFER, EFER_LME | EFER_SCE));
    assert_int_equal(guest_state.efer, EFER_LME | EFER_LMA | EFER_SCE);

    state_writes = 0;
    assert_false(msr_policy_write(&vcpu, MSR_EFER, EFER_LMA)); /* LME with paging on */
    assert_false(msr_policy_write(&vcpu, MSR_EFER, EFER_LME | EFER_SVME));
    assert_false(msr_policy_write(&vcpu, MSR_EFER, EFER_LME | BIT(14)));
    assert_false(msr_policy_write(&vcpu, MSR_EFER, UINT64_MAX));
    assert_int_equal(state_writes, 0);
}

static void test_constants(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
    } constants[] = {{0x830, 0},      {0x3a, 1},  {0x8b, 0},  {0xfe, 0x400},        {0x2ff, 0x806},
                     {0x1a0, 0x1801}, {0x179, 0}, {0x1d9, 0}, {0xc0010015, 1 << 24}};
    uint64_t value;
    for (size_t i = 0; i < ARRAY_SIZE(constants); i++) {
        value = UINT64_MAX;
        assert_true(msr_policy_read(&vcpu, constants[i].msr, &value));
        assert_true(value == constants[i].value);
    }
    assert_false(msr_policy_write(&vcpu, 0x3a, 5)); /* FEATURE_CONTROL is locked */
    assert_true(msr_policy_write(&vcpu, 0x1d9, 0));
    assert_false(msr_policy_write(&vcpu, 0x1d9, 1)); /* DEBUGCTL.LBR */
}

static void test_local_vectors(void **state)
{
    assert_true(msr_policy_write(&vcpu, 0x837, 0xfe)); /* error, fixed */
    assert_int_equal(written_msr, 0x837);
    assert_int_equal(written_value, 0xfe);
    for (unsigned mode = 1; mode < 8; mode++) {
        assert_true(msr_policy_write(&vcpu, 0x835, mode << 8 | 0x41));
        assert_int_equal(written_value, 0x100ff); /* masked, fixed */
    }
    assert_int_equal(vcpu.commands_dropped, 7);
    assert_true(msr_policy_write(&vcpu, 0x835, 0x10700)); /* masked ExtINT: nothing is lost */
    assert_int_equal(vcpu.commands_dropped, 7);
    core_has_msr = false; /* an APIC without CMCI */
    assert_false(msr_policy_write(&vcpu, 0x82f, 0x100fe));
}

/* Emulated APICs take a delivery mode for the timer, such as SMI, INIT or NMI, and act upon it. */
static void test_reserved_bits_of_local_vectors(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t defined;
    } entries[] = {{0x82f, 0x117ff}, {0x832, 0x710ff}, {0x833, 0x117ff}, {0x834, 0x117ff},
                   {0x835, 0x1f7ff}, {0x836, 0x1f7ff}, {0x837, 0x110ff}};
    apic_is_strict = false;
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
        for (unsigned bit = 0; bit < 64; bit++) {
            written_msr = 0;
            bool written = msr_policy_write(&vcpu, entries[i].msr, BIT(bit));
            if (written != ((entries[i].defined & BIT(bit)) != 0))
                print_message("MSR %#x bit %u\n", entries[i].msr, bit);
            assert_int_equal(written, (entries[i].defined & BIT(bit)) != 0);
            assert_int_equal(written_msr, written ? entries[i].msr : 0);
        }
    assert_false(msr_policy_write(&vcpu, 0x832, 0x600fe)); /* both modes of the timer */
    features = 0;
    msr_policy_init(model);
    assert_false(msr_policy_write(&vcpu, 0x832, 0x400fe)); /* one that the CPU has not */
    assert_true(msr_policy_write(&vcpu, 0x832, 0x200fe));
}

/* The timer's entry costs an exit only where the APIC does not refuse reserved bits itself. */
static void test_timer_entry_is_direct_where_that_is_safe(void **state)
{
    assert_true(msr_policy_direct(0x832, true));
    assert_int_equal(timer_entry, 0x10000);
    apic_is_strict = false;
    timer_entry = 0x100ef;
    msr_policy_init(model);
    assert_int_equal(timer_entry, 0x100ef);
    assert_false(msr_policy_direct(0x832, true));
    assert_true(msr_policy_direct(0x832, false));
    assert_true(msr_policy_direct(0x838, true) && msr_policy_direct(0x6e0, true));
    core_has_msr = false; /* no x2APIC: no guests */
    msr_policy_init(model);
    assert_false(msr_policy_direct(0x832, true));
}

/* --- interrupt commands --- */

static void test_command_kinds(void **state)
{
    static const struct {
        uint64_t icr;
        bool passed;
    } commands[] = {
        {UINT64_C(2) << 32 | 0x4030, true},  /* fixed */
        {UINT64_C(2) << 32 | 0x400f, false}, /* fixed, illegal vector */
        {UINT64_C(2) << 32 | 0x4130, false}, /* lowest priority */
        {UINT64_C(2) << 32 | 0x4200, false}, /* SMI */
        {UINT64_C(2) << 32 | 0x4300, false}, /* reserved */
        {UINT64_C(2) << 32 | 0x4400, true},  /* NMI */
        {UINT64_C(2) << 32 | 0x4500, true},  /* INIT */
        {UINT64_C(2) << 32 | 0x8500, false}, /* INIT de-assert */
        {UINT64_C(2) << 32 | 0x4699, true},  /* start-up */
        {UINT64_C(2) << 32 | 0x4700, false}, /* ExtINT */
    };
    unsigned passed = 0, dropped = 0;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        assert_true(msr_policy_write(&vcpu, MSR_X2APIC_ICR, commands[i].icr));
        passed += commands[i].passed;
        dropped += !commands[i].passed;
        assert_int_equal(ipi_count, passed);
        if (commands[i].passed)
            assert_true(ipi_last == commands[i].icr);
        assert_int_equal(vcpu.commands_dropped, dropped);
    }
    assert_int_equal(sent, 0); /* never straight to the APIC */
    ipi_accepts = false;       /* another guest's core */
    assert_true(msr_policy_write(&vcpu, MSR_X2APIC_ICR, UINT64_C(9) << 32 | 0x4030));
    assert_int_equal(vcpu.commands_dropped, dropped + 1);
}

static void test_destinations(void **state)
{
    const uint64_t self = 1 << 18, all = 2 << 18, others = 3 << 18;
    assert_true(icr_addresses(UINT64_C(5) << 32, 1, 5));
    assert_false(icr_addresses(UINT64_C(5) << 32, 1, 4));
    assert_true(icr_addresses(UINT64_C(0xffffffff) << 32, 1, 4));
    assert_true(icr_addresses(UINT64_C(0xffffffff) << 32 | ICR_LOGICAL, 1, 4));
    /* A shorthand makes the destination field void. */
    assert_true(icr_addresses(UINT64_C(5) << 32 | self, 1, 1));
    assert_false(icr_addresses(UINT64_C(5) << 32 | self, 1, 5));
    assert_true(icr_addresses(all, 1, 1));
    assert_true(icr_addresses(all, 1, 7));
    assert_false(icr_addresses(others, 1, 1));
    assert_true(icr_addresses(others, 1, 7));
    /* Logical: cluster in 31:16, one bit each in 15:0. */
    uint64_t cluster_1 = UINT64_C(0x10005) << 32 | ICR_LOGICAL;
    assert_true(icr_addresses(cluster_1, 1, 0x10));
    assert_false(icr_addresses(cluster_1, 1, 0x11));
    assert_true(icr_addresses(cluster_1, 1, 0x12));
    assert_false(icr_addresses(cluster_1, 1, 0x00));
    assert_false(icr_addresses(cluster_1, 1, 0x20));
    /* A guest of as many vCPUs as there can be: each command reaches those it names. */
    for (uint32_t id = 100; id < 100 + GUEST_MAX_CPUS; id++) {
        const uint64_t logical = (uint64_t)(id >> 4 << 16 | 1u << (id & 15)) << 32 | ICR_LOGICAL;
        const uint64_t whole_cluster = (uint64_t)(id >> 4 << 16 | 0xffff) << 32 | ICR_LOGICAL;
        unsigned single = 0, named = 0, cluster = 0, everybody = 0, rest = 0;
        for (uint32_t other = 100; other < 100 + GUEST_MAX_CPUS; other++) {
            single += icr_addresses((uint64_t)id << 32, 100, other);
            named += icr_addresses(logical, 100, other);
            cluster += icr_addresses(whole_cluster, 100, other);
            everybody += icr_addresses(all, id, other);
            rest += icr_addresses(others, id, other);
        }
        assert_int_equal(single, 1);
        assert_int_equal(named, 1);
        assert_true(icr_addresses(logical, 100, id));
        assert_in_range(cluster, 4, 16); /* the first and the last one are not full */
        assert_int_equal(everybody, 64);
        assert_int_equal(rest, 63);
    }
}

static void test_interrupting(void **state)
{
    struct vcpu target = {.apic_id = 6, .activity = VCPU_RUNNING};
    vcpu_interrupt(&target, 0x4031);
    assert_int_equal(sent, 1);
    assert_int_equal(sent_to, 6);
    assert_int_equal(sent_command, APIC_COMMAND_FIXED(0x31));
    vcpu_interrupt(&target, 0x4400);
    assert_int_equal(target.nmi_request, 1);
    assert_int_equal(kicks, 1);
    vcpu_interrupt(&target, 0x4612); /* start-up without INIT */
    assert_int_equal(target.activity, VCPU_RUNNING);
    assert_int_equal(kicks, 1);
    vcpu_interrupt(&target, 0x4500);
    assert_int_equal(target.activity, VCPU_WAIT_FOR_SIPI);
    assert_int_equal(target.init_request, 1);
    assert_int_equal(kicks, 2);
    vcpu_interrupt(&target, 0x4500);
    assert_int_equal(kicks, 2);
    vcpu_interrupt(&target, 0x4612);
    assert_int_equal(target.activity, VCPU_RUNNING);
    assert_int_equal(target.sipi_vector, 0x12);
    assert_int_equal(kicks, 3);
    vcpu_interrupt(&target, 0x4613); /* the second of two */
    assert_int_equal(target.sipi_vector, 0x12);
    vcpu_interrupt(&target, 0x4200);
    assert_int_equal(target.commands_dropped, 1);
    assert_int_equal(sent, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_direct, setup),
        cmocka_unit_test_setup(test_svm_map_follows_policy, setup),
        cmocka_unit_test_setup(test_denied, setup),
        cmocka_unit_test_setup(test_writes_stay_here, setup),
        cmocka_unit_test_setup(test_apic_base, setup),
        cmocka_unit_test_setup(test_efer, setup),
        cmocka_unit_test_setup(test_constants, setup),
        cmocka_unit_test_setup(test_local_vectors, setup),
        cmocka_unit_test_setup(test_reserved_bits_of_local_vectors, setup),
        cmocka_unit_test_setup(test_timer_entry_is_direct_where_that_is_safe, setup),
        cmocka_unit_test_setup(test_command_kinds, setup),
        cmocka_unit_test_setup(test_destinations, setup),
        cmocka_unit_test_setup(test_interrupting, setup),
    };
    return cmocka_run_group_tests_name("MSR policy", tests, NULL, NULL);
}
