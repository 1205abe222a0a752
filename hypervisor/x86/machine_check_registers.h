/* SPDX-License-Identifier: MIT */
/* Registers of the machine-check architecture: SDM 3B 16.3, APM 2 9.3. */
#pragma once

#include "hypervisor/base/core.h"

#define MSR_MCG_CAP          0x179
#define MSR_MCG_STATUS       0x17a
#define MSR_MCG_CTL          0x17b
#define MSR_MC_CTL(bank)     (0x400 + 4 * (bank))
#define MSR_MC_STATUS(bank)  (0x401 + 4 * (bank))
#define MSR_MC_ADDRESS(bank) (0x402 + 4 * (bank))
#define MSR_MC_MISC(bank)    (0x403 + 4 * (bank))
#define MSR_MCG_EXT_CTL      0x4d0
#define MACHINE_CHECK_BANKS  32u /* the most that there are MSRs for */

#define MCG_CAP_BANKS(cap)    ((unsigned)FIELD(cap, 7, 0))
#define MCG_CAP_CTL           BIT(8)  /* MCG_CTL exists */
#define MCG_CAP_RECOVERY      BIT(24) /* MCG_SER_P (Intel): MC_STATUS_REQUIRED is defined */
#define MCG_CAP_LOCAL         BIT(27) /* MCG_LMCE_P */
#define MCG_STATUS_RESTARTS   BIT(0)  /* RIPV: RIP on the stack is where to go on */
#define MCG_STATUS_AT_RIP     BIT(1)  /* EIPV: the instruction at RIP has to do with the error */
#define MCG_STATUS_PENDING    BIT(2)  /* MCIP: one more shuts the machine down */
#define MCG_STATUS_LOCAL      BIT(3)  /* LMCE_S: this thread alone was told */
#define MCG_EXT_CTL_LOCAL     BIT(0)
#define FEATURE_CONTROL_LOCAL BIT(20) /* IA32_FEATURE_CONTROL: LMCE may be used */

#define MC_STATUS_VALID       BIT(63)
#define MC_STATUS_OVERFLOW    BIT(62)
#define MC_STATUS_UNCORRECTED BIT(61)
#define MC_STATUS_ENABLED     BIT(60)
#define MC_STATUS_HAS_MISC    BIT(59)
#define MC_STATUS_HAS_ADDRESS BIT(58)
#define MC_STATUS_CORRUPT     BIT(57) /* PCC: the processor's context */
#define MC_STATUS_REQUIRED    BIT(55) /* AR; AMD has TCC here, which is not looked at */
