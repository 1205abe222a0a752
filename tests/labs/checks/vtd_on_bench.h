/* SPDX-License-Identifier: MIT */
/* One modelled VT-d unit that covers everything, as firmware leaves it. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/format.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/iommu_internal.h"
#include "hypervisor/setup/iommu_registers.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define BASE 0xfed90000

static struct vtd_model *unit; /* the hardware */

static inline void unit_of(uint64_t cap, uint64_t ecap)
{
    machine_reset();
    unit = vtd_model_add(BASE, cap, ecap);
    unit->latency = seeded("latency", 2, 9, 3);
    machine_drhd(0, true, BASE);
}

static inline void expect_lawful(const char *what)
{
    expect(vtd_model_violations() == 0, "%s: the unit minds: %s", what,
           vtd_model_first_violation_text());
}

/* As the hypervisor boots. */
static inline void start(const char *what)
{
    asking("turning the unit on, %s", what);
    enum status status = machine_start();
    expect_lawful(what);
    expect(status == STATUS_OK, "%s: the unit is not turned on: %s", what, host_log_text());
}
