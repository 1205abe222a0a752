; SPDX-License-Identifier: MIT
; What the second CPU runs, in real mode, at SIBLING_PAGE: it writes down what a start-up IPI left in its registers, and
; then carries out one job after the other. struct sibling_page of sibling.c is at OFFSET_PAGE of the page.

bits 16

OFFSET_PAGE  equ 0x800
STATE        equ OFFSET_PAGE
GO           equ OFFSET_PAGE + 128      ; set by the other CPU, cleared when the job is done
JOB          equ OFFSET_PAGE + 132      ; EAX, ECX, EDX, ESI, EFLAGS
RESULT       equ OFFSET_PAGE + 152      ; EAX, ECX, EDX, ESI, vector, IP, CS, FLAGS
STARTS       equ OFFSET_PAGE + 184
CODE         equ OFFSET_PAGE + 256
STACK        equ 0x7000
MSR_EFER     equ 0xc0000080
MSR_APIC_BASE equ 0x1b

section .rodata
global sibling_start
global sibling_end
sibling_start:
    mov [cs:STATE], eax
    mov [cs:STATE + 4], ebx
    mov [cs:STATE + 8], ecx
    mov [cs:STATE + 12], edx
    mov [cs:STATE + 16], esi
    mov [cs:STATE + 20], edi
    mov [cs:STATE + 24], ebp
    mov [cs:STATE + 28], esp
    mov [cs:STATE + 32], ds
    mov [cs:STATE + 34], es
    mov [cs:STATE + 36], ss
    mov [cs:STATE + 38], fs
    mov [cs:STATE + 40], gs
    mov [cs:STATE + 42], cs
    pushfd
    pop dword [cs:STATE + 44]
    mov eax, cr0
    mov [cs:STATE + 48], eax
    mov eax, cr2
    mov [cs:STATE + 52], eax
    mov eax, cr3
    mov [cs:STATE + 56], eax
    mov eax, cr4
    mov [cs:STATE + 60], eax
    mov eax, dr6
    mov [cs:STATE + 64], eax
    mov eax, dr7
    mov [cs:STATE + 68], eax
    sgdt [cs:STATE + 72]
    sidt [cs:STATE + 80]
    mov ecx, MSR_EFER
    rdmsr
    mov [cs:STATE + 88], eax
    mov ecx, MSR_APIC_BASE
    rdmsr
    mov [cs:STATE + 92], eax

    xor ax, ax
    mov es, ax
    xor di, di
    mov bx, stubs - sibling_start
.vectors:
    mov [es:di], bx
    mov [es:di + 2], cs
    add di, 4
    add bx, 3
    cmp di, 4 * 256
    jb .vectors
    inc word [cs:STARTS]

next:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, STACK
    mov word [cs:GO], 0
.wait:
    pause
    cmp word [cs:GO], 0
    je .wait
    mov eax, [cs:JOB]
    mov ecx, [cs:JOB + 4]
    mov edx, [cs:JOB + 8]
    mov esi, [cs:JOB + 12]
    push word [cs:JOB + 16]
    push cs
    push word CODE
    iret

taken:
    pop word [cs:RESULT + 16]           ; behind the CALL of a stub
    pop word [cs:RESULT + 18]           ; IP
    pop word [cs:RESULT + 20]           ; CS
    pop word [cs:RESULT + 22]           ; FLAGS
    mov [cs:RESULT], eax
    mov [cs:RESULT + 4], ecx
    mov [cs:RESULT + 8], edx
    mov [cs:RESULT + 12], esi
    mov ax, [cs:RESULT + 16]
    sub ax, stubs - sibling_start + 3
    mov bl, 3
    div bl
    xor ah, ah
    mov [cs:RESULT + 16], ax            ; the vector
    cld
    push word 2                         ; an NMI's end is an IRET
    push cs
    push word next - sibling_start
    iret

stubs:
%rep 256
    call taken
%endrep
sibling_end:
