/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees of Bulkhead beyond the architecture. Shared with guest/ (the only header it
 * takes from here).
 *
 * Discovery: CPUID 0x40000000 gives EAX = highest leaf, EBX:ECX:EDX = "BulkheadHV\0\0".
 * CPUID 0x40000001: EAX = ABI_VERSION, EBX = TSC frequency in kHz, ECX = 1 when guest calls are
 * made with VMCALL, 2 with VMMCALL.
 *
 * CPUID 0x40000100 gives KVM's signature, for Linux: without interrupt remapping it keeps x2APIC
 * mode only under a hypervisor whose interface it knows. Of that interface nothing is offered but
 * that writes to port 0x80 need not be used as a delay, and that bits 11:5 of an MSI address are
 * bits 14:8 of the destination, so that devices reach vCPUs with APIC ids above 255.
 *
 * Guest calls: number in RAX, arguments in RDI, RSI, RDX; result in RAX (0, or a negative number).
 */
#pragma once

/* Raised when a call or a register of these leaves changes its meaning or goes. New calls and
 * leaves do not count: a guest finds out by ABI_NO_SUCH_CALL and the highest leaf. */
#define ABI_VERSION 1u

#define ABI_CPUID_SIGNATURE    0x40000000u
#define ABI_CPUID_FEATURES     0x40000001u
#define ABI_SIGNATURE          "BulkheadHV\0\0"
#define ABI_CPUID_KVM          0x40000100u
#define ABI_CPUID_KVM_FEATURES 0x40000101u
#define ABI_KVM_SIGNATURE      "KVMKVMKVM\0\0\0"
#define ABI_KVM_NO_IO_DELAY    2u      /* KVM_FEATURE_NOP_IO_DELAY */
#define ABI_KVM_MSI_WIDE       0x8000u /* KVM_FEATURE_MSI_EXT_DEST_ID */
#define ABI_CALL_VMCALL        1u
#define ABI_CALL_VMMCALL       2u

#define ABI_CONSOLE_WRITE 1 /* RDI = guest-physical address, RSI = bytes (at most 4096) */
#define ABI_EVENT         2 /* RDI = a 64-bit word for the log: guest.event name= value= */
#define ABI_EXIT          3 /* RDI = status; the guest ends */
/* RDI = a character of a keyboard, 1 to 127: it is taken as if typed at the console. Only for the
 * guest that the configuration names (console_input = yes), else ABI_DENIED. ABI_BUSY: the one
 * before has not been taken yet; there are at most 50 a second. */
#define ABI_CONSOLE_INPUT 4

#define ABI_OK           0
#define ABI_NO_SUCH_CALL (-1)
#define ABI_BAD_ADDRESS  (-2)
#define ABI_BAD_ARGUMENT (-3)
#define ABI_DENIED       (-4)
#define ABI_BUSY         (-5)
