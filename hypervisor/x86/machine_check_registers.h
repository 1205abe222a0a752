/* SPDX-License-Identifier: MIT */
/* Registers of the machine-check architecture: SDM 3B 16.3, APM 2 9.3; setup/ has those for
 * switching it on. */
#pragma once

#include "hypervisor/base/core.h"

#define MSR_MCG_STATUS       0x17a
#define MSR_MC_STATUS(bank)  (0x401 + 4 * (bank))
#define MSR_MC_ADDRESS(bank) (0x402 + 4 * (bank))
#define MSR_MC_MISC(bank)    (0x403 + 4 * (bank))

#define MCG_STATUS_RESTARTS BIT(0) /* RIPV: RIP on the stack is where to go on */
#define MCG_STATUS_AT_RIP   BIT(1) /* EIPV: the instruction at RIP has to do with the error */
#define MCG_STATUS_PENDING  BIT(2) /* MCIP: one more shuts the machine down */
#define MCG_STATUS_LOCAL    BIT(3) /* LMCE_S: this thread alone was told */

#define MC_STATUS_VALID       BIT(63)
#define MC_STATUS_OVERFLOW    BIT(62)
#define MC_STATUS_UNCORRECTED BIT(61)
#define MC_STATUS_ENABLED     BIT(60)
#define MC_STATUS_HAS_MISC    BIT(59)
#define MC_STATUS_HAS_ADDRESS BIT(58)
#define MC_STATUS_CORRUPT     BIT(57) /* PCC: the processor's context */
#define MC_STATUS_REQUIRED    BIT(55) /* AR; AMD has TCC here, which is not looked at */
