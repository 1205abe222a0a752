; SPDX-License-Identifier: MIT
; Dropping interrupts that a guest left behind.

bits 64
default rel

extern apic_end_of_interrupt
extern discard_idt

CPU_INTERRUPT_COUNT equ 48      ; struct cpu (core.c asserts it)

section .text

; A stale interrupt of whatever vector, exceptions' numbers included: counted, ended, forgotten.
align 16
global discard_entry
discard_entry:
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    cld
    inc qword [gs:CPU_INTERRUPT_COUNT]
    call apic_end_of_interrupt
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    iretq

; void interrupts_discard(void)
global interrupts_discard
interrupts_discard:
    pushfq
    sub rsp, 16
    sidt [rsp]
    lidt [discard_idtr]
    sti
    nop
    nop
    cli
    lidt [rsp]
    add rsp, 16
    popfq
    ret

section .rodata
align 8
    dw 0, 0, 0                  ; the base is aligned, the limit before it
discard_idtr:
    dw 256 * 16 - 1
    dq discard_idt
