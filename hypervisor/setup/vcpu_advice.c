/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/vcpu_advice.h"

#define AMD_EBX        0x68747541u /* "Auth" of AuthenticAMD, CPUID 0 */
#define FAMILY_ZEN     0x17u
#define FIRST_OF_ZEN_2 0x30u /* models of family 17h */

/* CPUID 1, EAX (SDM 2A; APM 3 E.3.2) */
static unsigned family(uint32_t signature)
{
    unsigned base = signature >> 8 & 0xf;
    return base == 0xf ? base + (signature >> 20 & 0xff) : base;
}

static unsigned model(uint32_t signature)
{
    return (signature >> 12 & 0xf0) | (signature >> 4 & 0xf);
}

const char *vcpu_x2apic_advice(cpuid_query *query)
{
    uint32_t signature = query(1, 0).eax;
    if (query(0, 0).ebx != AMD_EBX)
        return "the CPU has no x2APIC; switch it on in the firmware's set-up, or give QEMU -cpu "
               "...,+x2apic";
    if (family(signature) < FAMILY_ZEN ||
        (family(signature) == FAMILY_ZEN && model(signature) < FIRST_OF_ZEN_2))
        return "this processor has no x2APIC, which guests need, and no firmware setting gives it "
               "one: AMD's have it from Zen 2 on. In QEMU: -cpu ...,+x2apic";
    return "the CPU shows no x2APIC, which guests need: set the local APIC mode (AMD CBS, CPU "
           "common options) to x2APIC or Auto in the firmware's set-up; some boards do not offer "
           "it";
}
