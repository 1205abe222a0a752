; SPDX-License-Identifier: MIT
; The switch from the firmware's paging to ours, in a page of its own that both map executable.
; It goes through 32-bit mode with paging off: the firmware may run with 5-level paging, which cannot
; be left otherwise (Intel SDM volume 3, 4.1.2), and then every machine takes the same way.
;
;   RDI  struct boot_info      RSI  page-table root      RDX  this page      (all below 4 GiB)
;
; Nothing is written here: the page may be read-only. What it has to know is put into
; jump_parameters (boot/efi/efi.h) before.

CR0_PE   equ 1 << 0
CR0_MP   equ 1 << 1
CR0_ET   equ 1 << 4
CR0_NE   equ 1 << 5
CR0_WP   equ 1 << 16
CR0_PG   equ 1 << 31
CR4_PAE  equ 1 << 5
CR4_LA57 equ 1 << 12
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11

CODE64   equ 8
DATA     equ 16
CODE32   equ 24

section .rodata
global jump_start, jump_end, jump_parameters, jump_continue, jump_table
align 16
jump_start:
bits 64
default rel
    cli
    cld
    ; Global pages, PCIDs and shadow stacks off; the number of levels can only change later.
    mov rax, cr4
    and eax, CR4_PAE | CR4_LA57
    mov cr4, rax
    lgdt [table_limit]
    mov ebx, edx
    lea rax, [without_paging]
    push qword CODE32
    push rax
    retfq

bits 32
without_paging:
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov eax, CR4_PAE
    mov cr4, eax
    mov cr3, esi
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME | EFER_NXE
    wrmsr
    mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
    mov cr0, eax
    jmp far [ebx + continue_address - jump_start]

bits 64
jump_continue:
    mov edi, edi                ; upper halves are undefined after 32-bit mode
    mov ebx, ebx
    mov rax, [entry]
    jmp rax

align 8
jump_parameters:
entry:             dq 0
continue_address:  dd 0
                   dw CODE64
                   dw 0
                   dw 0, 0, 0
table_limit:       dw jump_table_end - jump_table - 1
table_base:        dq 0
align 8
jump_table:                     ; accessed already, so the CPU never writes here
    dq 0
    dq 0x00af9b000000ffff       ; 64-bit code
    dq 0x00cf93000000ffff       ; data
    dq 0x00cf9b000000ffff       ; 32-bit code
jump_table_end:
jump_end:
