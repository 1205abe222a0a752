# SPDX-License-Identifier: MIT
"""L2: VMX is switched on, and a guest runs."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

SETUP, VCPU, EXIT = "hypervisor/setup/vmx.c", "hypervisor/vcpu/vmx/vcpu.c", "hypervisor/vcpu/vmx/exit.c"
CONTROLS, HOST_STATE = Host("l02_controls"), Host("l02_host")


def config(seed: int) -> str:
    return ("# Two guests without devices.\n\n" +
            "\n".join(f"[guest {name}]\nimage  = hello.elf\nmemory = {4 + 2 * ((seed + i) % 3)}M\n"
                      f"args   = ticks={5 + (seed + 3 * i) % 11}\nexpect = exit 0\n"
                      for i, name in enumerate(("alpha", "beta"))))


def both_run(run) -> str | None:
    if not any(line.event == "cpu.backend" and line["name"] == "vmx" for line in run.events):
        return None
    ended = {line["name"]: line for line in run.events if line.event == "guest.stopped"}
    for name in ("alpha", "beta"):
        line = ended.get(name)
        if line is not None and (line.get("reason") != "exit" or line.get("status") != "0"):
            return f"guest {name} was stopped: {line.text.split('] ', 1)[-1]}"
    return None


RUNS = Machine("bochs", "lab", both_run)


def of_event(run, event: str, key: str, name: str | None = None) -> str:
    return next(line for line in run.events if line.event == event and (name is None or line["name"] == name))[key]


LAB = Lab(
    name="L2", title="VMX: a guest runs", hours=10, config=config,
    steps=(
        Step(1, SETUP, "enable_core", "return STATUS_UNSUPPORTED;",
             "Switch VMX on for this core: set up IA32_FEATURE_CONTROL (unlock_vmx()); allocate a page for the VMXON region, "
             "with the revision identifier (VMX_BASIC_REVISION(), SDM 3C 24.11.5); write CR0 and CR4 as they are, except for the "
             "bits that vmx_capabilities fixes to 1 and to 0, and with CR4.VMXE; then vmx_on(). If that fails, clear VMXE and "
             "free the page. Otherwise remove what an earlier owner of the core left in the TLB: INVEPT of all, and INVVPID of "
             "all if ept_vpid has it. STATUS_NO_MEMORY without a page. SDM 3C 24.7, 24.8 and 29.4.3.", (Host("l02_enable"),)),
        Step(2, SETUP, "create", "(void)vcpu;\nreturn STATUS_UNSUPPORTED;",
             "Allocate a page for the VMCS, in vcpu->control_page. It begins with the revision identifier; the rest belongs to "
             "the CPU. STATUS_NO_MEMORY without a page. SDM 3C 25.2.", (Host("l02_create"),)),
        Step(3, VCPU, "write_controls", "(void)vcpu;",
             "Write the pin-based, primary, secondary and VM-exit controls that boot has chosen (vmx_controls.word[]); "
             "EXCEPTION_BITMAP; no page-fault filter, no CR3 targets, no MSR lists; the bitmaps' physical addresses; "
             "ept_pointer(); vmx_cr0_mask() and vmx_cr4_mask(). Write these only if their secondary control is on (vmx_has()): "
             "the VPID (VMX_VPID), the XSS-exiting bitmap (0), the ENCLS- and ENCLV-exiting bitmaps (all ones). On a CPU that "
             "lacks a control, the control's field does not exist. SDM 3C 25.6, 25.7 and 27.2.1.", (CONTROLS,)),
        Step(4, VCPU, "write_host_state", "(void)vcpu;",
             "Write what an exit loads: CR0, CR3, CR4, the FS and GS bases, IA32_PAT and IA32_EFER as this core has them now; "
             "the selectors of x86/descriptors.h, and 0 for FS and GS; the bases of this core's GDT (core_tables[], by the "
             "core's index), of its task state, which follows the GDT (CORE_GDT_SIZE), and of the IDT; no SYSENTER; RIP is "
             "vmx_way->exit_point. entry.asm sets RSP. SDM 3C 25.5, 27.2.2 to 27.2.4, 28.5.", (HOST_STATE,)),
        Step(5, VCPU, "write_initial_state", "",
             "Write what a reset sets and struct vcpu_state does not hold: no link to another VMCS (all ones), IA32_DEBUGCTL 0, "
             "IA32_PAT PAT_RESET, no SYSENTER, nothing blocked, active, no pending debug exception, no event to inject. This "
             "function also runs when a vCPU is started again. SDM 3C 25.4.2, 27.3.1.5.", (Host("l02_initial"),)),
        Step(6, EXIT, "finish_instruction", "(void)rip;",
             "The instruction that exited is done: RIP becomes `rip`; blocking by STI and by MOV SS ends (nothing else in that "
             "field changes); if RFLAGS has TF or RF set, call finish_flags(). This is on the path of each exit: vmcs_set() and "
             "vmcs_get() are the fast ones. SDM 3C 25.4.2 and 28.3.3.", (Host("l02_finish"), RUNS)),
    ),
    whole=(RUNS,),
    units=("test_vmx_controls", "test_vmx_exit", "test_vmx_inject"),
    questions=(
        Question("alpha-exits", "How many exits had alpha made when it ended? (guest.stopped)",
                 lambda run: of_event(run, "guest.stopped", "exits", "alpha")),
        Question("pin", "Which pin-based controls do the guests run with? (vmx.controls)",
                 lambda run: of_event(run, "vmx.controls", "pin")),
        Question("cr4-fixed", "Which bits of CR4 does this CPU fix to 1 in VMX operation? (vmx.fixed, the number before the colon)",
                 lambda run: of_event(run, "vmx.fixed", "cr4").partition(":")[0]),
    ),
    mistakes=(
        Mistake("vmxe-not-set", 1, (Edit(SETUP, "    cr4_write((cr4_read() | fixed->cr4_fixed0 | CR4_VMXE) & fixed->cr4_fixed1);\n", ""),),
                r"CR4\.VMXE is clear, and VMXON raises #UD"),
        Mistake("cr0-as-it-was", 1, (Edit(SETUP, "    cr0_write((cr0_read() | fixed->cr0_fixed0) & fixed->cr0_fixed1);\n", ""),),
                r"CR0 has not the bits that IA32_VMX_CR0_FIXED0 and 1 want"),
        Mistake("fixed-to-0-forgotten", 1, (Edit(SETUP, "    cr4_write((cr4_read() | fixed->cr4_fixed0 | CR4_VMXE) & fixed->cr4_fixed1);\n",
                                                 "    cr4_write(cr4_read() | fixed->cr4_fixed0 | CR4_VMXE);\n"),),
                r"CR4 bit 23 set, which IA32_VMX_CR4_FIXED1 does not allow: .*CR4 has not the bits that IA32_VMX_CR4_FIXED0 and 1 want"),
        Mistake("cr0-from-nothing", 1, (Edit(SETUP, "cr0_write((cr0_read() | fixed->cr0_fixed0)", "cr0_write((fixed->cr0_fixed0)"),),
                r"CR0 is 0x80000021 and was 0x[0-9a-f]+: the bits 0x[0-9a-f]+ are lost"),
        Mistake("cr4-from-nothing", 1, (Edit(SETUP, "cr4_write((cr4_read() | fixed->cr4_fixed0 | CR4_VMXE)", "cr4_write((fixed->cr4_fixed0 | CR4_VMXE)"),),
                r"CR4 is 0x2000 and was 0x[0-9a-f]+: the bits 0x[0-9a-f]+ are lost; what VMX does not fix stays as it was"),
        Mistake("region-without-revision", 1, (Edit(SETUP, "    region->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n", ""),),
                r"the VMXON region does not begin with the revision identifier of IA32_VMX_BASIC"),
        Mistake("size-for-revision", 1, (Edit(SETUP, "    region->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n",
                                              "    region->revision = (uint32_t)(vmx_capabilities.basic >> 32);\n"),),
                r"the VMXON region does not begin with the revision identifier of IA32_VMX_BASIC"),
        Mistake("feature-control-skipped", 1, (Edit(SETUP, "    enum status status = unlock_vmx();\n    if (status != STATUS_OK)\n        return status;\n    struct vmx_region *region",
                                                    "    enum status status = STATUS_OK;\n    struct vmx_region *region"),),
                r"IA32_FEATURE_CONTROL does not allow VMXON outside SMX \(bit 2\), and VMXON raises #GP"),
        Mistake("feature-control-unheard", 1, (Edit(SETUP, "    enum status status = unlock_vmx();\n    if (status != STATUS_OK)\n        return status;\n    struct vmx_region *region",
                                                    "    enum status status = unlock_vmx();\n    struct vmx_region *region"),),
                r"firmware has locked VMX off: enable_core\(\) returns device-error instead of denied"),
        Mistake("vmxe-left-on", 1, (Edit(SETUP, "        cr4_write(cr4_read() & ~CR4_VMXE);\n", ""),),
                r"a CPU that refuses VMXON: CR4\.VMXE stays set"),
        Mistake("region-not-freed", 1, (Edit(SETUP, "        pages_free(region, 1);\n        return status;", "        return status;"),),
                r"a CPU that refuses VMXON: the VMXON region is not freed"),
        Mistake("region-before-the-lock", 1, (Edit(SETUP, "    enum status status = unlock_vmx();\n    if (status != STATUS_OK)\n        return status;\n", ""),
                                              Edit(SETUP, "    region->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n",
                                                   "    region->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n    enum status status = unlock_vmx();\n    if (status != STATUS_OK)\n        return status;\n")),
                r"firmware has locked VMX off: the VMXON region is not freed"),
        Mistake("no-page-unseen", 1, (Edit(SETUP, "    if (region == NULL)\n        return STATUS_NO_MEMORY;\n", ""),),
                r"vmx\.c:\d+: member access within null pointer|reads or writes where nothing is"),
        Mistake("tlb-kept", 1, (Edit(SETUP, "    vmx_invept(INVEPT_ALL, 0);\n", ""),),
                r"INVEPT of all contexts is missing"),
        Mistake("flushed-too-early", 1, (Edit(SETUP, "    status = vmx_on(region);\n", "    vmx_invept(INVEPT_ALL, 0);\n    status = vmx_on(region);\n"),),
                r"INVEPT outside VMX operation raises #UD: VMXON comes first"),
        Mistake("invvpid-unasked", 1, (Edit(SETUP, "    if (vmx_capabilities.ept_vpid & VMX_VPID_INVVPID_ALL)\n        vmx_invvpid", "    vmx_invvpid"),),
                r"a core without VPID: INVVPID was executed, and this CPU does not have it"),
        Mistake("vmcs-without-revision", 2, (Edit(SETUP, "    vmcs->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n", ""),),
                r"VMPTRLD fails with VM-instruction error 11: the VMCS begins with 0 instead of the revision identifier 0x2b"),
        Mistake("vmcs-lost", 2, (Edit(SETUP, "    vcpu->control_page = vmcs;\n", ""),),
                r"vcpu->control_page is NULL: nobody finds the VMCS"),
        Mistake("no-page-for-a-vmcs", 2, (Edit(SETUP, "    if (vmcs == NULL)\n        return STATUS_NO_MEMORY;\n", ""),),
                r"vmx\.c:\d+: member access within null pointer|reads or writes where nothing is"),
        Mistake("interrupts-exit", 3, (Edit(VCPU, "vmcs_write(VMCS_PIN_CONTROLS, vmx_controls.word[VMX_PIN]);", "vmcs_write(VMCS_PIN_CONTROLS, vmx_controls.word[VMX_PIN] | 1);"),),
                r"pin-based controls are 0x3f instead of 0x3e; boot has chosen"),
        Mistake("default-bits-lost", 3, (Edit(VCPU, "vmcs_write(VMCS_PRIMARY_CONTROLS, vmx_controls.word[VMX_PRIMARY]);", "vmcs_write(VMCS_PRIMARY_CONTROLS, vmx_controls.word[VMX_PRIMARY] & 0xfe000000u);"),),
                r"primary processor-based controls are 0xb6000000; SDM 3C 27\.2\.1\.1 wants bit 1 to be 1, as this CPU fixes it \(MSR 0x48e\)"),
        Mistake("exit-controls-forgotten", 3, (Edit(VCPU, "    vmcs_write(VMCS_EXIT_CONTROLS, vmx_controls.word[VMX_EXIT]);\n", ""),),
                r"VM-exit controls were never written; SDM 3C 27\.2\.1\.2 wants bit 0 to be 1"),
        Mistake("secondary-forgotten", 3, (Edit(VCPU, "    vmcs_write(VMCS_SECONDARY_CONTROLS, vmx_controls.word[VMX_SECONDARY]);\n", ""),),
                r"secondary processor-based controls were never written; boot has chosen"),
        Mistake("storms-let-in", 3, (Edit(VCPU, "vmcs_write(VMCS_EXCEPTION_BITMAP, EXCEPTION_BITMAP);", "vmcs_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_MACHINE_CHECK));"),),
                r"exception bitmap is 0x40000 instead of 0x60002; #DB, #AC and #MC exit"),
        Mistake("bitmaps-swapped", 3, (Edit(VCPU, "    vmcs_write(VMCS_IO_BITMAP_A, physical_address(vmx_io_bitmaps[0]));\n    vmcs_write(VMCS_IO_BITMAP_B, physical_address(vmx_io_bitmaps[1]));\n",
                                            "    vmcs_write(VMCS_IO_BITMAP_A, physical_address(vmx_io_bitmaps[1]));\n    vmcs_write(VMCS_IO_BITMAP_B, physical_address(vmx_io_bitmaps[0]));\n"),),
                r"address of I/O bitmap A is .*; A is for ports 0 to 7fffh"),
        Mistake("root-alone", 3, (Edit(VCPU, "vmcs_write(VMCS_EPT_POINTER, ept_pointer(vcpu));", "vmcs_write(VMCS_EPT_POINTER, physical_address(vcpu->memory->root));"),),
                r"EPT pointer is 0x[0-9a-f]+; SDM 3C 27\.2\.1\.1 wants 3 in bits 5:3, which is 4 levels less one"),
        Mistake("vpid-0", 3, (Edit(VCPU, "    if (vmx_has(VMX_SECONDARY, SECONDARY_VPID))\n        vmcs_write(VMCS_VPID, VMX_VPID);\n", ""),),
                r"virtual-processor identifier \(VPID\) was never written; SDM 3C 27\.2\.1\.1 wants a VPID that is not 0"),
        Mistake("vpid-everywhere", 3, (Edit(VCPU, "    if (vmx_has(VMX_SECONDARY, SECONDARY_VPID))\n        vmcs_write(VMCS_VPID, VMX_VPID);\n", "    vmcs_write(VMCS_VPID, VMX_VPID);\n"),),
                r"VMWRITE of virtual-processor identifier \(VPID\) \(0\) fails with VM-instruction error 12"),
        Mistake("sgx-let-in", 3, (Edit(VCPU, "vmcs_write(VMCS_ENCLS_EXIT_BITMAP, ~UINT64_C(0));", "vmcs_write(VMCS_ENCLS_EXIT_BITMAP, 0);"),),
                r"ENCLS-exiting bitmap is 0 instead of 0xffffffffffffffff"),
        Mistake("list-of-stale-length", 3, (Edit(VCPU, "    vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);\n", ""),),
                r"VM-exit MSR-load count was never written"),
        Mistake("cr4-all-the-guests", 3, (Edit(VCPU, "vmcs_write(VMCS_CR4_MASK, vmx_cr4_mask());", "vmcs_write(VMCS_CR4_MASK, 0);"),),
                r"CR4 guest/host mask is 0 instead of"),
        Mistake("tr-not-written", 4, (Edit(VCPU, "    vmcs_write(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);\n", ""),),
                r"host TR selector was never written; SDM 3C 27\.2\.3 wants a TR that is not 0"),
        Mistake("cs-not-written", 4, (Edit(VCPU, "    vmcs_write(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);\n", ""),),
                r"host CS selector was never written; SDM 3C 27\.2\.3 wants a CS that is not 0"),
        Mistake("rpl-3", 4, (Edit(VCPU, "vmcs_write(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);", "vmcs_write(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA | 3);"),),
                r"host DS selector is 0x13; SDM 3C 27\.2\.3 wants RPL and TI \(bits 2:0\) clear"),
        Mistake("no-rip", 4, (Edit(VCPU, "    vmcs_write(VMCS_HOST_RIP, (uintptr_t)vmx_way->exit_point);\n", ""),),
                r"host RIP was never written; the first exit continues there"),
        Mistake("always-the-plain-exit", 4, (Edit(VCPU, "(uintptr_t)vmx_way->exit_point);", "(uintptr_t)vmx_exit_point);"),),
                r"host RIP is .*; exits arrive at vmx_way->exit_point, which is another on cores that are guarded"),
        Mistake("no-cr3", 4, (Edit(VCPU, "    vmcs_write(VMCS_HOST_CR3, cr3_read());\n", ""),),
                r"host CR3 was never written; an exit loads it"),
        Mistake("cr4-from-reset", 4, (Edit(VCPU, "vmcs_write(VMCS_HOST_CR4, cr4_read());", "vmcs_write(VMCS_HOST_CR4, CR4_PAE);"),),
                r"host CR4 is 0x20; SDM 3C 27\.2\.2 wants the bits that VMX fixes .*VMXE among them"),
        Mistake("efer-forgotten", 4, (Edit(VCPU, "    vmcs_write(VMCS_HOST_EFER, msr_read(MSR_EFER));\n", ""),),
                r"host IA32_EFER was never written; SDM 3C 27\.2\.2 wants LMA \(bit 10\) and LME \(bit 8\)"),
        Mistake("pat-of-the-guest", 4, (Edit(VCPU, "vmcs_write(VMCS_HOST_PAT, msr_read(MSR_PAT));", "vmcs_write(VMCS_HOST_PAT, PAT_RESET);"),),
                r"host IA32_PAT is 0x7040600070406 instead of 0x7040600070106; IA32_PAT of the hypervisor"),
        Mistake("wrong-gs", 4, (Edit(VCPU, "vmcs_write(VMCS_HOST_GS_BASE, msr_read(MSR_GS_BASE));", "vmcs_write(VMCS_HOST_GS_BASE, msr_read(MSR_KERNEL_GS_BASE));"),),
                r"host GS base is 0x9000 instead of .*by which it finds its struct cpu"),
        Mistake("tr-base-of-the-gdt", 4, (Edit(VCPU, "vmcs_write(VMCS_HOST_TR_BASE, tables + CORE_GDT_SIZE);", "vmcs_write(VMCS_HOST_TR_BASE, tables);"),),
                r"host TR base is .*; the task state of this core lies behind its GDT"),
        Mistake("link-pointer-0", 5, (Edit(VCPU, "    vmcs_write(VMCS_LINK_POINTER, ~UINT64_C(0));\n", "    vmcs_write(VMCS_LINK_POINTER, 0);\n"),),
                r"VMCS link pointer is 0 instead of 0xffffffffffffffff; .*SDM 3C 27\.3\.1\.5 wants all ones"),
        Mistake("still-halted", 5, (Edit(VCPU, "    vmcs_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);\n    vmcs_write(VMCS_GUEST_PENDING_DEBUG", "    vmcs_write(VMCS_GUEST_PENDING_DEBUG"),),
                r"guest activity state was never written; a vCPU that was halted would go on waiting"),
        Mistake("still-blocked", 5, (Edit(VCPU, "    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, 0);\n", ""),),
                r"guest interruptibility state was never written; a reset CPU blocks neither"),
        Mistake("event-of-before", 5, (Edit(VCPU, "    vmcs_write(VMCS_ENTRY_INTERRUPTION, 0);\n", ""),),
                r"VM-entry interruption-information field was never written; an event that waited before the restart"),
        Mistake("pat-0", 5, (Edit(VCPU, "vmcs_write(VMCS_GUEST_PAT, PAT_RESET);", "vmcs_write(VMCS_GUEST_PAT, 0);"),),
                r"guest IA32_PAT is 0 instead of 0x7040600070406"),
        Mistake("rip-not-advanced", 6, (Edit(EXIT, "    vmcs_set(VMCS_GUEST_RIP, rip);\n", "    (void)rip;\n"),),
                r"RIP is still 0x[0-9a-f]+, that of the instruction: the guest executes it again, exits again, and so on without end"),
        Mistake("advanced-twice", 6, (Edit(EXIT, "    vmcs_set(VMCS_GUEST_RIP, rip);\n", "    vmcs_set(VMCS_GUEST_RIP, rip + vmcs_get(VMCS_EXIT_INSTRUCTION_LENGTH));\n"),),
                r"RIP is 0x[0-9a-f]+ instead of 0x[0-9a-f]+, the next instruction's"),
        Mistake("length-of-another-exit", 6, (Edit(EXIT, "    vmcs_set(VMCS_GUEST_RIP, rip);\n", "    (void)rip;\n    vmcs_set(VMCS_GUEST_RIP, vmcs_get(VMCS_GUEST_RIP) + vmcs_get(VMCS_EXIT_INSTRUCTION_LENGTH));\n"),),
                r"after vmx_set_rip\(\), which is told where to go on: RIP is"),
        Mistake("shadow-stays", 6, (Edit(EXIT, "                   blocking & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));\n    uint64_t flags", "                   blocking);\n    uint64_t flags"),),
                r"guest interruptibility state still blocks by STI: the shadow lasts for one instruction"),
        Mistake("nmi-blocking-ended", 6, (Edit(EXIT, "                   blocking & ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));\n    uint64_t flags", "                   0);\n    uint64_t flags"),),
                r"guest interruptibility state is 0: blocking by NMI \(bit 3\) lasts until IRET"),
        Mistake("resume-flag-stays", 6, (Edit(EXIT, "    if (__builtin_expect((flags & (RFLAGS_TF | RFLAGS_RF)) != 0, 0))\n", "    if (__builtin_expect((flags & RFLAGS_TF) != 0, 0))\n"),),
                r"RFLAGS\.RF is still set: the next instruction would miss its breakpoint"),
        Mistake("step-lost", 6, (Edit(EXIT, "    if (__builtin_expect((flags & (RFLAGS_TF | RFLAGS_RF)) != 0, 0))\n", "    if (__builtin_expect((flags & RFLAGS_RF) != 0, 0))\n"),),
                r"RFLAGS\.TF is set and no single step is pending"),
    ),
)
