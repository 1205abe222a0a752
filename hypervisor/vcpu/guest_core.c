/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/guest_core.h"

#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/x86/registers.h"

#define CPUID_1_ECX_XSAVE BIT(26)

#define XSAVE_AREA  4096 /* larger than x87..AVX-512 in standard format (2696 bytes) */
#define FCW_RESET   0x037f
#define MXCSR_RESET 0x1f80

/* SDM 1 13.4: legacy region, then a header whose zero XSTATE_BV means "all initial". */
static const struct {
    uint16_t fcw;        /* 0 */
    uint8_t unused0[22]; /* 2 */
    uint32_t mxcsr;      /* 24 */
    uint8_t unused1[XSAVE_AREA - 28];
} initial __attribute__((aligned(64))) = {.fcw = FCW_RESET, .mxcsr = MXCSR_RESET};
_Static_assert(sizeof initial == XSAVE_AREA, "SDM 1 13.4");
_Static_assert(__builtin_offsetof(__typeof__(initial), mxcsr) == 24, "SDM 1 10.5.1");

void guest_core_set_xcr0(uint64_t value)
{
    cr4_write(cr4_read() | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void extended_state_reset(void)
{
    cr0_write(cr0_read() & ~(CR0_TS | CR0_EM));
    if ((cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) == 0) {
        cr4_write(cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT);
        __asm__ volatile("fxrstor64 %0" : : "m"(initial));
        return;
    }
    uint64_t components = cpuid_machine.xcr0;
    cr4_write(cr4_read() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    guest_core_set_xcr0(components);
    __asm__ volatile("xrstor64 %0"
                     :
                     : "m"(initial), "a"((uint32_t)components), "d"((uint32_t)(components >> 32)));
    guest_core_set_xcr0(1);
}

void guest_core_reset_debug(void)
{
    uint64_t zero = 0, dr6 = 0xffff0ff0, dr7 = 0x400;
    __asm__ volatile("mov %0, %%dr7" : : "r"(dr7));
    __asm__ volatile("mov %0, %%dr0" : : "r"(zero));
    __asm__ volatile("mov %0, %%dr1" : : "r"(zero));
    __asm__ volatile("mov %0, %%dr2" : : "r"(zero));
    __asm__ volatile("mov %0, %%dr3" : : "r"(zero));
    __asm__ volatile("mov %0, %%dr6" : : "r"(dr6));
}

void guest_core_reset(void)
{
    /* Direct for guests; which of them a back-end switches itself makes no difference. */
    static const uint32_t registers[] = {
        MSR_STAR,           MSR_LSTAR,   MSR_CSTAR, MSR_SFMASK,
        MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_XSS}; /* no guest writes it, but firmware may have */

    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        (void)!msr_write_safe(registers[i], 0); /* not there: nothing to clear */
    guest_core_reset_debug();
    extended_state_reset();
}
