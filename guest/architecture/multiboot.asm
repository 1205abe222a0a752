; SPDX-License-Identifier: MIT
; Multiboot 2, for machines where nobody starts a PVH image: the state is PVH's but for EBX, and of what GRUB tells the
; command line alone is passed on. Multiboot 2 specification 3.1, 3.3, 3.6.

bits 32

MAGIC        equ 0xe85250d6
TAG_ENTRY    equ 3                     ; of the header
TAG_END      equ 0                     ; of what GRUB tells
TAG_COMMAND_LINE equ 1
COMMAND_LINE equ 24                     ; in start_info

extern pvh_entry

section .entry progbits alloc exec nowrite align=16
multiboot_header:
    dd MAGIC, 0, multiboot_end - multiboot_header, -(MAGIC + multiboot_end - multiboot_header)
    dw TAG_ENTRY, 0
    dd 12, multiboot_entry, 0           ; the size and padding to eight bytes
    dw 0, 0
    dd 8
multiboot_end:

multiboot_entry:
    add ebx, 8                          ; behind the two words of the beginning
.tag:
    cmp dword [ebx], TAG_END
    je .start
    cmp dword [ebx], TAG_COMMAND_LINE
    jne .next
    lea eax, [ebx + 8]
    mov [start_info + COMMAND_LINE], eax
.next:
    mov eax, [ebx + 4]
    add eax, 7
    and eax, -8
    add ebx, eax
    jmp .tag
.start:
    mov ebx, start_info
    jmp pvh_entry

section .data
align 8
start_info:                             ; struct hvm_start_info, version 1: neither ACPI nor a memory map
    dd 0x336ec578, 1, 0, 0
    dq 0, 0, 0, 0
    dd 0, 0
