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
SELECTOR_DATA  equ 0x10     ; setup/descriptors.h

extern vmx_exited, vmx_kicked, vmx_entry_failed
extern vmx_entry_flush

section .rodata
data_selector: dw SELECTOR_DATA     ; VERW clears buffers only with a memory operand

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

; What the CPU may let a guest read of whoever else runs on the core: the first data cache where
; L1TF asks for it, then the buffers. Changes nothing but registers that are loaded afterwards.
%macro flush_cache 0
    cmp byte [vmx_entry_flush], 0
    je %%buffers
    mov ecx, MSR_FLUSH_CMD
    mov eax, 1
    xor edx, edx
    wrmsr
%%buffers:
%endmacro

; enum outcome NAME_run(struct vcpu *vcpu), and the way from there to the exits. %2: 1 where threads
; of the core may have other owners: each entry then clears what they could find, or leave.
%macro way 2
global %1_run:function, %1_exit_point:function
global %1_launch_window, %1_launch_window_end, %1_launch_kicked
global %1_resume_window, %1_resume_window_end, %1_resume_kicked
%1_run:
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

%%launch:
    mov rdi, [rsp]
%1_launch_window:
    check_nmi %1_launch_kicked
%if %2
    flush_cache
%endif
    load_registers
%if %2
    verw [data_selector]
%endif
    vmlaunch
%1_launch_window_end:
    jmp entry_failed

; HOST_RIP. RSP is what it was at the entry, the general registers are the guest's.
%1_exit_point:
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

%%resume:
    mov rdi, [rsp]
%1_resume_window:
    check_nmi %1_resume_kicked
%if %2
    flush_cache
%endif
    load_registers
%if %2
    verw [data_selector]
%endif
    vmresume
%1_resume_window_end:
    jmp entry_failed

%1_launch_kicked:
    call note_nmi
    call_with_vcpu vmx_kicked
    je %%launch
    jmp leave_guest

%1_resume_kicked:
    call note_nmi
    call_with_vcpu vmx_kicked
    je %%resume
    jmp leave_guest
%endmacro

    way vmx, 0
    way vmx_guarded, 1

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
