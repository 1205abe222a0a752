/* SPDX-License-Identifier: MIT */
#pragma once

#include "hypervisor/setup/policy.h"

/* What can be done about a processor without x2APIC; a constant. */
const char *vcpu_x2apic_advice(cpuid_query *query);
