/* SPDX-License-Identifier: MIT */
/* A VMCS of plain memory, the core's registers and a dispatcher that only says what it was given.
 * Static on purpose. */
#pragma once

#include <string.h>

#include "hypervisor/setup/vmx.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

static uint64_t fields[0x8000];
static unsigned reads;
static uint64_t core_registers[2];
static unsigned nmi_unblocked;
static enum outcome handled; /* what the dispatcher makes of the exit */
static uint8_t guest_page[PAGE_SIZE];
static bool guest_has_ram;

struct vmx_capabilities vmx_capabilities = {
    .cr0_fixed0 = 0x80000021,
    .cr0_fixed1 = 0xffffffff,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x3727ff,
};
struct vmx_controls vmx_controls = {
    .word = {[VMX_PIN] = 0x3e, [VMX_ENTRY] = 0xd1ff, [VMX_SECONDARY] = 0x1010aa}};

uint64_t vmcs_read(enum vmcs_field field)
{
    reads++;
    return fields[field];
}

void vmcs_write(enum vmcs_field field, uint64_t value)
{
    fields[field] = value;
}

uint64_t guest_register_read(enum core_register which)
{
    return core_registers[which];
}

void guest_register_write(enum core_register which, uint64_t value)
{
    core_registers[which] = value;
}

static struct vcpu_exit exit_;

enum outcome vcpu_exit_handle(struct vcpu *exited)
{
    exit_ = exited->exit;
    return handled;
}

struct cpuid_machine cpuid_machine = {.cr4 = CR4_PAE | CR4_PGE | BIT(6) | CR4_OSXSAVE};

void vmx_unblock_nmi(void)
{
    nmi_unblocked++;
}

static bool read_memory(struct vcpu *reader, uint64_t address, void *bytes, size_t size)
{
    memcpy(bytes, guest_page + address % PAGE_SIZE, size);
    return guest_has_ram;
}

static const struct vcpu_events events = {.read_memory = read_memory};
const struct vcpu_events *vcpu_selected_events = &events;

static struct vcpu vcpu;
static struct cpu core = {.index = 5};

static int fresh(void **state)
{
    memset(fields, 0, sizeof fields);
    memset(core_registers, 0, sizeof core_registers);
    memset(&vcpu, 0, sizeof vcpu);
    vcpu.cpu = &core;
    memset(&exit_, 0xee, sizeof exit_);
    reads = nmi_unblocked = 0;
    handled = OUTCOME_RESUME;
    memset(&vcpu.exit, 0xee, sizeof vcpu.exit);
    guest_has_ram = true;
    vmx_controls.word[VMX_PIN] |= PIN_VIRTUAL_NMI;
    fields[VMCS_GUEST_RFLAGS] = 2;
    fields[VMCS_CR4_MASK] = vmx_cr4_mask(); /* as load() writes it */
    return 0;
}

static void decode(uint64_t reason)
{
    fields[VMCS_EXIT_REASON] = reason;
    assert_int_equal(vmx_exited(&vcpu), OUTCOME_RESUME);
    assert_int_equal(exit_.reason, reason);
}
