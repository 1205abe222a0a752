; SPDX-License-Identifier: MIT
; The 256 entry points of the interrupt descriptor table.
; Each pushes its vector (and a zero where the CPU pushes no error code), so that all arrive at
; trap_handle() with a struct trap_frame (exceptions.h).

bits 64
default rel

extern trap_handle

ENTRY_SIZE equ 16               ; VECTOR_ENTRY_SIZE in setup/descriptors.c

section .text

; #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX push an error code (SDM 3A 7.15, APM 2 8.2)
%define HAS_ERROR_CODE(v) (v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21 || v == 29 || v == 30)

align 16
global vector_entries
vector_entries:
%assign vector 0
%rep 256
    align ENTRY_SIZE
%if !HAS_ERROR_CODE(vector)
    push 0
%endif
    push strict dword vector
    jmp strict near trap_entry
%assign vector vector + 1
%endrep

align 16
trap_entry:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    call trap_handle
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16                 ; vector, error code
    iretq
