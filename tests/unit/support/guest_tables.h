/* SPDX-License-Identifier: MIT */
/* A backend that has nothing but EPT, with leaves as large as a test says. */
#pragma once

#include "hypervisor/memory/page_table.h"
#include "hypervisor/setup/vcpu.h"

static unsigned max_leaf, max_execute; /* levels */

static const struct page_table_format *memory_format(unsigned *max_leaf_level,
                                                     unsigned *max_execute_level)
{
    *max_leaf_level = max_leaf;
    *max_execute_level = max_execute;
    return &page_format_ept;
}

const struct vcpu_setup *vcpu_setup(void)
{
    static const struct vcpu_setup setup = {.memory_format = memory_format};
    return &setup;
}
