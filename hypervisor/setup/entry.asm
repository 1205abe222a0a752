; SPDX-License-Identifier: MIT
; Where both loaders jump to (state: boot/boot_info.h).
;   RDI  struct boot_info, identity-mapped

bits 64
default rel

extern boot_stack_top
extern hypervisor_main

section .text
global hypervisor_entry
hypervisor_entry:
    cli
    cld
    lea rsp, [boot_stack_top]
    xor ebp, ebp                ; ends frame-pointer walks
    call hypervisor_main
.halt:
    cli
    hlt
    jmp .halt
