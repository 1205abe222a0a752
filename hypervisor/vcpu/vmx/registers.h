/* SPDX-License-Identifier: MIT */
/*
 * VMX as the manual defines it: VMCS fields (SDM 3D B), exit reasons (SDM 3D C), memory structures,
 * and the control bits (SDM 3C 25.6 to 25.8) that are looked at while guests run; vmx_registers.h
 * in setup/ has the others. Facts only, no policy.
 */
#pragma once

#include "hypervisor/base/core.h"

/* IA32_VMX_EPT_VPID_CAP, SDM 3D A.10 */
#define VMX_EPT_INVEPT_SINGLE   BIT(25)
#define VMX_VPID_INVVPID_SINGLE BIT(41)
#define VMX_VPID_INVVPID_ALL    BIT(42)

/* Controls */
#define PIN_VIRTUAL_NMI      BIT(5)
#define PRIMARY_NMI_WINDOW   BIT(22)
#define SECONDARY_VPID       BIT(5)
#define SECONDARY_ENCLS_EXIT BIT(15)
#define SECONDARY_XSAVES     BIT(20)
#define SECONDARY_ENCLV_EXIT BIT(28)
#define ENTRY_IA32E_GUEST    BIT(9)

/* --- VMCS fields, SDM 3D B --- */
enum vmcs_field {
    VMCS_VPID = 0x0000,
    VMCS_GUEST_ES_SELECTOR = 0x0800, /* CS, SS, DS, FS, GS, LDTR, TR follow, 2 apart */
    VMCS_HOST_ES_SELECTOR = 0x0c00,
    VMCS_HOST_CS_SELECTOR = 0x0c02,
    VMCS_HOST_SS_SELECTOR = 0x0c04,
    VMCS_HOST_DS_SELECTOR = 0x0c06,
    VMCS_HOST_FS_SELECTOR = 0x0c08,
    VMCS_HOST_GS_SELECTOR = 0x0c0a,
    VMCS_HOST_TR_SELECTOR = 0x0c0c,

    VMCS_IO_BITMAP_A = 0x2000,
    VMCS_IO_BITMAP_B = 0x2002,
    VMCS_MSR_BITMAP = 0x2004,
    VMCS_EPT_POINTER = 0x201a,
    VMCS_XSS_EXIT_BITMAP = 0x202c,
    VMCS_ENCLS_EXIT_BITMAP = 0x202e,
    VMCS_ENCLV_EXIT_BITMAP = 0x2036,
    VMCS_GUEST_PHYSICAL_ADDRESS = 0x2400,
    VMCS_LINK_POINTER = 0x2800,
    VMCS_GUEST_DEBUGCTL = 0x2802,
    VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_PDPTE0 = 0x280a, /* 1, 2, 3 follow, 2 apart */
    VMCS_HOST_PAT = 0x2c00,
    VMCS_HOST_EFER = 0x2c02,

    VMCS_PIN_CONTROLS = 0x4000,
    VMCS_PRIMARY_CONTROLS = 0x4002,
    VMCS_EXCEPTION_BITMAP = 0x4004,
    VMCS_PAGE_FAULT_MASK = 0x4006,
    VMCS_PAGE_FAULT_MATCH = 0x4008,
    VMCS_CR3_TARGET_COUNT = 0x400a,
    VMCS_EXIT_CONTROLS = 0x400c,
    VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
    VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
    VMCS_ENTRY_CONTROLS = 0x4012,
    VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
    VMCS_ENTRY_INTERRUPTION = 0x4016,
    VMCS_ENTRY_EXCEPTION_ERROR = 0x4018,
    VMCS_ENTRY_INSTRUCTION_LENGTH = 0x401a,
    VMCS_SECONDARY_CONTROLS = 0x401e,
    VMCS_INSTRUCTION_ERROR = 0x4400,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_INTERRUPTION = 0x4404,
    VMCS_EXIT_INTERRUPTION_ERROR = 0x4406,
    VMCS_IDT_VECTORING = 0x4408,
    VMCS_IDT_VECTORING_ERROR = 0x440a,
    VMCS_EXIT_INSTRUCTION_LENGTH = 0x440c,
    VMCS_GUEST_ES_LIMIT = 0x4800, /* CS, SS, DS, FS, GS, LDTR, TR follow, 2 apart */
    VMCS_GUEST_GDTR_LIMIT = 0x4810,
    VMCS_GUEST_IDTR_LIMIT = 0x4812,
    VMCS_GUEST_ES_RIGHTS = 0x4814, /* CS, SS, DS, FS, GS, LDTR, TR follow, 2 apart */
    VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
    VMCS_GUEST_ACTIVITY = 0x4826,
    VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_HOST_SYSENTER_CS = 0x4c00,

    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,
    VMCS_EXIT_QUALIFICATION = 0x6400,
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_ES_BASE = 0x6806, /* CS, SS, DS, FS, GS, LDTR, TR follow, 2 apart */
    VMCS_GUEST_GDTR_BASE = 0x6816,
    VMCS_GUEST_IDTR_BASE = 0x6818,
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DEBUG = 0x6822,
    VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,
    VMCS_HOST_CR0 = 0x6c00,
    VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,
    VMCS_HOST_FS_BASE = 0x6c06,
    VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a,
    VMCS_HOST_GDTR_BASE = 0x6c0c,
    VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_SYSENTER_ESP = 0x6c10,
    VMCS_HOST_SYSENTER_EIP = 0x6c12,
    VMCS_HOST_RSP = 0x6c14,
    VMCS_HOST_RIP = 0x6c16,
};

/* Segment rights in the VMCS: as struct vcpu_segment.attributes, and this bit. */
#define VMCS_SEGMENT_UNUSABLE BIT(16)

/* Guest non-register state, SDM 3C 25.4.2. */
#define INTERRUPTIBILITY_STI    BIT(0)
#define INTERRUPTIBILITY_MOV_SS BIT(1)
#define INTERRUPTIBILITY_NMI    BIT(3)
#define ACTIVITY_ACTIVE         0u
#define ACTIVITY_HLT            1u
#define ACTIVITY_SHUTDOWN       2u
#define ACTIVITY_WAIT_FOR_SIPI  3u
#define PENDING_DEBUG_STEP      BIT(14)

/* Interruption information: entry, exit and IDT-vectoring fields, SDM 3C 25.8.3, 25.9.2. */
#define INTERRUPTION_VECTOR(info) ((uint8_t)(info))
#define INTERRUPTION_TYPE(info)   ((unsigned)FIELD(info, 10, 8))
#define INTERRUPTION_HAS_ERROR    BIT(11)
#define INTERRUPTION_NMI_UNBLOCK  BIT(12) /* exit field only: IRET had ended NMI blocking */
#define INTERRUPTION_VALID        BIT(31)
enum interruption_type {
    INTERRUPTION_EXTERNAL = 0,
    INTERRUPTION_NMI = 2,
    INTERRUPTION_HARDWARE_EXCEPTION = 3,
    INTERRUPTION_SOFTWARE_INTERRUPT = 4,
    INTERRUPTION_PRIVILEGED_SOFTWARE = 5, /* INT1 */
    INTERRUPTION_SOFTWARE_EXCEPTION = 6,  /* INT3, INTO */
};

/* --- Exit reasons, SDM 3D C --- */
#define EXIT_REASON_ENTRY_FAILED BIT(31)
enum vmx_exit_reason {
    REASON_EXCEPTION_NMI = 0,
    REASON_EXTERNAL_INTERRUPT = 1,
    REASON_TRIPLE_FAULT = 2,
    REASON_INIT = 3,
    REASON_SIPI = 4,
    REASON_NMI_WINDOW = 8,
    REASON_TASK_SWITCH = 9,
    REASON_CPUID = 10,
    REASON_GETSEC = 11,
    REASON_HLT = 12,
    REASON_INVD = 13,
    REASON_RDPMC = 15,
    REASON_VMCALL = 18,
    REASON_VMCLEAR = 19, /* the other VMX instructions up to VMXON follow */
    REASON_VMXON = 27,
    REASON_CONTROL_REGISTER = 28,
    REASON_IO = 30,
    REASON_RDMSR = 31,
    REASON_WRMSR = 32,
    REASON_GUEST_STATE = 33,
    REASON_MSR_LOADING = 34,
    REASON_MWAIT = 36,
    REASON_MONITOR = 39,
    REASON_MACHINE_CHECK_AT_ENTRY = 41,
    REASON_EPT_VIOLATION = 48,
    REASON_EPT_MISCONFIGURATION = 49,
    REASON_INVEPT = 50,
    REASON_INVVPID = 53,
    REASON_WBINVD = 54,
    REASON_XSETBV = 55,
    REASON_VMFUNC = 59,
    REASON_ENCLS = 60,
    REASON_UMWAIT = 67,
    REASON_TPAUSE = 68,
    REASON_ENCLV = 70,
};

/* Exit qualification of an EPT violation, SDM 3C 28.2.1. */
#define EPT_VIOLATION_READ        BIT(0)
#define EPT_VIOLATION_WRITE       BIT(1)
#define EPT_VIOLATION_FETCH       BIT(2)
#define EPT_VIOLATION_LINEAR      BIT(7) /* there is a guest-linear address */
#define EPT_VIOLATION_TRANSLATED  BIT(8) /* its translation, not a step of the walk */
#define EPT_VIOLATION_NMI_UNBLOCK BIT(12)

/* INVEPT, SDM 3C 31.3. */
struct invept_descriptor {
    uint64_t ept_pointer; /* 0x0 */
    uint64_t reserved;    /* 0x8 */
};
_Static_assert(sizeof(struct invept_descriptor) == 16, "SDM 3C 31.3 INVEPT");
#define INVEPT_SINGLE 1u
#define INVEPT_ALL    2u

/* INVVPID, SDM 3C 31.3. */
struct invvpid_descriptor {
    uint16_t vpid;           /* 0x0 */
    uint16_t reserved[3];    /* 0x2 */
    uint64_t linear_address; /* 0x8 */
};
_Static_assert(sizeof(struct invvpid_descriptor) == 16, "SDM 3C 31.3 INVVPID");
#define INVVPID_SINGLE 1u
#define INVVPID_ALL    2u

/* EPT pointer, SDM 3C 25.6.11. */
#define EPT_POINTER_WRITE_BACK     UINT64_C(6)
#define EPT_POINTER_LEVELS(levels) ((uint64_t)((levels) - 1) << 3)

/* VM-instruction error numbers in words, SDM 3C 31.4. Never NULL. */
const char *vmx_instruction_error_text(uint64_t error);
