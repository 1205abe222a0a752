; SPDX-License-Identifier: MIT
; void svm_enter(struct vcpu *vcpu, uint64_t vmcb, uint64_t host)
;
; VMLOAD and VMSAVE move what VMRUN leaves alone: FS, GS, TR, LDTR and the system call MSRs
; (APM 2 15.5.2). RAX, RSP, RIP and RFLAGS are VMRUN's own; extended state stays in the core.

bits 64
default rel

RCX_OFFSET equ 1 * 8            ; enum guest_register
RDX_OFFSET equ 2 * 8
RBX_OFFSET equ 3 * 8
RBP_OFFSET equ 5 * 8
RSI_OFFSET equ 6 * 8
RDI_OFFSET equ 7 * 8

section .text
global svm_enter:function
svm_enter:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rdx                    ; host image
    push rdi                    ; vcpu

    mov rax, rsi
    mov rcx, [rdi + RCX_OFFSET]
    mov rdx, [rdi + RDX_OFFSET]
    mov rbx, [rdi + RBX_OFFSET]
    mov rbp, [rdi + RBP_OFFSET]
    mov rsi, [rdi + RSI_OFFSET]
%assign register 8
%rep 8
    mov r%[register], [rdi + register * 8]
%assign register register + 1
%endrep
    mov rdi, [rdi + RDI_OFFSET]

    vmload                      ; RAX is the address of all three
    vmrun                       ; RAX and RSP come back as they were
    vmsave

    mov rax, rdi
    pop rdi
    mov [rdi + RDI_OFFSET], rax
    mov [rdi + RCX_OFFSET], rcx
    mov [rdi + RDX_OFFSET], rdx
    mov [rdi + RBX_OFFSET], rbx
    mov [rdi + RBP_OFFSET], rbp
    mov [rdi + RSI_OFFSET], rsi
%assign register 8
%rep 8
    mov [rdi + register * 8], r%[register]
%assign register register + 1
%endrep

    pop rax
    vmload                      ; the host's GS and TR, before any C code
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    xor ecx, ecx                ; no value of the guest's stays for speculation to use
    xor edx, edx
    xor esi, esi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    cld
    ret
