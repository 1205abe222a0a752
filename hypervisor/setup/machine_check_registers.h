/* SPDX-License-Identifier: MIT */
/* What only switching machine checks on needs: capabilities and controls (SDM 3B 16.3). */
#pragma once

#include "hypervisor/x86/machine_check_registers.h"

#define MSR_MCG_CAP         0x179
#define MSR_MCG_CTL         0x17b
#define MSR_MC_CTL(bank)    (0x400 + 4 * (bank))
#define MSR_MCG_EXT_CTL     0x4d0
#define MACHINE_CHECK_BANKS 32u /* the most that there are MSRs for */

#define MCG_CAP_BANKS(cap)    ((unsigned)FIELD(cap, 7, 0))
#define MCG_CAP_CTL           BIT(8)  /* MCG_CTL exists */
#define MCG_CAP_RECOVERY      BIT(24) /* MCG_SER_P (Intel): MC_STATUS_REQUIRED is defined */
#define MCG_CAP_LOCAL         BIT(27) /* MCG_LMCE_P */
#define MCG_EXT_CTL_LOCAL     BIT(0)
#define FEATURE_CONTROL_LOCAL BIT(20) /* IA32_FEATURE_CONTROL: LMCE may be used */
