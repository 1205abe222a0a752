/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/apic.h"

#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/registers.h"

static enum status choose_mode(void)
{
    struct cpuid_result features = cpuid(1, 0);
    if ((features.edx & BIT(9)) == 0)
        return STATUS_UNSUPPORTED;
    apic_mode.x2apic = (features.ecx & BIT(21)) != 0;
    if (apic_mode.x2apic || apic_mode.registers != 0)
        return STATUS_OK;
    uint64_t base = msr_read(MSR_APIC_BASE) & BITS(51, 12);
    apic_mode.registers = map_device(base, PAGE_SIZE);
    return apic_mode.registers != 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

bool apic_is_x2apic(void)
{
    return apic_mode.x2apic;
}

enum status apic_enable(void)
{
    enum status status = choose_mode();
    if (status != STATUS_OK)
        return status;
    uint64_t base = msr_read(MSR_APIC_BASE);
    /* SDM 3A 11.12.5: from disabled to x2APIC only by way of xAPIC. */
    if ((base & APIC_BASE_ENABLE) == 0) {
        base |= APIC_BASE_ENABLE;
        msr_write(MSR_APIC_BASE, base);
    }
    if (apic_mode.x2apic && (base & APIC_BASE_X2APIC) == 0)
        msr_write(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    apic_quiesce();
    return STATUS_OK;
}
