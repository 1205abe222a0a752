; SPDX-License-Identifier: MIT
; The few instruction sequences that C cannot say, or whose exact addresses matter.

bits 64
default rel

; struct cpu (core.c asserts them)
CPU_NMI_COUNT equ 28
CPU_NMI_SEEN  equ 56

section .text

; bool msr_read_safe(uint32_t msr, uint64_t *value)
global msr_read_safe, msr_read_safe_access
msr_read_safe:
    mov ecx, edi
msr_read_safe_access:
    rdmsr
    shl rdx, 32
    or rax, rdx
    mov [rsi], rax
    mov eax, 1
    ret

; bool msr_write_safe(uint32_t msr, uint64_t value)
global msr_write_safe, msr_write_safe_access
msr_write_safe:
    mov ecx, edi
    mov eax, esi
    mov rdx, rsi
    shr rdx, 32
msr_write_safe_access:
    wrmsr
    mov eax, 1
    ret

; bool memory_read_safe(uintptr_t address, uint64_t *value)
global memory_read_safe, memory_read_safe_access
memory_read_safe:
memory_read_safe_access:
    mov rax, [rdi]
    mov [rsi], rax
    mov eax, 1
    ret

; Where a fault in one of the three accesses continues.
global safe_access_failed
safe_access_failed:
    xor eax, eax
    ret

; bool interrupts_disable(void)
global interrupts_disable
interrupts_disable:
    pushfq
    pop rax
    cli
    shr eax, 9
    and eax, 1
    ret

; void interrupts_restore(bool were_enabled)
global interrupts_restore
interrupts_restore:
    test dil, dil
    jz .off
    sti
.off:
    ret

; void cpu_wait(void)
; An interrupt cannot get lost: STI takes effect after HLT has begun. An NMI could, between the
; comparison and HLT, so its handler moves a return address inside the window to its end.
global cpu_wait, cpu_wait_window, cpu_wait_window_end
cpu_wait:
cpu_wait_window:
    mov eax, [gs:CPU_NMI_COUNT]
    cmp eax, [gs:CPU_NMI_SEEN]
    jne cpu_wait_window_end
    sti
    hlt
cpu_wait_window_end:
    cli
    mov eax, [gs:CPU_NMI_COUNT]
    mov [gs:CPU_NMI_SEEN], eax
    ret
