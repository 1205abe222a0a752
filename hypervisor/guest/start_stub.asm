; SPDX-License-Identifier: MIT
; The start stub (guest/start/) as bytes: copied into a guest's memory at each start, never run here.

section .rodata
align 16
global start_stub
global start_stub_size
start_stub:
    incbin "guest/start.bin"
start_stub_end:
align 8
start_stub_size:
    dq start_stub_end - start_stub
