; SPDX-License-Identifier: MIT
; What the second vCPU executes first, copied to a page below 1 MiB: real mode, then long mode with the tables that
; second_start() names, then its function on its own stack.

ORIGIN equ 0x8000               ; SECOND_PAGE
%define AT(label) (ORIGIN + (label) - second_code)

section .rodata
align 16
global second_code, second_code_end
second_code:
bits 16
    cli
    xor ax, ax
    mov ds, ax
    o32 lgdt [AT(gdt_pointer)]
    mov eax, [AT(parameters)]
    mov cr3, eax
    mov eax, 0x20               ; CR4.PAE
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100               ; EFER.LME
    wrmsr
    mov eax, cr0
    or eax, 0x80000001          ; PG, PE
    mov cr0, eax
    jmp dword 8:AT(long_mode)
bits 64
long_mode:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov rsp, [abs AT(parameters.stack)]
    lidt [abs AT(parameters.idt)]
    call [abs AT(parameters.function)]
.halt:
    cli
    hlt
    jmp .halt

align 8
gdt:
    dq 0
    dq 0x00af9b000000ffff       ; 64-bit code
    dq 0x00cf93000000ffff       ; data
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd AT(gdt)
align 8
global second_parameters
second_parameters:
parameters:                     ; struct parameters in second.c
    dq 0
.stack:
    dq 0
.function:
    dq 0
.idt:
    times 10 db 0
second_code_end:
