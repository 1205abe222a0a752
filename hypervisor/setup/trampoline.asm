; SPDX-License-Identifier: MIT
; Where an application processor begins: 16-bit code, copied to a page below 1 MiB (SDM 3A 9.4.4).
; The page is executable and read-only while it runs, so all data in it is filled in beforehand.

%define AT(label) (label - trampoline_start)

section .rodata

global trampoline_start, trampoline_end, trampoline_far_pointer, trampoline_gdtr_base
global trampoline_cr3, trampoline_entry, trampoline_gdt, trampoline_long

align 16
trampoline_start:
bits 16
    cli
    cld
    mov ax, cs
    mov ds, ax
    o32 lgdt [AT(trampoline_gdtr)]
    mov eax, 0x20               ; CR4.PAE
    mov cr4, eax
    mov eax, [AT(trampoline_cr3)]
    mov cr3, eax
    mov ecx, 0xc0000080         ; EFER: LME, NXE
    xor edx, edx
    mov eax, 0x900
    wrmsr
    mov eax, 0x80010033         ; CR0: PG WP NE ET MP PE; caches on
    mov cr0, eax
    jmp dword far [AT(trampoline_far_pointer)]

bits 64
align 16
trampoline_long:
    mov rax, [rel trampoline_entry]
    jmp rax

align 16
trampoline_gdt:
    dq 0
    dq 0x00af9b000000ffff       ; 64-bit code, accessed already: the page is read-only
trampoline_gdtr:
    dw 15
trampoline_gdtr_base:
    dd 0                        ; physical address of trampoline_gdt
trampoline_far_pointer:
    dd 0                        ; physical address of trampoline_long
    dw 8
align 8
trampoline_cr3:
    dd 0
    dd 0
trampoline_entry:
    dq 0                        ; core_gate
trampoline_end:

; In the image from here on (core_gate.asm), without a stack.
; Finds the core's struct arrival (smp.c) by the x2APIC id that CPUID gives.

extern smp_arrivals
extern smp_arrival_count
extern smp_core_main

ARRIVAL_SIZE      equ 24
ARRIVAL_STACK_TOP equ 8

section .text
bits 64
default rel
global smp_entry
smp_entry:
    xor eax, eax
    cpuid
    cmp eax, 0x0b
    jb .initial_id
    mov eax, 0x0b
    xor ecx, ecx
    cpuid
    test ebx, ebx               ; 0: the leaf is not there (SDM 2A CPUID 0Bh)
    jz .initial_id
    mov esi, edx
    jmp .find
.initial_id:
    mov eax, 1
    cpuid
    shr ebx, 24
    mov esi, ebx
.find:
    lea rdi, [smp_arrivals]
    mov ecx, [smp_arrival_count]
.next:
    test ecx, ecx
    jz .stranger
    cmp [rdi], esi
    je .found
    add rdi, ARRIVAL_SIZE
    dec ecx
    jmp .next
.found:
    mov rsp, [rdi + ARRIVAL_STACK_TOP]
    xor ebp, ebp
    call smp_core_main
.stranger:
    cli
    hlt
    jmp .stranger
