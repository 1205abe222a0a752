; The way into a guest and back: SDM 3C 27 (VM entries), 28 (VM exits).
;
; Only the general registers are switched here. CR2, debug registers, extended state and the
; SYSCALL MSRs stay in the core while the guest runs on it, because the hypervisor uses none of
; them. HOST_RSP is written only when it differs from what the VMCS holds.

bits 64
default rel

EXITED        equ 0         ; enum vmx_enter_result
FAILED        equ 1
KICKED        equ 2
HOST_RSP_COPY equ 0 * 8     ; enum vmx_vcpu_slot
LAUNCHED      equ 1 * 8
VMCS_HOST_RSP equ 0x6c14
CPU_NMI_COUNT equ 28        ; struct cpu, asserted in core.c
CPU_NMI_SEEN  equ 56

section .text

; enum vmx_enter_result vmx_enter(struct vcpu *vcpu, uint64_t *slots)
; An NMI inside the window continues at vmx_enter_kicked (nmi_window_register), so that none falls
; between the comparison and the entry. RSP does not change there.
global vmx_enter:function, vmx_enter_window, vmx_enter_window_end, vmx_enter_kicked
vmx_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push rdi
    cmp rsp, [rsi + HOST_RSP_COPY]
    jne vmx_enter_new_stack
vmx_enter_window:
    mov eax, [gs:CPU_NMI_COUNT]
    cmp eax, [gs:CPU_NMI_SEEN]
    jne vmx_enter_kicked
    cmp dword [rsi + LAUNCHED], 0   ; the flags last until the launch
    mov rax, [rdi + 0 * 8]
    mov rcx, [rdi + 1 * 8]
    mov rdx, [rdi + 2 * 8]
    mov rbx, [rdi + 3 * 8]
    mov rbp, [rdi + 5 * 8]
    mov rsi, [rdi + 6 * 8]
    mov r8,  [rdi + 8 * 8]
    mov r9,  [rdi + 9 * 8]
    mov r10, [rdi + 10 * 8]
    mov r11, [rdi + 11 * 8]
    mov r12, [rdi + 12 * 8]
    mov r13, [rdi + 13 * 8]
    mov r14, [rdi + 14 * 8]
    mov r15, [rdi + 15 * 8]
    mov rdi, [rdi + 7 * 8]
    je vmx_enter_first
    vmresume
    jmp vmx_enter_failed
vmx_enter_first:
    vmlaunch
vmx_enter_window_end:
vmx_enter_failed:
    mov eax, FAILED
    jmp leave_guest

vmx_enter_kicked:
    mov eax, [gs:CPU_NMI_COUNT]
    mov [gs:CPU_NMI_SEEN], eax
    mov eax, KICKED
    jmp leave_guest

vmx_enter_new_stack:
    mov eax, VMCS_HOST_RSP
    vmwrite rax, rsp
    jna vmx_enter_failed
    mov [rsi + HOST_RSP_COPY], rsp
    jmp vmx_enter_window

; HOST_RIP. RSP is what it was at the entry, the general registers are the guest's.
global vmx_exit_point:function
vmx_exit_point:
    push rdi
    mov rdi, [rsp + 8]
    mov [rdi + 0 * 8], rax
    mov [rdi + 1 * 8], rcx
    mov [rdi + 2 * 8], rdx
    mov [rdi + 3 * 8], rbx
    mov [rdi + 5 * 8], rbp
    mov [rdi + 6 * 8], rsi
    pop qword [rdi + 7 * 8]
    mov [rdi + 8 * 8], r8
    mov [rdi + 9 * 8], r9
    mov [rdi + 10 * 8], r10
    mov [rdi + 11 * 8], r11
    mov [rdi + 12 * 8], r12
    mov [rdi + 13 * 8], r13
    mov [rdi + 14 * 8], r14
    mov [rdi + 15 * 8], r15
    mov eax, EXITED
leave_guest:
    pop rdi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
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
