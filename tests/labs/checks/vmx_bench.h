/* SPDX-License-Identifier: MIT */
/* A modelled core with VMX, a vCPU on it, and what the VMX back-end needs of the rest. Static on
 * purpose. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/vmx.h"
#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/vcpu/events.h"
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/descriptors.h"
#include "hypervisor/x86/exceptions.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/vmx_core.h"
#include "tests/unit/support/host.h"

/* Assembly, and policy of other files. */
enum outcome vmx_run(struct vcpu *vcpu)
{
    return OUTCOME_STOP;
}

enum outcome vmx_guarded_run(struct vcpu *vcpu)
{
    return OUTCOME_STOP;
}

void vmx_unblock_nmi(void)
{
}

unsigned physical_address_bits(void)
{
    return vmx_core.vmcs.physical_bits;
}

void vmx_bitmaps_build(void)
{
}

struct nmi_window nmi_windows[NMI_WINDOWS];
const uint8_t vmx_exit_point[16], vmx_launch_window[1], vmx_launch_window_end[1];
const uint8_t vmx_launch_kicked[1], vmx_resume_window[1], vmx_resume_window_end[1];
const uint8_t vmx_resume_kicked[1], vmx_guarded_exit_point[16], vmx_guarded_launch_window[1];
const uint8_t vmx_guarded_launch_window_end[1], vmx_guarded_launch_kicked[1];
const uint8_t vmx_guarded_resume_window[1], vmx_guarded_resume_window_end[1];
const uint8_t vmx_guarded_resume_kicked[1];
struct cpuid_machine cpuid_machine = {.cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSXSAVE};
static enum outcome handled; /* what the dispatcher makes of an exit */

enum outcome vcpu_exit_handle(struct vcpu *vcpu)
{
    return handled;
}

struct cpu_kind {
    const char *name;
    uint64_t msr[VMX_CORE_MSRS]; /* IA32_VMX_BASIC on */
};

__attribute__((unused)) static const struct cpu_kind kinds[] = {
    {"a CPU that has VPID, XSAVES and ENCLS",
     {0x00d810000000002b, 0x000000ff00000016, 0xfff9fffe0401e172, 0x407fffff00036dff,
      0x0000ffff000011ff, 0x00000000600401e0, 0x0000000080000021, 0x00000000ffffffff,
      0x0000000000002000, 0x00000000003727ff, 0x0000000000000050, 0x1257ffff00000000,
      0x00000f0106734141, 0x000000ff00000016, 0xfff9fffe04006172, 0x407fffff00036dfb,
      0x0000ffff000011fb}},
    {"a CPU that has neither VPID nor XSAVES nor ENCLS",
     {0x00d8100011e57ed0, 0x0000007f00000016, 0xfff9fffe0401e172, 0x003fffff00036dff,
      0x0000f3ff000011ff, 0x0000000020000165, 0x0000000080000021, 0x00000000ffffffff,
      0x0000000000002000, 0x00000000000027ff, 0x000000000000002e, 0x0000008a00000000,
      0x0000000106334041, 0x0000007f00000016, 0xfff9fffe04006172, 0x003fffff00036dfb,
      0x0000f3ff000011fb}},
};

static struct cpu core;
static struct vcpu vcpu;
static struct page_table tables;
static uint8_t table_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

__attribute__((unused)) static const char *last_refusal(void)
{
    static char text[400];
    const char *found = strstr(host_log_text(), "message=\"");
    snprintf(text, sizeof text, "%.*s", found != NULL ? (int)strcspn(found + 9, "\"") : 0,
             found != NULL ? found + 9 : "");
    return text[0] != '\0' ? text : "the log does not say why";
}

/* The core of that kind, as boot leaves it: controls are chosen, VMX is off. */
__attribute__((unused)) static void core_of(const struct cpu_kind *kind)
{
    host_log_clear();
    vmx_core_reset(kind->msr);
    vmx_core.cr3 = 0x1000u * seeded("cr3", 0x100, 0xffff, 0x1fc17);
    vmx_core.fs_base = 0x8000 + 0x10u * seeded("fs", 1, 99, 7);
    vmx_core.kernel_gs_base = 0x9000;
    vmx_capabilities_read(&vmx_capabilities, vmx_core_msr);
    expect(vmx_controls_choose(&vmx_capabilities, &vmx_controls) == STATUS_OK,
           "the check's own CPU is refused: %s", host_log_text());
    core = (struct cpu){.index = seeded("core", 1, CPU_MAX - 1, 3)};
    vmx_core.gs_base = (uintptr_t)&core;
    vcpu = (struct vcpu){.cpu = &core, .memory = &tables};
    tables = (struct page_table){.root = (uint64_t *)(uintptr_t)table_page, .levels = 4};
    vmx_way = &vmx_plain;
    handled = OUTCOME_RESUME;
    host_log_clear();
}

__attribute__((unused)) static void expect_lawful(const char *when)
{
    expect(vmx_core_violation() == NULL, "%s, %s", vmx_core_violation(), when);
}

/* With VMX on and a VMCS that nobody has written. */
__attribute__((unused)) static void in_operation(const struct cpu_kind *kind)
{
    static struct vmx_region region __attribute__((aligned(PAGE_SIZE)));
    core_of(kind);
    vmx_core_in_operation();
    region.revision = VMX_BASIC_REVISION(vmx_capabilities.basic);
    vcpu.control_page = &region;
}

__attribute__((unused)) static void load(const char *when)
{
    asking("load(), %s", when);
    enum status status = vmx_backend.load(&vcpu);
    expect_lawful(when);
    expect(status == STATUS_OK, "load() fails, %s: %s", when, last_refusal());
}

__attribute__((unused)) static uint64_t field(uint32_t which)
{
    return vmx_core.vmcs.known[which] ? vmx_core.vmcs.value[which] : 0;
}

/* One field, after load(). */
__attribute__((unused)) static void expect_field(uint32_t which, uint64_t wanted, const char *why)
{
    const char *name = vmcs_field_name(which);
    bool plural = vmcs_name_is_plural(name);
    expect(vmx_core.vmcs.known[which], "%s %s never written; %s", name, plural ? "were" : "was",
           why);
    expect(field(which) == wanted, "%s %s %#llx instead of %#llx; %s", name, plural ? "are" : "is",
           (unsigned long long)field(which), (unsigned long long)wanted, why);
}
