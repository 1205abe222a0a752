; SPDX-License-Identifier: MIT
; What `help COMMAND` says, as it stands in help.txt.

section .rodata
global help_text
help_text:
    incbin "hypervisor/monitor/help.txt"
    db 0
