/* SPDX-License-Identifier: MIT */
/* Which VMX controls must be on, may be on and must be off, as one table, against what the CPU
 * allows. */
#include "hypervisor/base/log.h"
#include "hypervisor/setup/vmx.h"
#include "hypervisor/setup/vmx_registers.h"

enum need {
    REQUIRED, /* no guest without it */
    WANTED,   /* taken where the CPU has it */
    OFF,      /* must be possible to leave off */
};

struct control_rule {
    enum vmx_control_word word;
    enum need need;
    uint32_t bit;
    const char *name; /* as SDM 3C 25.6 to 25.8 call it */
    const char *why;
};

/* In the order of dependence: the first refusal is the one to look at. */
static const struct control_rule rules[] = {
    {VMX_PIN, REQUIRED, PIN_NMI_EXIT, "NMI exiting", "an NMI is how a core leaves guest mode"},
    {VMX_PIN, WANTED, PIN_VIRTUAL_NMI, "virtual NMIs", "guests can have NMIs of their own"},
    {VMX_PIN, OFF, PIN_EXTERNAL_INTERRUPT_EXIT, "external-interrupt exiting",
     "guests take their interrupts directly"},
    {VMX_PIN, OFF, PIN_PREEMPTION_TIMER, "VMX-preemption timer", "cores are not time-shared"},
    {VMX_PIN, OFF, PIN_POSTED_INTERRUPTS, "posted interrupts", "guests own their local APIC"},

    {VMX_PRIMARY, REQUIRED, PRIMARY_SECONDARY, "activate secondary controls",
     "EPT is selected there"},
    {VMX_PRIMARY, REQUIRED, PRIMARY_MSR_BITMAPS, "MSR bitmaps", "MSRs are granted one by one"},
    {VMX_PRIMARY, REQUIRED, PRIMARY_IO_BITMAPS, "I/O bitmaps", "ports are granted one by one"},
    {VMX_PRIMARY, REQUIRED, PRIMARY_MWAIT_EXIT, "MWAIT exiting", "guests have no MWAIT"},
    {VMX_PRIMARY, REQUIRED, PRIMARY_MONITOR_EXIT, "MONITOR exiting", "guests have no MONITOR"},
    {VMX_PRIMARY, REQUIRED, PRIMARY_RDPMC_EXIT, "RDPMC exiting",
     "performance counters belong to no guest"},
    {VMX_PRIMARY, OFF, PRIMARY_INTERRUPT_WINDOW, "interrupt-window exiting",
     "guests take their interrupts directly"},
    {VMX_PRIMARY, OFF, PRIMARY_TSC_OFFSET, "use TSC offsetting", "guests see the real TSC"},
    {VMX_PRIMARY, OFF, PRIMARY_HLT_EXIT, "HLT exiting", "a guest idles on its own core"},
    {VMX_PRIMARY, OFF, PRIMARY_INVLPG_EXIT, "INVLPG exiting", "EPT makes it needless"},
    {VMX_PRIMARY, OFF, PRIMARY_RDTSC_EXIT, "RDTSC exiting", "guests see the real TSC"},
    {VMX_PRIMARY, OFF, PRIMARY_CR3_LOAD_EXIT, "CR3-load exiting", "EPT makes it needless"},
    {VMX_PRIMARY, OFF, PRIMARY_CR3_STORE_EXIT, "CR3-store exiting", "EPT makes it needless"},
    {VMX_PRIMARY, OFF, PRIMARY_CR8_LOAD_EXIT, "CR8-load exiting", "guests own their local APIC"},
    {VMX_PRIMARY, OFF, PRIMARY_CR8_STORE_EXIT, "CR8-store exiting", "guests own their local APIC"},
    {VMX_PRIMARY, OFF, PRIMARY_TPR_SHADOW, "use TPR shadow", "guests own their local APIC"},
    {VMX_PRIMARY, OFF, PRIMARY_NMI_WINDOW, "NMI-window exiting", "it would exit for ever"},
    {VMX_PRIMARY, OFF, PRIMARY_MOV_DR_EXIT, "MOV-DR exiting", "guests own debug registers"},
    {VMX_PRIMARY, OFF, PRIMARY_IO_UNCONDITIONAL, "unconditional I/O exiting",
     "the I/O bitmaps decide"},
    {VMX_PRIMARY, OFF, PRIMARY_MONITOR_TRAP, "monitor trap flag", "it would exit for ever"},
    {VMX_PRIMARY, OFF, PRIMARY_PAUSE_EXIT, "PAUSE exiting", "a guest spins on its own core"},

    {VMX_SECONDARY, REQUIRED, SECONDARY_EPT, "EPT", "guests' memory is separated by it"},
    {VMX_SECONDARY, REQUIRED, SECONDARY_UNRESTRICTED, "unrestricted guest",
     "guests start without paging"},
    {VMX_SECONDARY, WANTED, SECONDARY_VPID, "VPID", "guest translations survive exits"},
    {VMX_SECONDARY, WANTED, SECONDARY_RDTSCP, "enable RDTSCP", "guests can use it"},
    {VMX_SECONDARY, WANTED, SECONDARY_INVPCID, "enable INVPCID", "guests can use it"},
    {VMX_SECONDARY, WANTED, SECONDARY_XSAVES, "enable XSAVES/XRSTORS", "guests can use it"},
    {VMX_SECONDARY, WANTED, SECONDARY_ENCLS_EXIT, "ENCLS exiting", "guests have no SGX"},
    {VMX_SECONDARY, WANTED, SECONDARY_ENCLV_EXIT, "ENCLV exiting", "guests have no SGX"},
    {VMX_SECONDARY, OFF, SECONDARY_DESCRIPTOR_EXIT, "descriptor-table exiting",
     "guests own their descriptor tables"},
    {VMX_SECONDARY, WANTED, SECONDARY_WBINVD_EXIT, "WBINVD exiting",
     "a guest must not stall the caches that it shares"},
    {VMX_SECONDARY, OFF, SECONDARY_PAUSE_LOOP, "PAUSE-loop exiting",
     "a guest spins on its own core"},
    {VMX_SECONDARY, OFF, SECONDARY_RDRAND_EXIT, "RDRAND exiting", "guests can use it"},
    {VMX_SECONDARY, OFF, SECONDARY_RDSEED_EXIT, "RDSEED exiting", "guests can use it"},
    {VMX_SECONDARY, OFF, SECONDARY_VMFUNC, "enable VM functions",
     "a guest must not choose its EPT"},
    {VMX_SECONDARY, OFF, SECONDARY_VIRTUALIZATION_EXCEPTION, "EPT-violation #VE",
     "EPT violations are the hypervisor's"},
    {VMX_SECONDARY, OFF, SECONDARY_USER_WAIT, "enable user wait and pause",
     "guests have no UMWAIT"},

    {VMX_EXIT, REQUIRED, EXIT_HOST_64BIT, "host address-space size", "the hypervisor is 64-bit"},
    {VMX_EXIT, REQUIRED, EXIT_SAVE_DEBUG, "save debug controls",
     "guest breakpoints end at the exit"},
    {VMX_EXIT, REQUIRED, EXIT_SAVE_EFER, "save IA32_EFER", "a guest has an EFER of its own"},
    {VMX_EXIT, REQUIRED, EXIT_LOAD_EFER, "load IA32_EFER (exit)", "a guest has an EFER of its own"},
    {VMX_EXIT, REQUIRED, EXIT_SAVE_PAT, "save IA32_PAT", "a guest has a PAT of its own"},
    {VMX_EXIT, REQUIRED, EXIT_LOAD_PAT, "load IA32_PAT (exit)", "a guest has a PAT of its own"},
    {VMX_EXIT, OFF, EXIT_LOAD_PERF_GLOBAL, "load IA32_PERF_GLOBAL_CTRL (exit)",
     "performance counters belong to no guest"},
    {VMX_EXIT, OFF, EXIT_ACKNOWLEDGE_INTERRUPT, "acknowledge interrupt on exit",
     "guests take their interrupts directly"},

    {VMX_ENTRY, REQUIRED, ENTRY_LOAD_DEBUG, "load debug controls",
     "guest breakpoints begin at the entry"},
    {VMX_ENTRY, REQUIRED, ENTRY_LOAD_EFER, "load IA32_EFER (entry)",
     "a guest has an EFER of its own"},
    {VMX_ENTRY, REQUIRED, ENTRY_LOAD_PAT, "load IA32_PAT (entry)", "a guest has a PAT of its own"},
    {VMX_ENTRY, OFF, ENTRY_SMM, "entry to SMM", "guests do not run in SMM"},
    {VMX_ENTRY, OFF, ENTRY_DUAL_MONITOR_OFF, "deactivate dual-monitor treatment",
     "the hypervisor has no SMM monitor"},
    {VMX_ENTRY, OFF, ENTRY_LOAD_PERF_GLOBAL, "load IA32_PERF_GLOBAL_CTRL (entry)",
     "performance counters belong to no guest"},
};

/* Features that are bits of other capability MSRs. */
struct feature_rule {
    uint32_t msr;
    uint64_t mask;
    uint64_t value; /* of the masked bits */
    const char *name;
    const char *why;
};

static const struct feature_rule features[] = {
    {MSR_VMX_BASIC, VMX_BASIC_32BIT_ADDRESSES, 0, "64-bit VMCS addresses",
     "control structures lie above 4 GiB"},
    {MSR_VMX_BASIC, BITS(53, 50), (uint64_t)VMX_MEMORY_TYPE_WB << 50, "write-back VMCS memory",
     "control structures are mapped write-back"},
    {MSR_VMX_MISC, VMX_MISC_SAVES_LMA, VMX_MISC_SAVES_LMA, "EFER.LMA stored on exit",
     "guests change into and out of long mode by themselves"},
    {MSR_VMX_EPT_VPID, VMX_EPT_4_LEVELS, VMX_EPT_4_LEVELS, "EPT page-walk length 4",
     "the guest-physical tables have 4 levels"},
    {MSR_VMX_EPT_VPID, VMX_EPT_WRITE_BACK, VMX_EPT_WRITE_BACK, "write-back EPT structures",
     "the guest-physical tables are mapped write-back"},
    {MSR_VMX_EPT_VPID, VMX_EPT_INVEPT | VMX_EPT_INVEPT_ALL, VMX_EPT_INVEPT | VMX_EPT_INVEPT_ALL,
     "INVEPT", "memory taken from a guest must leave the TLB"},
};

static void read_allowed(struct vmx_allowed *allowed, uint32_t msr, uint64_t (*read)(uint32_t msr))
{
    uint64_t value = read(msr);
    *allowed =
        (struct vmx_allowed){.msr = msr, .must = (uint32_t)value, .may = (uint32_t)(value >> 32)};
}

void vmx_capabilities_read(struct vmx_capabilities *capabilities, uint64_t (*read)(uint32_t msr))
{
    struct vmx_allowed *allowed = capabilities->allowed;
    *capabilities = (struct vmx_capabilities){
        .basic = read(MSR_VMX_BASIC),
        .misc = read(MSR_VMX_MISC),
        .cr0_fixed0 = read(MSR_VMX_CR0_FIXED0),
        .cr0_fixed1 = read(MSR_VMX_CR0_FIXED1),
        .cr4_fixed0 = read(MSR_VMX_CR4_FIXED0),
        .cr4_fixed1 = read(MSR_VMX_CR4_FIXED1),
    };
    bool exact = (capabilities->basic & VMX_BASIC_TRUE_CONTROLS) != 0;
    read_allowed(&allowed[VMX_PIN], exact ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN, read);
    read_allowed(&allowed[VMX_PRIMARY], exact ? MSR_VMX_TRUE_PRIMARY : MSR_VMX_PRIMARY, read);
    read_allowed(&allowed[VMX_EXIT], exact ? MSR_VMX_TRUE_EXIT : MSR_VMX_EXIT, read);
    read_allowed(&allowed[VMX_ENTRY], exact ? MSR_VMX_TRUE_ENTRY : MSR_VMX_ENTRY, read);

    allowed[VMX_SECONDARY].msr = MSR_VMX_SECONDARY;
    if (allowed[VMX_PRIMARY].may & PRIMARY_SECONDARY)
        read_allowed(&allowed[VMX_SECONDARY], MSR_VMX_SECONDARY, read);
    if (allowed[VMX_SECONDARY].may & (SECONDARY_EPT | SECONDARY_VPID))
        capabilities->ept_vpid = read(MSR_VMX_EPT_VPID);
}

static uint64_t allowed_value(const struct vmx_allowed *allowed)
{
    return (uint64_t)allowed->may << 32 | allowed->must;
}

static enum status apply_rule(const struct vmx_capabilities *capabilities,
                              const struct control_rule *rule, struct vmx_controls *controls)
{
    const struct vmx_allowed *allowed = &capabilities->allowed[rule->word];
    bool may = (allowed->may & rule->bit) != 0;
    if (rule->need != OFF && may)
        controls->word[rule->word] |= rule->bit;
    if (rule->need == REQUIRED && !may) {
        log_event("cpu.refused",
                  "name=vmx control=\"%s\" msr=0x%x value=0x%lx message=\"this CPU's VMX cannot do "
                  "it, and %s; use a CPU (or outer hypervisor) that offers it\"",
                  rule->name, allowed->msr, allowed_value(allowed), rule->why);
        return STATUS_UNSUPPORTED;
    }
    if (rule->need == OFF && (allowed->must & rule->bit) != 0) {
        log_event("cpu.refused",
                  "name=vmx control=\"%s\" msr=0x%x value=0x%lx message=\"this CPU cannot leave it "
                  "off, but %s; use a CPU (or outer hypervisor) with VMX_BASIC bit 55\"",
                  rule->name, allowed->msr, allowed_value(allowed), rule->why);
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

static enum status apply_feature(const struct vmx_capabilities *capabilities,
                                 const struct feature_rule *rule)
{
    uint64_t value = rule->msr == MSR_VMX_BASIC  ? capabilities->basic
                     : rule->msr == MSR_VMX_MISC ? capabilities->misc
                                                 : capabilities->ept_vpid;
    if ((value & rule->mask) == rule->value)
        return STATUS_OK;
    log_event("cpu.refused",
              "name=vmx control=\"%s\" msr=0x%x value=0x%lx message=\"this CPU's VMX lacks it, and "
              "%s; use a CPU (or outer hypervisor) that offers it\"",
              rule->name, rule->msr, value, rule->why);
    return STATUS_UNSUPPORTED;
}

enum status vmx_controls_choose(const struct vmx_capabilities *capabilities,
                                struct vmx_controls *controls)
{
    enum status result = STATUS_OK;
    for (size_t word = 0; word < VMX_CONTROL_WORDS; word++)
        controls->word[word] = capabilities->allowed[word].must;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (apply_rule(capabilities, &rules[i], controls) != STATUS_OK)
            result = STATUS_UNSUPPORTED;
    /* Without EPT its features are missing too: that says nothing new. */
    bool has_ept = (controls->word[VMX_SECONDARY] & SECONDARY_EPT) != 0;
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        if ((has_ept || features[i].msr != MSR_VMX_EPT_VPID) &&
            apply_feature(capabilities, &features[i]) != STATUS_OK)
            result = STATUS_UNSUPPORTED;
    return result;
}

bool vmx_control_fact(size_t index, const struct vmx_capabilities *capabilities,
                      struct vmx_control_fact *fact)
{
    static const char *const needs[] = {
        [REQUIRED] = "required", [WANTED] = "wanted", [OFF] = "off"};
    if (index >= ARRAY_SIZE(rules))
        return false;
    const struct control_rule *rule = &rules[index];
    const struct vmx_allowed *allowed = &capabilities->allowed[rule->word];
    *fact = (struct vmx_control_fact){
        .word = rule->word,
        .bit = rule->bit,
        .name = rule->name,
        .need = needs[rule->need],
        .can_be_on = (allowed->may & rule->bit) != 0,
        .can_be_off = (allowed->must & rule->bit) == 0,
    };
    return true;
}

enum status vmx_feature_control_check(uint64_t value, uint64_t *write)
{
    *write = 0;
    if (!(value & FEATURE_CONTROL_LOCK)) {
        *write = value | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_NO_SMX;
        return STATUS_OK;
    }
    if (value & FEATURE_CONTROL_VMX_NO_SMX)
        return STATUS_OK;
    log_event("cpu.refused",
              "name=vmx control=\"VMXON outside SMX\" msr=0x3a value=0x%lx message=\"the firmware "
              "locked VMX off: enable 'Intel Virtualization Technology' (VT-x, VMX) in its set-up, "
              "under Advanced, CPU or Security, and switch the power off and on\"",
              value);
    return STATUS_DENIED;
}
