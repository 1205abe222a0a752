/* SPDX-License-Identifier: MIT */
/* How a core gets into its defined state. */
#include "hypervisor/setup/cpu.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/x86/apic.h"
#include "hypervisor/x86/cache_lines.h"
#include "hypervisor/x86/core_state.h"
#include "hypervisor/x86/exceptions.h"
#include "hypervisor/x86/registers.h"

#define EXCEPTION_STACK_PAGES 2
#define EARLY_STACK_SIZE      KIB(8)

#define CPUID_7_ECX_PKU BIT(3)
#define CR4_PKE         BIT(22)

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA  0xa1

/* The reset value (SDM 3A 12.12.4), entry 0 write-back, 1 write-through, 2 uncached-, 3 uncached,
 * and the same again, but for entry 1: write-combining. Host page tables use entries 0, 1 and 3. */
#define PAT_DEFAULT UINT64_C(0x0007040600070106)

/* The boot core's, until memory management gives it guarded ones. */
static uint8_t early_stacks[EXCEPTION_STACKS][EARLY_STACK_SIZE] __attribute__((aligned(16)));

static void write_cr0(void)
{
    cr0_write(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
}

/* The hypervisor runs no user mode, but SMEP and UMIP cost nothing where they exist. SMAP stays
 * off: there is no user page it could protect. Global pages, PCIDs, protection keys and CET
 * stay off too: a write to CR3 flushes everything. */
static void write_cr4(void)
{
    struct cpuid_result basic = cpuid(1, 0);
    struct cpuid_result extended = {0};
    if (cpuid(0, 0).eax >= 7)
        extended = cpuid(7, 0);
    uint64_t value = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    /* The number of page-table levels cannot be changed while paging is on. */
    value |= cr4_read() & CR4_LA57;
    if ((basic.edx & BIT(7)) != 0)
        value |= CR4_MCE;
    if ((basic.ecx & BIT(26)) != 0)
        value |= CR4_OSXSAVE;
    if ((extended.ecx & BIT(2)) != 0)
        value |= CR4_UMIP;
    if ((extended.ebx & BIT(7)) != 0)
        value |= CR4_SMEP;
    cr4_write(value);
}

static void write_pat(void)
{
    if ((cpuid(1, 0).edx & BIT(16)) == 0 || msr_read(MSR_PAT) == PAT_DEFAULT)
        return;
    __asm__ volatile("wbinvd" ::: "memory");
    msr_write(MSR_PAT, PAT_DEFAULT);
    __asm__ volatile("wbinvd" ::: "memory");
    cr3_write(cr3_read());
}

/* The hypervisor computes with neither; a guest must find the state after reset and nothing of the
 * firmware's. XCR0 = x87 only (SDM 1 13.3). */
static void reset_floating_point(void)
{
    static const uint32_t mxcsr_default = 0x1f80;
    __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr_default));
    if ((cr4_read() & CR4_OSXSAVE) != 0)
        __asm__ volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
}

/* What firmware left. No guest reaches them, nor does any core set them again: CR4.PKE is off for
 * guests and hypervisor alike. */
static void reset_protection_keys(void)
{
    uint64_t cr4 = cr4_read();
    if (cpuid(0, 0).eax < 7 || (cpuid(7, 0).ecx & CPUID_7_ECX_PKU) == 0)
        return;
    cr4_write(cr4 | CR4_PKE);
    __asm__ volatile("wrpkru" : : "a"(0), "c"(0), "d"(0));
    cr4_write(cr4);
}

void core_state_load(struct cpu *cpu)
{
    (void)!interrupts_disable();
    cpu->self = cpu;
    descriptors_load(cpu->index);
    msr_write(MSR_FS_BASE, 0);
    msr_write(MSR_GS_BASE, (uintptr_t)cpu);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    idt_load();
    msr_write(MSR_EFER, (msr_read(MSR_EFER) & (EFER_LME | EFER_LMA)) | EFER_NXE);
    write_cr0();
    machine_check_enable();
    write_cr4();
    write_pat();
    reset_floating_point();
    reset_protection_keys();
}

/* SDM 2A CPUID: 1.EBX[15:8], 1.EDX[19], 7.0.EBX[23]. */
static void find_cache_lines(void)
{
    struct cpuid_result features = cpuid(1, 0);
    bool clflushopt = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & BIT(23)) != 0;
    size_t size = FIELD(features.ebx, 15, 8) * 8;
    cache_lines.size = size != 0 ? size : 64;
    cache_lines.flush = (features.edx & BIT(19)) == 0 ? FLUSH_WBINVD
                        : clflushopt                  ? FLUSH_CLFLUSHOPT
                                                      : FLUSH_CLFLUSH;
}

void cpu_init_early(void)
{
    find_cache_lines();
    for (unsigned i = 0; i < EXCEPTION_STACKS; i++)
        descriptors_set_stack(0, (enum exception_stack)(i + 1),
                              (uintptr_t)early_stacks[i] + EARLY_STACK_SIZE);
    idt_init();
    struct cpu *cpu = &core_states.cpus[0];
    *cpu = (struct cpu){.state = CPU_IDLE};
    core_states.online = 1;
    core_state_load(cpu);
}

enum status core_stacks_create(unsigned core)
{
    for (unsigned i = 0; i < EXCEPTION_STACKS; i++) {
        uintptr_t top = stack_create(EXCEPTION_STACK_PAGES);
        if (top == 0)
            return STATUS_NO_MEMORY;
        descriptors_set_stack(core, (enum exception_stack)(i + 1), top);
    }
    return STATUS_OK;
}

enum status cpu_init_boot(void)
{
    enum status status = core_stacks_create(0);
    if (status != STATUS_OK)
        return status;
    exceptions_is_guard = stack_is_guard;
    port_write8(PIC_MASTER_DATA, 0xff);
    port_write8(PIC_SLAVE_DATA, 0xff);
    status = apic_enable();
    if (status != STATUS_OK)
        return status;
    core_states.cpus[0].apic_id = apic_id();
    machine_check_log_support();
    return STATUS_OK;
}
