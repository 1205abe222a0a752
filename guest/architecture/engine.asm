; SPDX-License-Identifier: MIT
; Enters a state, whatever it is, and comes back with the one in which the next exception, interrupt or INT was taken.
; struct cpu_state of engine.h: general registers from 0, the frame from 120, what was taken from 160.

bits 64

section .text
global engine_enter
engine_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rel current], rdi
    mov [rel own_stack], rsp
    push qword [rdi + 152]              ; SS
    push qword [rdi + 144]              ; RSP
    push qword [rdi + 136]              ; RFLAGS
    push qword [rdi + 128]              ; CS
    push qword [rdi + 120]              ; RIP
    mov ax, [rdi + 192]
    mov ds, ax
    mov es, ax
    mov rax, [rdi]
    mov rbx, [rdi + 8]
    mov rcx, [rdi + 16]
    mov rdx, [rdi + 24]
    mov rsi, [rdi + 32]
    mov rbp, [rdi + 48]
    mov r8, [rdi + 56]
    mov r9, [rdi + 64]
    mov r10, [rdi + 72]
    mov r11, [rdi + 80]
    mov r12, [rdi + 88]
    mov r13, [rdi + 96]
    mov r14, [rdi + 104]
    mov r15, [rdi + 112]
    mov rdi, [rdi + 40]
    iretq

; On a stack of its own (IST 1): vector, error code, RIP, CS, RFLAGS, RSP, SS.
taken:
    push rax
    push rdi
    mov rdi, [rel current]
    mov [rdi + 8], rbx
    mov [rdi + 16], rcx
    mov [rdi + 24], rdx
    mov [rdi + 32], rsi
    mov [rdi + 48], rbp
    mov [rdi + 56], r8
    mov [rdi + 64], r9
    mov [rdi + 72], r10
    mov [rdi + 80], r11
    mov [rdi + 88], r12
    mov [rdi + 96], r13
    mov [rdi + 104], r14
    mov [rdi + 112], r15
    pop qword [rdi + 40]                ; RDI
    pop qword [rdi]                     ; RAX
    pop qword [rdi + 160]               ; vector
    pop qword [rdi + 168]               ; error code
    pop qword [rdi + 120]
    pop qword [rdi + 128]
    pop qword [rdi + 136]
    pop qword [rdi + 144]
    pop qword [rdi + 152]
    mov rax, cr2
    mov [rdi + 176], rax
    mov rax, dr6
    mov [rdi + 184], rax
    xor eax, eax
    mov [rdi + 192], ax
    mov ax, ds
    mov [rdi + 194], ax
    mov ax, 16
    mov ss, ax
    mov ds, ax
    mov es, ax
    mov rsp, [rel own_stack]
    cld
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

%assign vector 0
%rep 256
entry_ %+ vector:
%if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    push qword 0
%endif
    push qword vector
    jmp taken
%assign vector vector + 1
%endrep

section .rodata
align 8
global engine_entries
engine_entries:
%assign vector 0
%rep 256
    dq entry_ %+ vector
%assign vector vector + 1
%endrep

section .bss
align 8
current:   resq 1
own_stack: resq 1
