/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/policy/msr.h"

#include "hypervisor/vcpu/policy/cpuid.h"
#include "hypervisor/vcpu/interrupt.h"
#include "hypervisor/vcpu/vcpu.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"

#define APIC_BASE_ADDRESS UINT64_C(0xfee00000)
#define APIC_BASE_BSP     BIT(8)
#define APIC_BASE_X2APIC  BIT(10)
#define APIC_BASE_ENABLE  BIT(11)
#define LVT_VECTOR_UNUSED 0xff

/* What is defined in an entry of the local vector table (SDM 3A figure 11-8). */
#define LVT_COMMON       (BITS(7, 0) | BIT(12) | LVT_MASKED) /* vector, delivery status, mask */
#define LVT_DELIVERY     BITS(10, 8)
#define LVT_PIN          BITS(15, 13) /* polarity, remote IRR, trigger mode */
#define LVT_PERIODIC     BIT(17)
#define LVT_TSC_DEADLINE BIT(18)

#define MSR_LVT_CMCI  0x82f
#define MSR_LVT_LINT0 0x835
#define MSR_LVT_LINT1 0x836
#define MSR_LVT_ERROR 0x837

static uint64_t read_apic_base(struct vcpu *vcpu)
{
    return APIC_BASE_ADDRESS | APIC_BASE_ENABLE | APIC_BASE_X2APIC |
           (vcpu->index == 0 ? APIC_BASE_BSP : 0);
}

/* The APIC neither moves nor leaves x2APIC mode: another mode would be another core's memory. */
static bool write_apic_base(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    return value == read_apic_base(vcpu);
}

static bool write_zero_only(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu, (void)msr;
    return value == 0;
}

static uint64_t read_efer(struct vcpu *vcpu)
{
    return vcpu_backend()->efer(vcpu) & ~EFER_SVME;
}

/* SDM 3A 2.2.1: LMA is the CPU's own, LME is fixed while paging is on. */
static bool write_efer(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct vcpu_state state;
    (void)msr;
    vcpu_backend()->read_state(vcpu, &state);
    if ((value & ~cpuid_machine.efer) != 0)
        return false;
    if ((state.cr0 & CR0_PG) != 0 && ((value ^ state.efer) & EFER_LME) != 0)
        return false;
    state.efer = (value & ~EFER_LMA) | (state.efer & EFER_LMA);
    vcpu_backend()->write_state(vcpu, &state);
    return true;
}

struct msr_machine msr_machine;

static uint64_t lvt_defined(uint32_t msr)
{
    switch (msr) {
    case MSR_LVT_TIMER:
        return LVT_COMMON | LVT_PERIODIC | (msr_machine.has_tsc_deadline ? LVT_TSC_DEADLINE : 0);
    case MSR_LVT_LINT0:
    case MSR_LVT_LINT1:
        return LVT_COMMON | LVT_DELIVERY | LVT_PIN;
    case MSR_LVT_ERROR:
        return LVT_COMMON;
    default: /* CMCI, thermal sensor, performance counters */
        return LVT_COMMON | LVT_DELIVERY;
    }
}

/* Local vector table: what is not delivered as an ordinary interrupt would reach the hypervisor
 * (NMI, INIT), the firmware (SMI) or a controller that is not there (ExtINT). Such an entry is
 * written masked: system software sets LINT0 and LINT1 up that way out of habit. Reserved bits are
 * checked here because emulated APICs store them and act on them. */
static bool write_lvt(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    const uint64_t reserved_mode = LVT_PERIODIC | LVT_TSC_DEADLINE;
    if ((value & ~lvt_defined(msr)) != 0 || (value & reserved_mode) == reserved_mode)
        return false;
    if ((value & LVT_DELIVERY) != 0) {
        if ((value & LVT_MASKED) == 0)
            vcpu->commands_dropped++;
        value = LVT_MASKED | LVT_VECTOR_UNUSED;
    }
    return msr_write_safe(msr, value);
}

static bool write_icr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (!icr_permitted(value) || !vcpu_events()->ipi(vcpu, value))
        vcpu->commands_dropped++;
    return true;
}

/* Ascending. Registers of AMD CPUs that answer 0 are those which Linux touches unconditionally. */
// clang-format off
const struct msr_rule msr_rules[] = {
    {0x010, 0x010, .read = DIRECT, .write = EMULATE},                 /* TSC: writes dropped */
    {0x017, 0x017, .read = EMULATE},                                  /* PLATFORM_ID */
    {MSR_APIC_BASE, MSR_APIC_BASE, .read = EMULATE, .write = EMULATE,
     .on_read = read_apic_base, .on_write = write_apic_base},
    {MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL, .read = EMULATE, .value = 1}, /* locked, no VMX */
    {0x08b, 0x08b, .read = EMULATE, .write = EMULATE},                /* BIOS_SIGN_ID */
    {0x0ce, 0x0ce, .read = EMULATE},                                  /* PLATFORM_INFO */
    {0x0fe, 0x0fe, .read = EMULATE, .value = 0x400},                  /* MTRRCAP: WC, no ranges */
    {0x174, 0x176, .read = DIRECT, .write = DIRECT},                  /* SYSENTER_CS, ESP, EIP */
    {0x179, 0x17a, .read = EMULATE},                                  /* MCG_CAP, MCG_STATUS */
    {0x198, 0x198, .read = EMULATE},                                  /* PERF_STATUS */
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, .read = EMULATE, .write = EMULATE,
     .value = 0x1801},                          /* fast strings, neither BTS nor PEBS */
    {0x1d9, 0x1d9, .read = EMULATE, .write = EMULATE, .on_write = write_zero_only}, /* DEBUGCTL */
    {MSR_PAT, MSR_PAT, .read = DIRECT, .write = DIRECT},
    {MSR_MTRR_DEF_TYPE, MSR_MTRR_DEF_TYPE, .read = EMULATE, .write = EMULATE,
     .value = 0x806},                           /* enabled, write-back */
    {MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, .read = DIRECT, .write = DIRECT},
    {0x802, 0x803, .read = DIRECT},                                   /* id, version */
    {0x808, 0x808, .read = DIRECT, .write = DIRECT},                  /* TPR */
    {0x80a, 0x80a, .read = DIRECT},                                   /* PPR */
    {0x80b, 0x80b, .write = DIRECT},                                  /* EOI */
    {0x80d, 0x80d, .read = DIRECT},                                   /* LDR */
    {0x80f, 0x80f, .read = DIRECT, .write = DIRECT},                  /* SVR */
    {0x810, 0x827, .read = DIRECT},                                   /* ISR, TMR, IRR */
    {0x828, 0x828, .read = DIRECT, .write = DIRECT},                  /* ESR */
    {MSR_LVT_CMCI, MSR_LVT_CMCI, .read = DIRECT, .write = EMULATE, .on_write = write_lvt},
    /* What it holds is the last command of this core, which may be the hypervisor's own. */
    {MSR_X2APIC_ICR, MSR_X2APIC_ICR, .read = EMULATE, .write = EMULATE, .on_write = write_icr},
    {MSR_LVT_TIMER, MSR_LVT_TIMER, .read = DIRECT, .write = DIRECT_IF_PROBED,
     .on_write = write_lvt},
    {0x833, MSR_LVT_ERROR, .read = DIRECT, .write = EMULATE, .on_write = write_lvt},
    {0x838, 0x838, .read = DIRECT, .write = DIRECT},                  /* initial count */
    {0x839, 0x839, .read = DIRECT},                                   /* current count */
    {0x83e, 0x83e, .read = DIRECT, .write = DIRECT},                  /* divide configuration */
    {0x83f, 0x83f, .write = DIRECT},                                  /* SELF IPI */
    {MSR_EFER, MSR_EFER, .read = EMULATE, .write = EMULATE,
     .on_read = read_efer, .on_write = write_efer},
    {MSR_STAR, MSR_SFMASK, .read = DIRECT, .write = DIRECT},
    {MSR_FS_BASE, MSR_KERNEL_GS_BASE, .read = DIRECT, .write = DIRECT},
    {MSR_TSC_AUX, MSR_TSC_AUX, .read = DIRECT, .write = DIRECT},
    {0xc0010010, 0xc0010010, .read = EMULATE},                        /* AMD SYSCFG */
    {0xc0010015, 0xc0010015, .read = EMULATE, .write = EMULATE,
     .value = BIT(24)},                         /* AMD HWCR: the TSC counts at a fixed rate */
    {0xc001001f, 0xc001001f, .read = EMULATE},                        /* AMD NB_CFG */
    {0xc0010055, 0xc0010055, .read = EMULATE},                        /* AMD INT_PENDING */
    {0xc0010058, 0xc0010058, .read = EMULATE},                        /* AMD MMIO_CFG_BASE */
    {0xc0011022, 0xc0011022, .read = EMULATE, .write = EMULATE},      /* AMD DC_CFG */
    {0xc0011029, 0xc0011029, .read = EMULATE, .write = EMULATE,
     .value = BIT(1)},                          /* AMD DE_CFG: LFENCE serialises */
};
// clang-format on

const size_t msr_rule_count = ARRAY_SIZE(msr_rules);

const struct msr_rule *msr_rule_of(uint32_t msr)
{
    size_t low = 0, high = ARRAY_SIZE(msr_rules);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (msr < msr_rules[middle].first)
            high = middle;
        else if (msr > msr_rules[middle].last)
            low = middle + 1;
        else
            return &msr_rules[middle];
    }
    return NULL;
}

/* A direct register exits only where a back-end's bitmap cannot name it; then it is denied. */
bool msr_policy_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct msr_rule *rule = msr_rule_of(msr);
    if (rule == NULL || rule->read != EMULATE)
        return false;
    *value = rule->on_read != NULL ? rule->on_read(vcpu) : rule->value;
    return true;
}

bool msr_policy_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    const struct msr_rule *rule = msr_rule_of(msr);
    if (rule == NULL || (rule->write != EMULATE && rule->write != DIRECT_IF_PROBED))
        return false;
    return rule->on_write == NULL || rule->on_write(vcpu, msr, value);
}
