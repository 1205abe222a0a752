; SPDX-License-Identifier: MIT
; The way into a guest and back: SDM 3C 27 (VM entries), 28 (VM exits).
;
; Only the general registers are switched here. CR2, debug registers, extended state and the
; SYSCALL MSRs stay in the core while the guest runs on it, because the hypervisor uses none of
; them.

bits 64
default rel

OUTCOME_RESUME equ 0        ; enum outcome
VMCS_HOST_RSP  equ 0x6c14
CPU_NMI_COUNT  equ 28       ; struct cpu, asserted in vcpu.c
CPU_NMI_SEEN   equ 56
MSR_FLUSH_CMD  equ 0x10b

extern vmx_exited, vmx_kicked, vmx_entry_failed
extern vmx_entry_flush, vmx_data_selector

section .text

; From here to the entry no NMI gets lost: one that has come since the last look, or comes in
; between (nmi_windows), continues at %1.
%macro check_nmi 1
    mov eax, [gs:CPU_NMI_COUNT]
    cmp eax, [gs:CPU_NMI_SEEN]
    jne %1
%endmacro

; The guest's registers from the struct vcpu that RDI points at; RSP is in the VMCS.
%macro load_registers 0
    mov rax, [rdi + 0 * 8]
    mov rcx, [rdi + 1 * 8]
    mov rdx, [rdi + 2 * 8]
    mov rbx, [rdi + 3 * 8]
    mov rbp, [rdi + 5 * 8]
    mov rsi, [rdi + 6 * 8]
%assign register 8
%rep 8
    mov r%[register], [rdi + register * 8]
%assign register register + 1
%endrep
    mov rdi, [rdi + 7 * 8]
%endmacro

; The vCPU is on top of the stack while its guest runs.
%macro call_with_vcpu 1
    mov rdi, [rsp]
    xor ebp, ebp                ; ends frame-pointer walks
    call %1
    cmp eax, OUTCOME_RESUME
%endmacro

%macro begin 0
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push rdi
    mov eax, VMCS_HOST_RSP
    vmwrite rax, rsp
    jna entry_failed
%endmacro

; HOST_RIP. RSP is what it was at the entry, the general registers are the guest's.
%macro handle_exit 0
    push rdi
    mov rdi, [rsp + 8]
    mov [rdi + 0 * 8], rax
    mov [rdi + 1 * 8], rcx
    mov [rdi + 2 * 8], rdx
    mov [rdi + 3 * 8], rbx
    mov [rdi + 5 * 8], rbp
    mov [rdi + 6 * 8], rsi
    pop qword [rdi + 7 * 8]
%assign register 8
%rep 8
    mov [rdi + register * 8], r%[register]
%assign register register + 1
%endrep
    xor ebp, ebp
    call vmx_exited
    test eax, eax               ; OUTCOME_RESUME
    jnz leave_guest
%endmacro

; Notes the NMI, asks what to do, and goes to %1 for another entry.
%macro kicked 1
    call note_nmi
    call_with_vcpu vmx_kicked
    je %1
    jmp leave_guest
%endmacro

; What the CPU may let a guest read of whoever shares the core with it: the first data cache where
; L1TF asks for it, then the buffers. VERW clears those only with a memory operand.
%macro load_registers_guarded 0
    cmp byte [vmx_entry_flush], 0
    je %%buffers
    mov ecx, MSR_FLUSH_CMD
    mov eax, 1
    xor edx, edx
    wrmsr
%%buffers:
    load_registers
    verw [vmx_data_selector]
%endmacro

; enum outcome vmx_run(struct vcpu *vcpu)
global vmx_run:function, vmx_exit_point:function
global vmx_launch_window, vmx_launch_window_end, vmx_launch_kicked
global vmx_resume_window, vmx_resume_window_end, vmx_resume_kicked
vmx_run:
    begin
launch:
    mov rdi, [rsp]
vmx_launch_window:
    check_nmi vmx_launch_kicked
    load_registers
    vmlaunch
vmx_launch_window_end:
    jmp entry_failed

vmx_exit_point:
    handle_exit
resume:
    mov rdi, [rsp]
vmx_resume_window:
    check_nmi vmx_resume_kicked
    load_registers
    vmresume
vmx_resume_window_end:
    jmp entry_failed

vmx_launch_kicked:
    kicked launch
vmx_resume_kicked:
    kicked resume

; enum outcome vmx_guarded_run(struct vcpu *vcpu): where threads of the core have several owners.
global vmx_guarded_run:function, vmx_guarded_exit_point:function
global vmx_guarded_launch_window, vmx_guarded_launch_window_end, vmx_guarded_launch_kicked
global vmx_guarded_resume_window, vmx_guarded_resume_window_end, vmx_guarded_resume_kicked
vmx_guarded_run:
    begin
guarded_launch:
    mov rdi, [rsp]
vmx_guarded_launch_window:
    check_nmi vmx_guarded_launch_kicked
    load_registers_guarded
    vmlaunch
vmx_guarded_launch_window_end:
    jmp entry_failed

vmx_guarded_exit_point:
    handle_exit
guarded_resume:
    mov rdi, [rsp]
vmx_guarded_resume_window:
    check_nmi vmx_guarded_resume_kicked
    load_registers_guarded
    vmresume
vmx_guarded_resume_window_end:
    jmp entry_failed

vmx_guarded_launch_kicked:
    kicked guarded_launch
vmx_guarded_resume_kicked:
    kicked guarded_resume

entry_failed:
    call_with_vcpu vmx_entry_failed

leave_guest:
    pop rdi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

note_nmi:
    mov eax, [gs:CPU_NMI_COUNT]
    mov [gs:CPU_NMI_SEEN], eax
    ret

; void vmx_unblock_nmi(void). An exit caused by an NMI leaves NMIs blocked until the next IRET
; (SDM 3C 28.5.5); a core that then waits in the hypervisor could not be called any more.
global vmx_unblock_nmi:function
vmx_unblock_nmi:
    mov rax, rsp
    xor ecx, ecx
    mov cx, ss
    push rcx
    push rax
    pushfq
    mov cx, cs
    push rcx
    lea rcx, [.unblocked]
    push rcx
    iretq
.unblocked:
    ret
