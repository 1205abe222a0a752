; SPDX-License-Identifier: MIT
; From GRUB to 64-bit mode (Multiboot2 1.6, "I386 machine state"): 32-bit protected mode, paging off,
; EAX = magic, EBX = address of the boot information, no usable stack. The image may have been moved
; from its linked physical address (relocatable tag), so this code finds out where it is.
;
; Early tables: the first 4 GiB mapped to themselves, writable and not executable, but for the 4 MiB
; that hold the image. These have the rights of their segments there as well as at the linked
; address (the same page tables), so no page is ever writable and executable.

MULTIBOOT2_MAGIC     equ 0xe85250d6     ; in the header
MULTIBOOT2_LOADED    equ 0x36d76289     ; in EAX
IMAGE_VIRTUAL        equ 0xffffffff80000000
SERIAL               equ 0x3f8

PAGE_PRESENT         equ 1 << 0
PAGE_WRITE           equ 1 << 1
PAGE_LARGE           equ 1 << 7
PAGE_NX_HIGH         equ 1 << 31        ; bit 63, in the upper half of an entry

CR0_PE               equ 1 << 0
CR0_MP               equ 1 << 1
CR0_ET               equ 1 << 4
CR0_NE               equ 1 << 5
CR0_WP               equ 1 << 16
CR0_PG               equ 1 << 31
CR4_PAE              equ 1 << 5
MSR_EFER             equ 0xc0000080
EFER_LME             equ 1 << 8
EFER_NXE             equ 1 << 11

; The tables, one page each, in this order.
PML4                 equ 0 * 4096
PDPT_LOW             equ 1 * 4096
PDPT_HIGH            equ 2 * 4096
PD_LOW               equ 3 * 4096       ; four: 4 GiB
PD_HIGH              equ 7 * 4096
PT_IMAGE             equ 8 * 4096       ; two: 4 MiB
TABLES_SIZE          equ 10 * 4096

extern hypervisor_entry
extern boot_stack_top
extern multiboot2_convert
extern multiboot2_entry_physical
extern multiboot2_entry_offset
extern multiboot2_tables_offset
extern image_boot_text_end_offset
extern image_boot_rodata_end_offset
extern image_boot_data_end_offset
extern image_text_end_offset
extern image_rodata_end_offset
extern boot_stack_top_offset

section .multiboot2.tables nobits alloc noexec write align=4096
global multiboot2_tables
multiboot2_tables:
    resb TABLES_SIZE

section .multiboot2.header progbits alloc noexec nowrite align=8
header:
    dd MULTIBOOT2_MAGIC
    dd 0                                ; architecture: i386
    dd header_end - header
    dd 0x100000000 - (MULTIBOOT2_MAGIC + (header_end - header))

    ; No framebuffer tag: asked for one, BIOS's GRUB 2.06 corrupts its heap on Bochs' VGA BIOS.
    align 8                             ; information request, optional
    dw 1, 1
    dd 32
    dd 1, 3, 6, 8, 14, 15               ; command line, modules, memory map, framebuffer, RSDPs
    align 8                             ; entry address (the ELF's own is for 64-bit loaders)
    dw 3, 0
    dd 12
    dd multiboot2_entry_physical
    align 8                             ; modules begin on a page
    dw 6, 0
    dd 8
    align 8                             ; relocatable: from 1 MiB to 4 GiB, by 2 MiB, lowest first
    dw 10, 0
    dd 24
    dd 0x00200000, 0xffe00000, 0x00200000, 1
    align 8
    dw 0, 0
    dd 8
header_end:

section .multiboot2.text progbits alloc exec nowrite align=16
bits 32
global multiboot2_entry
multiboot2_entry:
    cli
    cld
    mov esi, eax
    ; The boot information's second dword is reserved: room enough for one return address.
    lea esp, [ebx + 8]
    call .here
.here:
    pop ebp
    sub ebp, multiboot2_entry_offset
    sub ebp, .here - multiboot2_entry   ; EBP = physical address of the image
    cmp esi, MULTIBOOT2_LOADED
    mov edi, magic_message - multiboot2_entry
    jne fail
    test ebp, 0x1fffff
    mov edi, alignment_message - multiboot2_entry
    jnz fail

    mov esp, ebx                        ; CPUID changes EBX
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    mov edi, long_mode_message - multiboot2_entry
    jb fail
    mov eax, 0x80000001
    cpuid
    bt edx, 29
    jnc fail
    bt edx, 20
    mov edi, nx_message - multiboot2_entry
    jnc fail
    mov ebx, esp

    lea esi, [ebp + multiboot2_tables_offset]
    mov edi, esi
    xor eax, eax
    mov ecx, TABLES_SIZE / 4
    rep stosd

    lea eax, [esi + PDPT_LOW + (PAGE_PRESENT | PAGE_WRITE)]
    mov [esi + PML4], eax
    lea eax, [esi + PDPT_HIGH + (PAGE_PRESENT | PAGE_WRITE)]
    mov [esi + PML4 + 511 * 8], eax
    lea eax, [esi + PD_HIGH + (PAGE_PRESENT | PAGE_WRITE)]
    mov [esi + PDPT_HIGH + 510 * 8], eax
    lea eax, [esi + PD_LOW + (PAGE_PRESENT | PAGE_WRITE)]
    lea edi, [esi + PDPT_LOW]
    mov ecx, 4
.directory:
    mov [edi], eax
    add eax, 4096
    add edi, 8
    loop .directory

    mov eax, PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE
    lea edi, [esi + PD_LOW]
    mov ecx, 4 * 512
.identity:
    mov [edi], eax
    mov dword [edi + 4], PAGE_NX_HIGH
    add eax, 0x200000
    add edi, 8
    loop .identity

    ; Both views of the image share their tables.
    lea eax, [esi + PT_IMAGE + (PAGE_PRESENT | PAGE_WRITE)]
    mov [esi + PD_HIGH], eax
    mov edi, ebp
    shr edi, 21
    lea edi, [esi + PD_LOW + edi * 8]
    mov [edi], eax
    mov dword [edi + 4], 0
    add eax, 4096
    mov [esi + PD_HIGH + 8], eax
    mov [edi + 8], eax
    mov dword [edi + 12], 0

    lea edi, [esi + PT_IMAGE]
    xor edx, edx                        ; offset into the image
.page:
    lea eax, [ebp + edx + PAGE_PRESENT]
    cmp edx, image_boot_text_end_offset
    jb .write
    cmp edx, image_boot_rodata_end_offset
    jb .data
    cmp edx, image_boot_data_end_offset
    jb .writable
    cmp edx, image_text_end_offset
    jb .write
    cmp edx, image_rodata_end_offset
    jb .data
.writable:
    or eax, PAGE_WRITE
.data:
    mov dword [edi + 4], PAGE_NX_HIGH
.write:
    mov [edi], eax
    add edi, 8
    add edx, 4096
    cmp edx, 0x400000
    jb .page

    mov eax, CR4_PAE
    mov cr4, eax
    lea eax, [esi + PML4]
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME | EFER_NXE
    wrmsr
    mov eax, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE
    mov cr0, eax

    ; Still 32-bit code until the far return.
    lea esp, [ebp + boot_stack_top_offset]
    lea eax, [ebp + multiboot2_entry_offset]
    lea ecx, [eax + descriptors - multiboot2_entry]
    push ecx
    push word DESCRIPTORS_SIZE - 1
    lgdt [esp]
    mov ecx, 16
    mov ds, ecx
    mov es, ecx
    mov ss, ecx
    xor ecx, ecx
    mov fs, ecx
    mov gs, ecx
    add eax, long_mode - multiboot2_entry
    push dword 8
    push eax
    retf

; EDI: offset of a message from multiboot2_entry. Shows it on the serial line and on a VGA text
; screen, then stops.
fail:
    lea esi, [ebp + edi]
    add esi, multiboot2_entry_offset
    mov edi, 0xb8000
.next:
    lodsb
    test al, al
    jz .stop
    mov ah, 0x4f
    stosw
    mov bl, al
    mov ecx, 100000                     ; a line that is not there must not hold the message up
.wait:
    mov edx, SERIAL + 5
    in al, dx
    test al, 0x20
    jnz .send
    loop .wait
.send:
    mov al, bl
    mov edx, SERIAL
    out dx, al
    jmp .next
.stop:
    cli
    hlt
    jmp .stop

align 8
descriptors:                            ; accessed already, so the CPU never writes here
    dq 0
    dq 0x00af9b000000ffff               ; 64-bit code
    dq 0x00cf93000000ffff               ; data
DESCRIPTORS_SIZE equ $ - descriptors

magic_message: db "Bulkhead: EAX holds no multiboot2 magic. Load bulkhead.elf with the multiboot2 command.", 13, 10, 0
alignment_message: db "Bulkhead: the boot loader has put the image where it is not 2 MiB aligned.", 13, 10, 0
long_mode_message: db "Bulkhead: this CPU has no 64-bit mode.", 13, 10, 0
nx_message: db "Bulkhead: this CPU has no NX bit, or the firmware has it switched off.", 13, 10, 0

bits 64
default rel
long_mode:
    mov rax, linked
    jmp rax
linked:
    lea rsp, [boot_stack_top]
    mov edi, ebx                        ; boot information
    mov esi, ebp                        ; physical address of the image
    mov rdx, cr3
    xor ebp, ebp
    call multiboot2_convert
    mov rdi, rax
    jmp hypervisor_entry
