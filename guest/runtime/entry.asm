; SPDX-License-Identifier: MIT
; PVH entry (Xen PVH boot ABI): 32-bit protected mode, no paging, EBX = struct hvm_start_info.
; Identity-maps the first 4 GiB with 2 MiB pages, enters long mode, calls runtime_main(start_info).

bits 32

section .note.pvh note align=4
    dd 4                    ; name size
    dd 4                    ; descriptor size
    dd 18                   ; XEN_ELFNOTE_PHYS32_ENTRY
    db "Xen", 0
    dd pvh_entry

section .bss
align 4096
pml4:   resb 4096
pdpt:   resb 4096
pds:    resb 4 * 4096
align 16
stack:  resb 16384
stack_top:

section .rodata
align 8
gdt:
    dq 0
    dq 0x00af9b000000ffff   ; 64-bit code
    dq 0x00cf93000000ffff   ; data
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt

section .entry progbits alloc exec nowrite align=16
global pvh_entry
extern runtime_main

pvh_entry:
    cld
    mov esp, stack_top
    mov esi, ebx

    mov eax, pdpt
    or eax, 3
    mov [pml4], eax
    xor ecx, ecx
.pdpt:
    mov eax, ecx
    shl eax, 12
    add eax, pds
    or eax, 3
    mov [pdpt + ecx * 8], eax
    inc ecx
    cmp ecx, 4
    jb .pdpt
    xor ecx, ecx
.pd:
    mov eax, ecx
    shl eax, 21
    or eax, 0x83
    mov [pds + ecx * 8], eax
    inc ecx
    cmp ecx, 2048
    jb .pd

    mov eax, pml4
    mov cr3, eax
    mov eax, cr4
    or eax, 0x20            ; PAE
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100           ; EFER.LME
    wrmsr
    mov eax, cr0
    or eax, 0x80000001      ; PG, PE
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 8:.long

bits 64
.long:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov edi, esi
    call runtime_main
.halt:
    cli
    hlt
    jmp .halt

; Interrupt stubs: push the vector, save what C may change, call runtime_interrupt(vector).
section .text
extern runtime_interrupt
extern runtime_exception

common_interrupt:
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    mov rdi, [rsp + 9 * 8]
    call runtime_interrupt
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
    add rsp, 8
    iretq

common_exception:
    mov rdi, [rsp]          ; vector
    mov rsi, [rsp + 8]      ; error code
    mov rdx, [rsp + 16]     ; RIP
    cld
    and rsp, -16
    call runtime_exception
    hlt

%assign vector 0
%rep 256
stub_ %+ vector:
%if vector < 32
  %if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    push qword 0
  %endif
    push qword vector
    jmp common_exception
%else
    push qword vector
    jmp common_interrupt
%endif
%assign vector vector + 1
%endrep

section .rodata
align 8
global interrupt_stubs
interrupt_stubs:
%assign vector 0
%rep 256
    dq stub_ %+ vector
%assign vector vector + 1
%endrep
