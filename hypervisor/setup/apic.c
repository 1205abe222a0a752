/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/apic.h"

#include "hypervisor/base/log.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/cpu.h"
#include "hypervisor/x86/apic_registers.h"
#include "hypervisor/x86/core_state.h"
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
    if (cpu_current()->index == 0)
        apic_keep_thermal();
    apic_quiesce();
    return STATUS_OK;
}

/* Firmware that answers the thermal sensor by an SMI still does, on the boot core and, outside
 * guests, on the others: without it a machine may not cool itself. An entry of another kind was for
 * an operating system, or for nobody. */
void apic_keep_thermal(void)
{
    if (FIELD(apic_read(APIC_VERSION), 23, 16) < 5)
        return; /* there is none (SDM 3A 11.5.1) */
    uint32_t entry = apic_read(APIC_LVT_THERMAL);
    bool smi = (entry & (APIC_LVT_DELIVERY | APIC_LVT_MASKED)) == APIC_LVT_SMI;
    apic_mode.thermal = smi ? APIC_LVT_SMI : 0;
}

void apic_connect(const struct madt *madt)
{
    const struct madt_nmi *nmi = madt_nmi_of(madt, core_states.cpus[0].apic_id);
    if (apic_mode.thermal != 0)
        log_event("apic.thermal", "message=\"firmware's SMI handler keeps the thermal sensors of "
                                  "the boot core and, while no guest has them, of the others\"");
    if (nmi == NULL)
        return;
    apic_write(nmi->pin == 0 ? APIC_LVT_LINT0 : APIC_LVT_LINT1,
               APIC_LVT_NMI | (nmi->active_low ? APIC_LVT_ACTIVE_LOW : 0));
    log_event("nmi.connected",
              "pin=LINT%u message=\"the machine's NMI line is noted by core 0: an "
              "NMI button, or an error of a bus, is logged as nmi.external\"",
              nmi->pin);
}
