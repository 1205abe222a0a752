; SPDX-License-Identifier: MIT
; The start stub's way in and out (hypervisor/abi/start.h). In: 32-bit protected mode without paging; identity-maps the
; guest's memory with 2 MiB pages, enters long mode, calls start_main(). Out: to the image in the state that its boot
; protocol asks for, with the stub's memory zero.

%define SELECTOR_CODE_32 0x08
%define SELECTOR_DATA    0x10
%define SELECTOR_CODE_64 0x18
%define SELECTOR_LINUX_CODE 0x10 ; of the GDT in its tables
%define SELECTOR_LINUX_DATA 0x18
%define ABI_START_LOADED 16 ; hypervisor/abi/start.h

extern start_main
extern start_block
extern leave_code
extern stub_end

section .bss
align 4096
pml4:   resb 4096
pdpt:   resb 4096
pds:    resb 2 * 4096           ; 2 GiB, the most that a guest has below the hole
        resb 8192
stack_top:

section .rodata
align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
    dq 0x00af9b000000ffff
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt
no_gdt:
    dw 0
    dd 0

section .entry progbits alloc exec nowrite align=16
bits 32
global start_entry
start_entry:
    mov esp, stack_top
    mov dword [pml4], pdpt + 3
    mov dword [pdpt], pds + 3
    mov dword [pdpt + 8], pds + 4096 + 3
    mov ecx, [start_block]      ; memory_size
    shr ecx, 21
    mov edi, pds
    mov eax, 0x83
.page:
    mov [edi], eax
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz .page

    mov eax, pml4
    mov cr3, eax
    mov eax, 0x20               ; PAE
    mov cr4, eax
    mov ecx, 0xc0000080
    mov eax, 0x100              ; EFER.LME
    xor edx, edx
    wrmsr
    mov eax, 0x80000011         ; PG, ET, PE
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp SELECTOR_CODE_64:.long

bits 64
.long:
    mov eax, SELECTOR_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    cld
    call start_main
    ud2

; The stub's last call (EDI: are there to be ports?; ESI: VMMCALL makes it), in the image's mode, so that all exits after it
; are the image's. What the boot protocols do not speak of is 0, as it was. Then to the code at leave_code, which is no part
; of what it overwrites: EDI and ECX say what, EAX is 0.
%macro leave_stub 0
    mov eax, ABI_START_LOADED
    test esi, esi
    jnz %%vmmcall
    vmcall
    jmp %%called
%%vmmcall:
    vmmcall
%%called:
    mov edx, 0
    mov ebx, 0
    mov ebp, 0
    mov esi, 0
    push 2
    popf
    mov esp, 0
    mov edi, start_block
    mov ecx, stub_end
    sub ecx, edi
    shr ecx, 2
    mov eax, 0
    jmp leave_code
%endmacro

%macro load_data 1
    mov eax, %1
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
%endmacro

%macro clear_extended 0
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
%endmacro

section .text
; void leave_protected(uint64_t ports, uint64_t vmmcall): PVH and Multiboot.
global leave_protected
leave_protected:
    clear_extended
    push SELECTOR_CODE_32
    push .protected
    retfq
bits 32
.protected:
    load_data SELECTOR_DATA
    mov eax, 0x11               ; ET, PE
    mov cr0, eax
    mov ecx, 0xc0000080
    xor eax, eax
    xor edx, edx
    wrmsr
    mov cr4, eax
    mov cr3, eax
    lgdt [no_gdt]               ; the first interrupt must not find one by chance
    leave_stub

bits 64
; void leave_long(uint64_t ports, uint64_t vmmcall, uint64_t page_tables, const struct gdt_pointer *gdt): Linux.
global leave_long
leave_long:
    clear_extended
    lgdt [rcx]
    mov cr3, rdx
    push SELECTOR_LINUX_CODE
    push .linux
    retfq
.linux:
    load_data SELECTOR_LINUX_DATA
    leave_stub
