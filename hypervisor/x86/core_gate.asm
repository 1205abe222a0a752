; SPDX-License-Identifier: MIT
; Where a started core enters the image, still on the trampoline's page tables and without a stack.
; One that wakes up after all others were taken in finds no way on: what would take it in is gone.

bits 64
default rel

section .data
global core_gate_target
align 8
core_gate_target: dq 0          ; smp_entry while cores are started, else 0

section .text
global core_gate
core_gate:
    mov rax, [core_gate_target]
    test rax, rax
    jz .stop
    jmp rax
.stop:
    cli
    hlt
    jmp .stop
