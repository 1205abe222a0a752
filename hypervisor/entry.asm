; Where both loaders jump to (state: boot/boot_info.h).
;   RDI  struct boot_info, identity-mapped

bits 64
default rel

extern boot_stack_top
extern hypervisor_main

section .bss
global entry_tsc
alignb 8
entry_tsc: resq 1               ; TSC at the hypervisor's first instruction

section .text
global hypervisor_entry
hypervisor_entry:
    rdtsc
    cli
    cld
    shl rdx, 32
    or rax, rdx
    mov [entry_tsc], rax
    lea rsp, [boot_stack_top]
    xor ebp, ebp                ; ends frame-pointer walks
    call hypervisor_main
.halt:
    cli
    hlt
    jmp .halt
