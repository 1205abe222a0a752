/* SPDX-License-Identifier: MIT */
/*
 * What only choosing the controls and switching VMX on need of it: capability MSRs (SDM 3D A) and
 * control bits (SDM 3C 25.6 to 25.8). Facts only, no policy.
 */
#pragma once

#include "hypervisor/vcpu/vmx/registers.h"

/* --- Capability MSRs, SDM 3D A --- */
#define MSR_VMX_BASIC        0x480
#define MSR_VMX_PIN          0x481
#define MSR_VMX_PRIMARY      0x482
#define MSR_VMX_EXIT         0x483
#define MSR_VMX_ENTRY        0x484
#define MSR_VMX_MISC         0x485
#define MSR_VMX_CR0_FIXED0   0x486
#define MSR_VMX_CR0_FIXED1   0x487
#define MSR_VMX_CR4_FIXED0   0x488
#define MSR_VMX_CR4_FIXED1   0x489
#define MSR_VMX_SECONDARY    0x48b
#define MSR_VMX_EPT_VPID     0x48c
#define MSR_VMX_TRUE_PIN     0x48d
#define MSR_VMX_TRUE_PRIMARY 0x48e
#define MSR_VMX_TRUE_EXIT    0x48f
#define MSR_VMX_TRUE_ENTRY   0x490

#define FEATURE_CONTROL_LOCK       BIT(0)
#define FEATURE_CONTROL_VMX_NO_SMX BIT(2) /* VMXON outside SMX operation */

#define VMX_BASIC_REVISION(basic) ((uint32_t)FIELD(basic, 30, 0))
#define VMX_BASIC_32BIT_ADDRESSES BIT(48)
#define VMX_BASIC_TRUE_CONTROLS   BIT(55)
#define VMX_MEMORY_TYPE_WB        6u

#define VMX_MISC_SAVES_LMA BIT(5) /* exits store EFER.LMA in "IA-32e mode guest" */

#define VMX_EPT_4_LEVELS   BIT(6)
#define VMX_EPT_WRITE_BACK BIT(14)
#define VMX_EPT_2M         BIT(16)
#define VMX_EPT_1G         BIT(17)
#define VMX_EPT_INVEPT     BIT(20)
#define VMX_EPT_INVEPT_ALL BIT(26)

/* --- Pin-based controls, SDM 3C 25.6.1 --- */
#define PIN_EXTERNAL_INTERRUPT_EXIT BIT(0)
#define PIN_NMI_EXIT                BIT(3)
#define PIN_PREEMPTION_TIMER        BIT(6)
#define PIN_POSTED_INTERRUPTS       BIT(7)

/* --- Primary processor-based controls, SDM 3C 25.6.2 --- */
#define PRIMARY_INTERRUPT_WINDOW BIT(2)
#define PRIMARY_TSC_OFFSET       BIT(3)
#define PRIMARY_HLT_EXIT         BIT(7)
#define PRIMARY_INVLPG_EXIT      BIT(9)
#define PRIMARY_MWAIT_EXIT       BIT(10)
#define PRIMARY_RDPMC_EXIT       BIT(11)
#define PRIMARY_RDTSC_EXIT       BIT(12)
#define PRIMARY_CR3_LOAD_EXIT    BIT(15)
#define PRIMARY_CR3_STORE_EXIT   BIT(16)
#define PRIMARY_CR8_LOAD_EXIT    BIT(19)
#define PRIMARY_CR8_STORE_EXIT   BIT(20)
#define PRIMARY_TPR_SHADOW       BIT(21)
#define PRIMARY_MOV_DR_EXIT      BIT(23)
#define PRIMARY_IO_UNCONDITIONAL BIT(24)
#define PRIMARY_IO_BITMAPS       BIT(25)
#define PRIMARY_MONITOR_TRAP     BIT(27)
#define PRIMARY_MSR_BITMAPS      BIT(28)
#define PRIMARY_MONITOR_EXIT     BIT(29)
#define PRIMARY_PAUSE_EXIT       BIT(30)
#define PRIMARY_SECONDARY        BIT(31)

/* --- Secondary processor-based controls, SDM 3C 25.6.2 --- */
#define SECONDARY_EPT                      BIT(1)
#define SECONDARY_DESCRIPTOR_EXIT          BIT(2)
#define SECONDARY_RDTSCP                   BIT(3)
#define SECONDARY_WBINVD_EXIT              BIT(6)
#define SECONDARY_UNRESTRICTED             BIT(7)
#define SECONDARY_PAUSE_LOOP               BIT(10)
#define SECONDARY_RDRAND_EXIT              BIT(11)
#define SECONDARY_INVPCID                  BIT(12)
#define SECONDARY_VMFUNC                   BIT(13)
#define SECONDARY_RDSEED_EXIT              BIT(16)
#define SECONDARY_VIRTUALIZATION_EXCEPTION BIT(18)
#define SECONDARY_USER_WAIT                BIT(26)

/* --- VM-exit controls, SDM 3C 25.7.1 --- */
#define EXIT_SAVE_DEBUG            BIT(2)
#define EXIT_HOST_64BIT            BIT(9)
#define EXIT_LOAD_PERF_GLOBAL      BIT(12)
#define EXIT_ACKNOWLEDGE_INTERRUPT BIT(15)
#define EXIT_SAVE_PAT              BIT(18)
#define EXIT_LOAD_PAT              BIT(19)
#define EXIT_SAVE_EFER             BIT(20)
#define EXIT_LOAD_EFER             BIT(21)

/* --- VM-entry controls, SDM 3C 25.8.1 --- */
#define ENTRY_LOAD_DEBUG       BIT(2)
#define ENTRY_SMM              BIT(10)
#define ENTRY_DUAL_MONITOR_OFF BIT(11)
#define ENTRY_LOAD_PERF_GLOBAL BIT(13)
#define ENTRY_LOAD_PAT         BIT(14)
#define ENTRY_LOAD_EFER        BIT(15)

/* VMXON region and VMCS begin alike (SDM 3C 25.2); the rest belongs to the CPU. */
struct vmx_region {
    uint32_t revision; /* 0x000: bit 31 clear */
    uint32_t abort;    /* 0x004: VMX-abort indicator */
    uint8_t opaque[4096 - 8];
};
_Static_assert(sizeof(struct vmx_region) == 4096, "SDM 3C 25.2");

/* One bit per MSR, set = exit (SDM 3C 25.6.9). Low: 0..0x1fff; high: 0xc0000000..0xc0001fff. */
struct vmx_msr_bitmap {
    uint8_t read_low[1024];   /* 0x000 */
    uint8_t read_high[1024];  /* 0x400 */
    uint8_t write_low[1024];  /* 0x800 */
    uint8_t write_high[1024]; /* 0xc00 */
};
_Static_assert(sizeof(struct vmx_msr_bitmap) == 4096, "SDM 3C 25.6.9");
_Static_assert(offsetof(struct vmx_msr_bitmap, read_high) == 0x400, "SDM 3C 25.6.9");
_Static_assert(offsetof(struct vmx_msr_bitmap, write_low) == 0x800, "SDM 3C 25.6.9");
