/* SPDX-License-Identifier: MIT */
#pragma once

#include "hypervisor/acpi/ivrs.h"

/* Logs each unit (iommu.amd) and switches off those that firmware left on. False when one stays on:
 * then memory is not safe from it. */
MUST_CHECK bool amd_iommu_quiet(const struct ivrs *ivrs);
