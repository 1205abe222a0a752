; SPDX-License-Identifier: MIT
; Multiboot 1: the header, and the way from the loader's state (3.2: 32-bit, no paging) to C.
bits 32

MAGIC     equ 0x1badb002
FLAGS     equ 3                         ; modules on page boundaries, memory information

extern kernel_main
extern bss_start
extern bss_end
global multiboot_entry

section .header
align 4
    dd MAGIC
    dd FLAGS
    dd -(MAGIC + FLAGS)

section .text
multiboot_entry:
    mov esp, stack_end
    mov esi, eax
    xor eax, eax
    mov edi, bss_start
    mov ecx, bss_end
    sub ecx, edi
    rep stosb                           ; what the loader should have done already
    push ebx                            ; the second argument
    push esi
    call kernel_main
.stop:                                  ; only if port 0xf4 ends nothing
    cli
    hlt
    jmp .stop

section .stack nobits alloc write
align 16
    resb 4096
stack_end:
