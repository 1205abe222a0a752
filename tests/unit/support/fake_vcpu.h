/* SPDX-License-Identifier: MIT */
/*
 * A vCPU whose back-end plays a script of exits, on a core and with a guest room that only write
 * down what is asked of them. For tests that link the dispatcher; everything is static on purpose.
 */
#pragma once

#include <stdlib.h>

#include "hypervisor/base/string.h"
#include "hypervisor/abi/calls.h"
#include "hypervisor/setup/policy.h"
#include "hypervisor/vcpu/guest_core.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/svm/svm.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/clock.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check_internal.h"
#include "hypervisor/x86/machine_check_registers.h"
#include "tests/unit/support/host.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"

#define UNUSED         __attribute__((unused))
#define SOURCE_IN_CODE 0xff /* of control.source: decoded, as SVM does */

/* --- the back-end --- */

UNUSED static struct vcpu_state guest;
UNUSED static struct vcpu_exit script[16];
UNUSED static uint8_t lengths[16]; /* of the instructions that exit; 0: to be decoded */
UNUSED static unsigned script_size, script_at;
UNUSED static unsigned loads, unloads, flushes, injections, loops;
UNUSED static bool loaded;
UNUSED static uint8_t injected_vector;
UNUSED static bool injected_has_error;
UNUSED static uint32_t injected_error;
UNUSED static enum status load_status;
UNUSED static void (*before_exit)(struct vcpu *vcpu);
UNUSED static void (*during_load)(struct vcpu *vcpu); /* once */

UNUSED static bool apic_opened; /* every vector comes through */

UNUSED static enum status fake_load(struct vcpu *vcpu)
{
    assert_false(loaded);
    if (load_status != STATUS_OK)
        return load_status;
    assert_true(apic_opened);
    loaded = true;
    loads++;
    void (*hook)(struct vcpu *) = during_load;
    during_load = NULL;
    if (hook != NULL)
        hook(vcpu);
    return STATUS_OK;
}

UNUSED static void fake_unload(struct vcpu *vcpu)
{
    assert_true(loaded);
    loaded = false;
    unloads++;
}

UNUSED static void fake_read_state(struct vcpu *vcpu, struct vcpu_state *state)
{
    assert_true(loaded);
    *state = guest;
}

UNUSED static void fake_write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
    assert_true(loaded);
    guest = *state;
}

UNUSED static uint64_t fake_efer(struct vcpu *vcpu)
{
    return guest.efer;
}

UNUSED static bool fake_osxsave(struct vcpu *vcpu)
{
    return (guest.cr4 & CR4_OSXSAVE) != 0;
}

UNUSED static unsigned fake_cpl(struct vcpu *vcpu)
{
    return guest.ss.attributes >> 5 & 3;
}

UNUSED static void fake_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    guest.rip = rip;
}

/* After the script the guest makes its exit call. `loops` plays the first exit so often. */
UNUSED static uint8_t fake_exit(struct vcpu *vcpu)
{
    if (loops > 0) {
        loops--;
        vcpu->exit = script[0];
        return lengths[0];
    }
    if (script_at < script_size) {
        vcpu->exit = script[script_at];
        return lengths[script_at++];
    }
    vcpu->registers[GUEST_RAX] = ABI_EXIT;
    vcpu->exit = (struct vcpu_exit){.kind = EXIT_HYPERCALL};
    return 3;
}

UNUSED static enum outcome fake_run(struct vcpu *vcpu)
{
    enum outcome outcome;
    do {
        assert_true(loaded);
        if (before_exit != NULL)
            before_exit(vcpu);
        uint8_t length = fake_exit(vcpu);
        bool decoded = length == 0 || (vcpu->exit.kind == EXIT_CONTROL_REGISTER &&
                                       vcpu->exit.control.source == SOURCE_IN_CODE);
        outcome = decoded ? svm_exit_handle(vcpu, length, guest.rip) : vcpu_exit_handle(vcpu);
        if (outcome == OUTCOME_ADVANCE) {
            fake_set_rip(vcpu, guest.rip + length);
            outcome = OUTCOME_RESUME;
        }
    } while (outcome == OUTCOME_RESUME);
    return outcome;
}

UNUSED static void fake_inject(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    injections++;
    injected_vector = vector;
    injected_has_error = has_error;
    injected_error = error;
}

UNUSED static void fake_flush(struct vcpu *vcpu)
{
    flushes++;
}

UNUSED static const struct vcpu_backend fake_backend = {
    .load = fake_load,
    .unload = fake_unload,
    .run = fake_run,
    .read_state = fake_read_state,
    .read_mode = fake_read_state,
    .write_state = fake_write_state,
    .efer = fake_efer,
    .osxsave = fake_osxsave,
    .cpl = fake_cpl,
    .set_rip = fake_set_rip,
    .inject = fake_inject,
    .flush_memory = fake_flush,
};

/* --- the core --- */

UNUSED static unsigned resets, debug_resets, quiesces, waits;
UNUSED static uint64_t xcr0_written, tpr;
UNUSED static void (*during_wait)(void);

void guest_core_reset_debug(void)
{
    debug_resets++;
}

void guest_core_reset(void)
{
    assert_false(loaded);
    resets++;
}

void guest_core_set_xcr0(uint64_t value)
{
    xcr0_written = value;
}

void apic_quiesce(void)
{
    assert_false(loaded);
    apic_opened = false;
    quiesces++;
}

void apic_open(void)
{
    assert_false(loaded);
    apic_opened = true;
}

bool apic_send(uint32_t destination, uint32_t command)
{
    return true;
}

unsigned cpu_count(void)
{
    return 2;
}

void cpu_kick(struct cpu *cpu)
{
}

void cpu_wait(void)
{
    assert_false(apic_opened);
    assert_false(loaded); /* with SVM an NMI could not wake a loaded core */
    assert_true(++waits < 100);
    if (during_wait != NULL)
        during_wait();
}

/* One bank; MCG_STATUS. */
UNUSED static uint64_t bank_status, machine_check_global;
UNUSED static bool global_sticks;

/* IA32_PRED_CMD and IA32_FLUSH_CMD: written by core_barrier() alone, and both hold nothing. */
UNUSED static uint64_t commands[2];

static uint64_t *fake_msr(uint32_t msr)
{
    if (msr == MSR_MCG_STATUS)
        return &machine_check_global;
    if (msr == MSR_MC_STATUS(0))
        return &bank_status;
    if (msr == MSR_PRED_CMD || msr == MSR_FLUSH_CMD)
        return &commands[msr == MSR_FLUSH_CMD];
    assert_int_equal(msr, 0x808);
    return &tpr;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    *value = *fake_msr(msr);
    return true;
}

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    if (msr != MSR_MCG_STATUS || !global_sticks)
        *fake_msr(msr) = value;
    return true;
}

uint64_t clock_tsc_khz(void)
{
    return 1000000;
}

UNUSED static struct cpuid_result model(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    if (leaf == 0)
        result.eax = 0x16;
    if (leaf == 0xd)
        result.eax = subleaf == 0 ? 7 : 0;
    return result;
}

/* --- the guest room --- */

UNUSED static uint8_t memory[1 << 20];
UNUSED static uint64_t mmio_address, mmio_value;
UNUSED static unsigned mmio_width, mmio_count;
UNUSED static bool mmio_write, mmio_there;
UNUSED static uint16_t io_port;
UNUSED static uint32_t io_value;
UNUSED static unsigned io_count, stops;
UNUSED static bool io_there;
UNUSED static char stop_reason[32], stop_detail[256];

UNUSED static bool mmio(struct vcpu *vcpu, uint64_t address, unsigned width, bool write,
                        uint64_t *value)
{
    mmio_count++;
    mmio_address = address;
    mmio_width = width;
    mmio_write = write;
    if (write)
        mmio_value = *value;
    else
        *value = mmio_value;
    return mmio_there;
}

UNUSED static bool io(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value)
{
    io_count++;
    io_port = port;
    if (write)
        io_value = *value;
    else
        *value = io_value;
    return io_there;
}

UNUSED static enum exit_action hypercall(struct vcpu *vcpu)
{
    if (vcpu->registers[GUEST_RAX] == ABI_EXIT)
        return EXIT_STOP;
    vcpu->registers[GUEST_RAX] = 0;
    return EXIT_RESUME;
}

UNUSED static bool ipi(struct vcpu *vcpu, uint64_t icr)
{
    return false;
}

UNUSED static bool read_memory(struct vcpu *vcpu, uint64_t address, void *bytes, size_t size)
{
    if (size > sizeof memory || address > sizeof memory - size)
        return false;
    memcpy(bytes, memory + address, size);
    return true;
}

UNUSED static void stopped(struct vcpu *vcpu, const char *reason, const char *detail)
{
    stops++;
    (void)text_copy(stop_reason, sizeof stop_reason, reason);
    (void)text_copy(stop_detail, sizeof stop_detail, detail);
}

/* RAM that the guest may not run code in yet. */
UNUSED static uint64_t execute_address;
UNUSED static unsigned execute_count;

UNUSED static bool execute(struct vcpu *vcpu, uint64_t address)
{
    execute_count++;
    return execute_address != 0 && address == execute_address;
}

UNUSED static const struct vcpu_events guest_events = {.mmio = mmio,
                                                       .io = io,
                                                       .hypercall = hypercall,
                                                       .execute = execute,
                                                       .ipi = ipi,
                                                       .read_memory = read_memory,
                                                       .stopped = stopped};

UNUSED static struct cpu cpu = {.index = 3};

struct cpu *cpu_current(void)
{
    return &cpu;
}

UNUSED static struct vcpu vcpu;

UNUSED static int setup(void **state)
{
    memset(&vcpu, 0, sizeof vcpu);
    memset(&guest, 0, sizeof guest);
    memset(memory, 0x90, sizeof memory);
    vcpu.cpu = &cpu;
    cpu.corrupt = false;
    bank_status = machine_check_global = 0;
    global_sticks = false;
    *machine_check_support() = (struct machine_check_support){.banks = 1, .recovery = true};
    vcpu_state_pvh(&vcpu.start, 0x1000);
    vcpu_selected = &fake_backend;
    vcpu_selected_events = &guest_events;
    cpuid_policy_init(model);
    script_size = script_at = 0;
    loads = unloads = flushes = injections = loops = 0;
    resets = debug_resets = quiesces = waits = 0;
    mmio_count = io_count = stops = 0;
    mmio_there = io_there = true;
    loaded = apic_opened = false;
    load_status = STATUS_OK;
    before_exit = NULL;
    during_load = NULL;
    during_wait = NULL;
    host_during_relax = NULL;
    stop_reason[0] = stop_detail[0] = '\0';
    xcr0_written = tpr = 0;
    host_log_clear();
    return 0;
}

UNUSED static struct vcpu_exit *then(enum exit_kind kind, uint8_t length)
{
    script[script_size] = (struct vcpu_exit){.kind = kind};
    lengths[script_size] = length;
    return &script[script_size++];
}

/* Runs the script; the final call adds nothing to RIP because it stops. */
UNUSED static void run(void)
{
    vcpu_run(&vcpu);
    assert_int_equal(resets, 2);
    assert_false(apic_opened);
    assert_int_equal(loads, unloads);
}

UNUSED static void expect_rip(uint64_t rip)
{
    assert_true(guest.rip == rip);
    assert_int_equal(stops, 0);
}

UNUSED static void expect_injection(uint8_t vector, bool has_error)
{
    assert_int_equal(injections, 1);
    assert_int_equal(injected_vector, vector);
    assert_int_equal(injected_has_error, has_error);
    assert_int_equal(injected_error, 0);
    expect_rip(0x1000);
}

UNUSED static void expect_stop(const char *reason, const char *detail)
{
    assert_int_equal(stops, 1);
    assert_string_equal(stop_reason, reason);
    if (strlen(detail) > 0 && host_log_text() != NULL) {
        bool found = false;
        for (const char *at = stop_detail; *at != '\0'; at++)
            found |= text_begins(at, detail);
        if (!found)
            print_message("%s\n", stop_detail);
        assert_true(found);
    }
    assert_int_equal(host_log_count("guest.registers", "core=3"), 3);
    assert_true(host_log_count("guest.registers", "rip=0x1000") == 1);
}

UNUSED static void set_long_mode(uint64_t rip)
{
    vcpu.start.cr0 = CR0_PE | CR0_PG;
    vcpu.start.cr4 = CR4_PAE;
    vcpu.start.efer = EFER_LME | EFER_LMA;
    vcpu.start.cs.attributes = 0xa09b;
    vcpu.start.cr3 = 0x10000;
    vcpu.start.rip = rip;
}

UNUSED static uint64_t rax_before_call;

UNUSED static void keep_rax(struct vcpu *target)
{
    rax_before_call = target->registers[GUEST_RAX];
}

#define CASE(name) cmocka_unit_test_setup(name, setup)
