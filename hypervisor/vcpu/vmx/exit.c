/* SPDX-License-Identifier: MIT */
/* Exit reasons (SDM 3D C) to neutral exits; events that an exit cut short; injection. */
#include "hypervisor/vcpu/exits.h"
#include "hypervisor/vcpu/vmx/vmcs.h"
#include "hypervisor/vcpu/vmx/vmx.h"

#define DR7_GD BIT(13)

/* DR6: B0..B3, BD and BS of the exit qualification are set; the rest has fixed values (SDM
 * 3B 18.2.3, 3C 28.2.1). */
#define DR6_FROM_EXIT (BITS(3, 0) | BITS(14, 13))
#define DR6_DB_ACCESS BIT(13)

struct exit_rule {
    void (*decode)(struct vcpu_exit *exit); /* NULL: the kind says everything */
    enum exit_kind kind;
};

/* An event whose delivery the exit interrupted is delivered again on the next entry, as it was
 * (SDM 3C 28.2.4). False: there was none. */
static bool redeliver_event(void)
{
    uint64_t info = vmcs_read(VMCS_IDT_VECTORING);
    if (!(info & INTERRUPTION_VALID))
        return false;
    unsigned type = INTERRUPTION_TYPE(info);
    if (type == INTERRUPTION_NMI) {
        /* Its delivery blocked NMIs already, and blocked NMIs cannot be injected. */
        uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~INTERRUPTIBILITY_NMI);
    }
    if (info & INTERRUPTION_HAS_ERROR)
        vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR, vmcs_read(VMCS_IDT_VECTORING_ERROR));
    if (type == INTERRUPTION_SOFTWARE_INTERRUPT || type == INTERRUPTION_PRIVILEGED_SOFTWARE ||
        type == INTERRUPTION_SOFTWARE_EXCEPTION)
        vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    /* Bit 12 is undefined in the IDT-vectoring field and reserved in the entry field. */
    vmcs_write(VMCS_ENTRY_INTERRUPTION,
               info & (INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR | BITS(10, 0)));
    return true;
}

/* An IRET had ended NMI blocking before the exit that makes it run again. Only with virtual NMIs:
 * without them the guest has none. */
static void block_nmi_again(void)
{
    if (vmx_has(VMX_PIN, PIN_VIRTUAL_NMI))
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
                   vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) | INTERRUPTIBILITY_NMI);
}

/* What the CPU does to DR6 and DR7 when it delivers #DB, and did not because of the exit. */
static void debug_exception(struct vcpu_exit *exit, uint64_t info)
{
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    uint64_t dr6 = guest_register_read(CORE_DR6);
    guest_register_write(CORE_DR6, (dr6 & ~DR6_TRAPS) | (exit->qualification & DR6_FROM_EXIT));
    if (exit->qualification & DR6_DB_ACCESS)
        vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~DR7_GD);

    if (INTERRUPTION_TYPE(info) == INTERRUPTION_PRIVILEGED_SOFTWARE) /* INT1 is a trap */
        vmcs_write(VMCS_GUEST_RIP,
                   vmcs_read(VMCS_GUEST_RIP) + vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    /* Single-stepping in an interrupt shadow: the entry insists on BS (SDM 3C 27.3.1.5). */
    if ((vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) &
         (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)) &&
        (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF))
        vmcs_write(VMCS_GUEST_PENDING_DEBUG,
                   vmcs_read(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

static void decode_exception(struct vcpu_exit *exit)
{
    uint64_t info = vmcs_read(VMCS_EXIT_INTERRUPTION);
    if (INTERRUPTION_TYPE(info) == INTERRUPTION_NMI) {
        exit->kind = EXIT_NMI; /* the exit consumed it: no handler is to run */
        vmx_unblock_nmi();
        return;
    }
    exit->exception.vector = INTERRUPTION_VECTOR(info);
    exit->exception.has_error = (info & INTERRUPTION_HAS_ERROR) != 0;
    exit->exception.error =
        exit->exception.has_error ? (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION_ERROR) : 0;
    if (!redeliver_event() && (info & INTERRUPTION_NMI_UNBLOCK))
        block_nmi_again();
    if (exit->exception.vector == VECTOR_DEBUG)
        debug_exception(exit, info);
}

/* Only an access that the instruction itself makes says something about the instruction; the others
 * are the CPU's, in walking the guest's page tables or in delivering an event. */
static void decode_ept_violation(struct vcpu_exit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    bool delivering = redeliver_event();
    bool own = !delivering && (q & EPT_VIOLATION_LINEAR) && (q & EPT_VIOLATION_TRANSLATED);
    exit->qualification = q;
    exit->memory.address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->memory.read = own && (q & EPT_VIOLATION_READ);
    exit->memory.write = own && (q & EPT_VIOLATION_WRITE);
    exit->memory.execute = own && (q & EPT_VIOLATION_FETCH);
    exit->memory.misconfigured = false;
    if (!delivering && (q & EPT_VIOLATION_NMI_UNBLOCK))
        block_nmi_again();
}

static void decode_ept_misconfiguration(struct vcpu_exit *exit)
{
    exit->memory.address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->memory.read = exit->memory.write = exit->memory.execute = false;
    exit->memory.misconfigured = true;
    (void)redeliver_event();
}

static void decode_io(struct vcpu_exit *exit)
{
    exit->qualification = vmcs_get(VMCS_EXIT_QUALIFICATION);
    uint64_t q = exit->qualification; /* SDM 3C table 28-5 */
    exit->io.port = (uint16_t)FIELD(q, 31, 16);
    exit->io.width = (uint8_t)(FIELD(q, 2, 0) + 1);
    exit->io.input = (q & BIT(3)) != 0;
    exit->io.string = (q & BIT(4)) != 0;
    exit->io.repeat = (q & BIT(5)) != 0;
}

static void decode_control_register(struct vcpu_exit *exit)
{
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    uint64_t q = exit->qualification; /* SDM 3C table 28-3 */
    enum { MOV_TO, MOV_FROM, CLTS, LMSW } access = (unsigned)FIELD(q, 5, 4);
    exit->control.number = (uint8_t)FIELD(q, 3, 0);
    exit->control.source = (uint8_t)FIELD(q, 11, 8);
    exit->control.write = access == MOV_TO;
    /* CLTS and LMSW change bits that guests own, so they never come here. */
    if (access == CLTS || access == LMSW)
        exit->kind = EXIT_OTHER;
}

/* No performance counter exists for guests, so every index is out of range. */
static void decode_rdpmc(struct vcpu_exit *exit)
{
    exit->exception.vector = VECTOR_GENERAL_PROTECTION;
    exit->exception.has_error = true;
    exit->exception.error = 0;
}

static void decode_sipi(struct vcpu_exit *exit)
{
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->sipi_vector = (uint8_t)exit->qualification;
}

/* An NMI that cannot be delivered now waits for the guest's IRET: the exit that follows brings it
 * (SDM 3C 25.6.2). */
static void open_nmi_window(bool open)
{
    uint32_t controls = vmx_controls.word[VMX_PRIMARY];
    vmcs_write(VMCS_PRIMARY_CONTROLS,
               open ? controls | PRIMARY_NMI_WINDOW : controls & ~PRIMARY_NMI_WINDOW);
}

static void inject_nmi(uint64_t blocked_by)
{
    /* Without virtual NMIs an injected one would block the real ones, for good: IRET would not end
     * that (SDM 3C 26.3), and the core could not be called any more. */
    if (!vmx_has(VMX_PIN, PIN_VIRTUAL_NMI))
        return;
    uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
    if ((vmcs_read(VMCS_ENTRY_INTERRUPTION) & INTERRUPTION_VALID) || (blocking & blocked_by)) {
        open_nmi_window(true);
        return;
    }
    if (blocking & INTERRUPTIBILITY_STI) /* the event ends it, and entry may fail with it */
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~INTERRUPTIBILITY_STI);
    vmcs_write(VMCS_ENTRY_INTERRUPTION,
               INTERRUPTION_VALID | (uint64_t)INTERRUPTION_NMI << 8 | VECTOR_NMI);
    vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
}

/* A CPU that opens the window in the shadow of STI delivers NMIs there (SDM 3C 26.2); waiting for
 * the shadow to end would cause the same exit again, forever. */
static void decode_nmi_window(struct vcpu_exit *exit)
{
    (void)exit;
    open_nmi_window(false);
    inject_nmi(INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS);
}

/* The guest ends with it; its registers are shown. */
static void decode_end(struct vcpu_exit *exit)
{
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
}

/* An exit that nothing here asked for. */
static void decode_unexpected(struct vcpu_exit *exit)
{
    exit->kind = EXIT_OTHER;
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
}

/* A reason without a row is EXIT_OTHER: nothing here asked for it. */
/* clang-format off */
static const struct exit_rule rules[] = {
    [REASON_EXCEPTION_NMI] = {.kind = EXIT_EXCEPTION, .decode = decode_exception},
    [REASON_TRIPLE_FAULT] = {.kind = EXIT_TRIPLE_FAULT, .decode = decode_end},
    [REASON_INIT] = {.kind = EXIT_INIT, .decode = decode_end},
    [REASON_SIPI] = {.kind = EXIT_SIPI, .decode = decode_sipi},
    [REASON_NMI_WINDOW] = {.kind = EXIT_NMI, .decode = decode_nmi_window},
    [REASON_TASK_SWITCH] = {.kind = EXIT_TASK_SWITCH, .decode = decode_end},
    [REASON_CPUID] = {.kind = EXIT_CPUID},
    [REASON_GETSEC] = {.kind = EXIT_UNDEFINED},
    [REASON_HLT] = {.kind = EXIT_HLT, .decode = decode_end},
    [REASON_INVD] = {.kind = EXIT_INVD},
    [REASON_RDPMC] = {.kind = EXIT_EXCEPTION, .decode = decode_rdpmc},
    [REASON_VMCALL] = {.kind = EXIT_HYPERCALL},
    [REASON_VMCLEAR ... REASON_VMXON] = {.kind = EXIT_UNDEFINED},
    [REASON_CONTROL_REGISTER] = {.kind = EXIT_CONTROL_REGISTER, .decode = decode_control_register},
    [REASON_IO] = {.kind = EXIT_IO, .decode = decode_io},
    [REASON_RDMSR] = {.kind = EXIT_MSR_READ},
    [REASON_WRMSR] = {.kind = EXIT_MSR_WRITE},
    [REASON_MWAIT] = {.kind = EXIT_UNDEFINED},
    [REASON_MONITOR] = {.kind = EXIT_UNDEFINED},
    [REASON_EPT_VIOLATION] = {.kind = EXIT_MEMORY, .decode = decode_ept_violation},
    [REASON_EPT_MISCONFIGURATION] = {.kind = EXIT_MEMORY, .decode = decode_ept_misconfiguration},
    [REASON_INVEPT] = {.kind = EXIT_UNDEFINED},
    [REASON_INVVPID] = {.kind = EXIT_UNDEFINED},
    [REASON_WBINVD] = {.kind = EXIT_INVD},
    [REASON_XSETBV] = {.kind = EXIT_XSETBV},
    [REASON_VMFUNC] = {.kind = EXIT_UNDEFINED},
    [REASON_ENCLS] = {.kind = EXIT_UNDEFINED},
    [REASON_UMWAIT ... REASON_TPAUSE] = {.kind = EXIT_UNDEFINED},
    [REASON_ENCLV] = {.kind = EXIT_UNDEFINED},
};
/* clang-format on */

/* SDM 3C 27.8: the guest did not run; bits 15:0 say in which step the entry failed. */
static void decode_entry_failure(struct vcpu *vcpu, struct vcpu_exit *exit)
{
    exit->kind = EXIT_ENTRY_FAILURE;
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    switch ((uint16_t)exit->reason) {
    case REASON_GUEST_STATE:
        vmx_dump(vcpu);
        exit->detail = "invalid guest state: build/entry explains the vmx.vmcs lines of this log";
        break;
    case REASON_MSR_LOADING:
        exit->detail = "the CPU could not load the MSRs of the VM-entry list";
        break;
    case REASON_MACHINE_CHECK_AT_ENTRY:
        exit->detail = "a machine check happened during VM entry";
        break;
    default:
        exit->detail = "VM entry failed for a reason that the manual does not list";
        break;
    }
}

/* An exit for a memory access saves RF = 1 (SDM 3C 28.3.3), with which the next instruction would
 * miss its breakpoint. */
static __attribute__((noinline)) void finish_flags(uint64_t flags)
{
    vmcs_write(VMCS_GUEST_RFLAGS, flags & ~RFLAGS_RF);
    if ((flags & RFLAGS_TF) != 0)
        vmcs_write(VMCS_GUEST_PENDING_DEBUG,
                   vmcs_read(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

/* Past the instruction that exited. The emulated instruction is a step like any other: it ends an
 * interrupt shadow, and single-stepping stops behind it. */
static inline void finish_instruction(uint64_t rip)
{
    vmcs_set(VMCS_GUEST_RIP, rip);
    uint64_t blocking = vmcs_get(VMCS_GUEST_INTERRUPTIBILITY);
    if (__builtin_expect((blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)) != 0, 0))
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
                   blocking & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
    uint64_t flags = vmcs_get(VMCS_GUEST_RFLAGS);
    if (__builtin_expect((flags & (RFLAGS_TF | RFLAGS_RF)) != 0, 0))
        finish_flags(flags);
}

enum outcome vmx_exited(struct vcpu *vcpu)
{
    struct vcpu_exit *exit = &vcpu->exit;
    exit->reason = vmcs_get(VMCS_EXIT_REASON);
    if (exit->reason < ARRAY_SIZE(rules) && rules[exit->reason].kind != EXIT_OTHER) {
        const struct exit_rule *rule = &rules[exit->reason];
        exit->kind = rule->kind;
        if (rule->decode != NULL)
            rule->decode(exit);
    } else if (exit->reason & EXIT_REASON_ENTRY_FAILED) {
        decode_entry_failure(vcpu, exit);
    } else {
        decode_unexpected(exit);
    }
    enum outcome outcome = vcpu_exit_handle(vcpu);
    if (outcome == OUTCOME_ADVANCE) {
        finish_instruction(vmcs_get(VMCS_GUEST_RIP) + vmcs_get(VMCS_EXIT_INSTRUCTION_LENGTH));
        outcome = OUTCOME_RESUME;
    }
    return outcome;
}

enum outcome vmx_kicked(struct vcpu *vcpu)
{
    vcpu->exit = (struct vcpu_exit){.kind = EXIT_NMI};
    return vcpu_exit_handle(vcpu);
}

enum outcome vmx_entry_failed(struct vcpu *vcpu)
{
    uint64_t error = vmcs_read(VMCS_INSTRUCTION_ERROR);
    vcpu->exit = (struct vcpu_exit){
        .kind = EXIT_ENTRY_FAILURE, .reason = error, .detail = vmx_instruction_error_text(error)};
    vmx_dump(vcpu);
    return vcpu_exit_handle(vcpu);
}

void vmx_set_rip(struct vcpu *vcpu, uint64_t rip)
{
    (void)vcpu;
    finish_instruction(rip);
}

static unsigned injection_type(uint8_t vector)
{
    if (vector == VECTOR_BREAKPOINT || vector == VECTOR_OVERFLOW)
        return INTERRUPTION_SOFTWARE_EXCEPTION;
    return vector < FIRST_INTERRUPT_VECTOR ? INTERRUPTION_HARDWARE_EXCEPTION
                                           : INTERRUPTION_EXTERNAL;
}

void vmx_inject(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
    /* An interrupt that waits to be delivered again has left the APIC and would be lost for ever;
     * an exception comes again when its instruction does. */
    (void)vcpu;
    if (vector == VECTOR_NMI) {
        inject_nmi(INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS | INTERRUPTIBILITY_STI);
        return;
    }
    uint64_t waiting = vmcs_read(VMCS_ENTRY_INTERRUPTION);
    if ((waiting & INTERRUPTION_VALID) && (INTERRUPTION_TYPE(waiting) == INTERRUPTION_EXTERNAL ||
                                           INTERRUPTION_TYPE(waiting) == INTERRUPTION_NMI))
        return;

    unsigned type = injection_type(vector);
    if (type == INTERRUPTION_SOFTWARE_EXCEPTION)
        vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, 1); /* INT3 and INTO */

    uint64_t info = INTERRUPTION_VALID | (uint64_t)type << 8 | vector;
    if (has_error && (vmcs_read(VMCS_GUEST_CR0) & CR0_PE)) { /* real mode pushes none */
        info |= INTERRUPTION_HAS_ERROR;
        vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR, error);
    }
    vmcs_write(VMCS_ENTRY_INTERRUPTION, info);
    if (vcpu_pushes_rf(vector))
        vmcs_write(VMCS_GUEST_RFLAGS, vmcs_read(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
    vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE); /* whatever it was, the event ends it */
}
