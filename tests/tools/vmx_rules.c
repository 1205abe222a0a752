/* SPDX-License-Identifier: MIT */
/* What VM entry checks before it looks at the guest: SDM 3C 27.2, in the manual's order. */
#include <stdio.h>

#include "hypervisor/setup/vmx_registers.h"
#include "hypervisor/x86/registers.h"
#include "tests/tools/vmx_view.h"

#define SECONDARY_X2APIC          BIT(4)
#define SECONDARY_APIC_REGISTERS  BIT(8)
#define SECONDARY_VIRTUAL_DELIVER BIT(9)
#define EPTP_TYPE(pointer)        FIELD(pointer, 2, 0)
#define EPTP_LEVELS(pointer)      FIELD(pointer, 5, 3)
#define EPTP_RESERVED             BITS(11, 8)
#define EFER_DEFINED              (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

struct rule {
    uint32_t field;
    const char *section; /* NULL: no rule, but a consequence */
    const char *wants;
    bool (*broken)(const struct vmx_view *view, uint64_t value);
};

static bool judged(const struct vmx_view *view, uint32_t field)
{
    return view->known[field] || !view->from_log;
}

static uint64_t of(const struct vmx_view *view, uint32_t field)
{
    return view->known[field] ? view->value[field] : 0;
}

static bool has(const struct vmx_view *view, uint32_t field, uint64_t bits)
{
    return (of(view, field) & bits) == bits;
}

static bool beyond(const struct vmx_view *view, uint64_t address)
{
    return address >> view->physical_bits != 0;
}

static bool no_page(const struct vmx_view *view, uint64_t address)
{
    return (address & 0xfff) != 0 || beyond(view, address);
}

/* --- control fields --- */

static bool no_nmi_exit(const struct vmx_view *view, uint64_t pin)
{
    return (pin & PIN_VIRTUAL_NMI) != 0 && (pin & PIN_NMI_EXIT) == 0;
}

static bool nmi_window_alone(const struct vmx_view *view, uint64_t primary)
{
    return (primary & PRIMARY_NMI_WINDOW) != 0 && !has(view, VMCS_PIN_CONTROLS, PIN_VIRTUAL_NMI);
}

static bool too_many_targets(const struct vmx_view *view, uint64_t count)
{
    return count > 4;
}

static bool io_bitmap(const struct vmx_view *view, uint64_t address)
{
    return has(view, VMCS_PRIMARY_CONTROLS, PRIMARY_IO_BITMAPS) && no_page(view, address);
}

static bool msr_bitmap(const struct vmx_view *view, uint64_t address)
{
    return has(view, VMCS_PRIMARY_CONTROLS, PRIMARY_MSR_BITMAPS) && no_page(view, address);
}

static bool second(const struct vmx_view *view, uint64_t bit)
{
    return has(view, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY) &&
           has(view, VMCS_SECONDARY_CONTROLS, bit);
}

static bool no_shadow(const struct vmx_view *view, uint64_t secondary)
{
    return has(view, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY) &&
           !has(view, VMCS_PRIMARY_CONTROLS, PRIMARY_TPR_SHADOW) &&
           (secondary & (SECONDARY_X2APIC | SECONDARY_APIC_REGISTERS | SECONDARY_VIRTUAL_DELIVER));
}

static bool no_vpid(const struct vmx_view *view, uint64_t vpid)
{
    return second(view, SECONDARY_VPID) && (uint16_t)vpid == 0;
}

static bool ept_type(const struct vmx_view *view, uint64_t pointer)
{
    return second(view, SECONDARY_EPT) && EPTP_TYPE(pointer) != 0 && EPTP_TYPE(pointer) != 6;
}

static bool ept_levels(const struct vmx_view *view, uint64_t pointer)
{
    return second(view, SECONDARY_EPT) && EPTP_LEVELS(pointer) != 3;
}

static bool ept_reserved(const struct vmx_view *view, uint64_t pointer)
{
    return second(view, SECONDARY_EPT) && ((pointer & EPTP_RESERVED) != 0 || beyond(view, pointer));
}

static bool unrestricted_alone(const struct vmx_view *view, uint64_t secondary)
{
    return second(view, SECONDARY_UNRESTRICTED) && (secondary & SECONDARY_EPT) == 0;
}

static bool smm(const struct vmx_view *view, uint64_t entry)
{
    return (entry & (ENTRY_SMM | ENTRY_DUAL_MONITOR_OFF)) != 0;
}

static bool bad_event(const struct vmx_view *view, uint64_t info)
{
    unsigned type = INTERRUPTION_TYPE(info), vector = INTERRUPTION_VECTOR(info);
    return (info & INTERRUPTION_VALID) != 0 &&
           (type == 1 || (type == INTERRUPTION_NMI && vector != VECTOR_NMI) ||
            (type == INTERRUPTION_HARDWARE_EXCEPTION && vector > 31) || (info & BITS(30, 12)) != 0);
}

static const struct rule control_rules[] = {
    {VMCS_PIN_CONTROLS, "27.2.1.1", "NMI exiting (bit 3) with virtual NMIs (bit 5)", no_nmi_exit},
    {VMCS_PRIMARY_CONTROLS, "27.2.1.1", "no NMI-window exiting (bit 22) without virtual NMIs",
     nmi_window_alone},
    {VMCS_CR3_TARGET_COUNT, "27.2.1.1", "at most 4", too_many_targets},
    {VMCS_IO_BITMAP_A, "27.2.1.1", "the physical address of a page, bits 11:0 clear", io_bitmap},
    {VMCS_IO_BITMAP_B, "27.2.1.1", "the physical address of a page, bits 11:0 clear", io_bitmap},
    {VMCS_MSR_BITMAP, "27.2.1.1", "the physical address of a page, bits 11:0 clear", msr_bitmap},
    {VMCS_SECONDARY_CONTROLS, "27.2.1.1", "no virtual APIC (bits 4, 8, 9) without TPR shadow",
     no_shadow},
    {VMCS_VPID, "27.2.1.1", "a VPID that is not 0 when VPIDs are enabled", no_vpid},
    {VMCS_EPT_POINTER, "27.2.1.1", "memory type 0 or 6 (write-back) in bits 2:0", ept_type},
    {VMCS_EPT_POINTER, "27.2.1.1", "3 in bits 5:3, which is 4 levels less one", ept_levels},
    {VMCS_EPT_POINTER, "27.2.1.1", "0 in bits 11:8 and above the physical-address width",
     ept_reserved},
    {VMCS_SECONDARY_CONTROLS, "27.2.1.1", "enable EPT (bit 1) with unrestricted guest (bit 7)",
     unrestricted_alone},
    {VMCS_ENTRY_CONTROLS, "27.2.1.3",
     "neither entry to SMM (bit 10) nor deactivate dual-monitor treatment (bit 11)", smm},
    {VMCS_ENTRY_INTERRUPTION, "27.2.1.3",
     "type, vector and bits 30:12 of an event that exists, or bit 31 clear", bad_event},
};

/* --- host state --- */

static bool not_canonical(const struct vmx_view *view, uint64_t address)
{
    uint64_t top = address >> 47;
    return top != 0 && top != 0x1ffff;
}

static bool cr0_lacks(const struct vmx_view *view, uint64_t cr0)
{
    return (cr0 & view->cr0_fixed0) != view->cr0_fixed0 || (cr0 & ~view->cr0_fixed1) != 0;
}

static bool cr4_lacks(const struct vmx_view *view, uint64_t cr4)
{
    return (cr4 & view->cr4_fixed0) != view->cr4_fixed0 || (cr4 & ~view->cr4_fixed1) != 0;
}

static bool pat_type(const struct vmx_view *view, uint64_t pat)
{
    if (!has(view, VMCS_EXIT_CONTROLS, EXIT_LOAD_PAT))
        return false;
    for (unsigned i = 0; i < 8; i++, pat >>= 8)
        if ((pat & 0xff) == 2 || (pat & 0xff) == 3 || (pat & 0xff) > 7)
            return true;
    return false;
}

static bool efer_reserved(const struct vmx_view *view, uint64_t efer)
{
    return has(view, VMCS_EXIT_CONTROLS, EXIT_LOAD_EFER) && (efer & ~EFER_DEFINED) != 0;
}

static bool efer_mode(const struct vmx_view *view, uint64_t efer)
{
    uint64_t wanted = has(view, VMCS_EXIT_CONTROLS, EXIT_HOST_64BIT) ? EFER_LMA | EFER_LME : 0;
    return has(view, VMCS_EXIT_CONTROLS, EXIT_LOAD_EFER) &&
           (efer & (EFER_LMA | EFER_LME)) != wanted;
}

static bool rpl_or_ti(const struct vmx_view *view, uint64_t selector)
{
    return (selector & 7) != 0;
}

static bool zero(const struct vmx_view *view, uint64_t value)
{
    return value == 0;
}

static bool host_32bit(const struct vmx_view *view, uint64_t exit)
{
    return (exit & EXIT_HOST_64BIT) == 0;
}

static bool no_pae(const struct vmx_view *view, uint64_t cr4)
{
    return (cr4 & CR4_PAE) == 0;
}

#define RPL_TI    "RPL and TI (bits 2:0) clear"
#define CANONICAL "a canonical address"
static const struct rule host_rules[] = {
    {VMCS_HOST_CR0, "27.2.2", "the bits that VMX fixes (IA32_VMX_CR0_FIXED0 and 1)", cr0_lacks},
    {VMCS_HOST_CR4, "27.2.2",
     "the bits that VMX fixes (IA32_VMX_CR4_FIXED0 and 1), VMXE among them", cr4_lacks},
    {VMCS_HOST_CR3, "27.2.2", "an address within the physical-address width", beyond},
    {VMCS_HOST_SYSENTER_ESP, "27.2.2", CANONICAL, not_canonical},
    {VMCS_HOST_SYSENTER_EIP, "27.2.2", CANONICAL, not_canonical},
    {VMCS_HOST_PAT, "27.2.2", "a memory type that exists (0, 1, 4 to 7) in each byte", pat_type},
    {VMCS_HOST_EFER, "27.2.2", "reserved bits clear", efer_reserved},
    {VMCS_HOST_EFER, "27.2.2", "LMA (bit 10) and LME (bit 8) as host address-space size says",
     efer_mode},
    {VMCS_HOST_CS_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_SS_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_DS_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_ES_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_FS_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_GS_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_TR_SELECTOR, "27.2.3", RPL_TI, rpl_or_ti},
    {VMCS_HOST_CS_SELECTOR, "27.2.3", "a CS that is not 0", zero},
    {VMCS_HOST_TR_SELECTOR, "27.2.3", "a TR that is not 0", zero},
    {VMCS_HOST_FS_BASE, "27.2.3", CANONICAL, not_canonical},
    {VMCS_HOST_GS_BASE, "27.2.3", CANONICAL, not_canonical},
    {VMCS_HOST_GDTR_BASE, "27.2.3", CANONICAL, not_canonical},
    {VMCS_HOST_IDTR_BASE, "27.2.3", CANONICAL, not_canonical},
    {VMCS_HOST_TR_BASE, "27.2.3", CANONICAL, not_canonical},
    {VMCS_EXIT_CONTROLS, "27.2.4", "host address-space size (bit 9), since the host is 64-bit",
     host_32bit},
    {VMCS_HOST_CR4, "27.2.4", "PAE (bit 5), since the host is 64-bit", no_pae},
    {VMCS_HOST_RIP, "27.2.4", CANONICAL, not_canonical},
};

static const struct rule consequences[] = {
    {VMCS_HOST_RIP, NULL, "the first exit continues there", zero},
    {VMCS_HOST_CR3, NULL, "an exit loads it, and no table of the hypervisor's is there", zero},
    {VMCS_HOST_GS_BASE, NULL, "after an exit the core does not find its own data", zero},
    {VMCS_HOST_GDTR_BASE, NULL, "after an exit no segment can be loaded", zero},
    {VMCS_HOST_IDTR_BASE, NULL, "the first NMI or exception after an exit ends in a reset", zero},
    {VMCS_HOST_TR_BASE, NULL, "the first NMI after an exit finds no stack of its own", zero},
};

static void say_value(const struct vmx_view *view, uint32_t field, char *text, size_t size)
{
    bool plural = vmcs_name_is_plural(vmcs_field_name(field));
    if (view->known[field])
        snprintf(text, size, "%s %#llx", plural ? "are" : "is",
                 (unsigned long long)view->value[field]);
    else
        snprintf(text, size, "%s never written", plural ? "were" : "was");
}

static bool first_broken(const struct vmx_view *view, const struct rule *rules, size_t count,
                         char *text, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        const struct rule *rule = &rules[i];
        uint64_t value = of(view, rule->field);
        if (!judged(view, rule->field) || !rule->broken(view, value))
            continue;
        char state[40];
        say_value(view, rule->field, state, sizeof state);
        snprintf(text, size, "%s %s%s%s%s%s", vmcs_field_name(rule->field), state,
                 rule->section != NULL ? "; SDM 3C " : "; ",
                 rule->section != NULL ? rule->section : "", rule->section != NULL ? " wants " : "",
                 rule->wants);
        return true;
    }
    return false;
}

/* Bits that this CPU fixes (SDM 3D A.3 to A.5). */
static bool fixed_bits(const struct vmx_view *view, char *text, size_t size)
{
    static const struct {
        enum vmx_control_word word;
        uint32_t field;
        const char *section;
    } words[] = {
        {VMX_PIN, VMCS_PIN_CONTROLS, "27.2.1.1"},
        {VMX_PRIMARY, VMCS_PRIMARY_CONTROLS, "27.2.1.1"},
        {VMX_SECONDARY, VMCS_SECONDARY_CONTROLS, "27.2.1.1"},
        {VMX_EXIT, VMCS_EXIT_CONTROLS, "27.2.1.2"},
        {VMX_ENTRY, VMCS_ENTRY_CONTROLS, "27.2.1.3"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        const struct vmx_allowed *allowed = &view->allowed[words[i].word];
        uint32_t value = (uint32_t)of(view, words[i].field);
        uint32_t lacks = allowed->must & ~value, forbidden = value & ~allowed->may;
        if (allowed->may == 0 || !judged(view, words[i].field) || (lacks | forbidden) == 0)
            continue;
        char state[40];
        say_value(view, words[i].field, state, sizeof state);
        snprintf(text, size,
                 "%s %s; SDM 3C %s wants bit %d to be %d, as this CPU fixes it (MSR %#x)",
                 vmcs_field_name(words[i].field), state, words[i].section,
                 __builtin_ctz(lacks != 0 ? lacks : forbidden), lacks != 0, allowed->msr);
        return true;
    }
    return false;
}

bool vmx_controls_fault(const struct vmx_view *view, char *text, size_t size)
{
    return fixed_bits(view, text, size) ||
           first_broken(view, control_rules, ARRAY_SIZE(control_rules), text, size);
}

bool vmx_host_state_fault(const struct vmx_view *view, char *text, size_t size)
{
    return first_broken(view, host_rules, ARRAY_SIZE(host_rules), text, size);
}

bool vmx_host_state_useless(const struct vmx_view *view, char *text, size_t size)
{
    return first_broken(view, consequences, ARRAY_SIZE(consequences), text, size);
}
