/* SPDX-License-Identifier: MIT */
/* A modelled VT-d unit, a function behind it, and a domain of 4 MiB of RAM at 1 GiB. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/format.h"
#include "hypervisor/memory/pages.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define RW   (PAGE_READ | PAGE_WRITE)
#define AT   GIB(1)
#define SIZE MIB(4)

static struct iommu_domain domain;
static struct pci_function *function;
static struct vtd_model *unit;

static inline void machine_of(uint64_t cap, uint64_t ecap)
{
    unit = machine_simple(cap, ecap);
    function =
        machine_function(RID(0, seeded("bus", 1, 200, 1), seeded("device", 1, 31, 0x10), 2), NULL);
    memset(&domain, 0, sizeof domain);
    expect(iommu_domain_create(&domain, OWNER_GUEST(0)) == STATUS_OK &&
               iommu_domain_map(&domain, 0, AT, SIZE, RW) == STATUS_OK,
           "the check's own domain could not be made: %s", host_log_text());
    vtd_model_counts_clear(unit);
}

static inline void expect_lawful(const char *after)
{
    expect(vtd_model_violations() == 0, "%s: the unit minds: %s", after,
           vtd_model_violation_text());
}

static inline struct vtd_model_result reach(uint64_t address, bool write)
{
    asking("a %s of %s at %#llx", write ? "write" : "read", rid_text(function->rid).text,
           (unsigned long long)address);
    return vtd_model_dma(unit, (uint16_t)function->rid, address, write);
}

static inline void expect_reaches(uint64_t address, const char *when)
{
    struct vtd_model_result got = reach(address, true);
    expect(got.allowed, "%s: a write at %#llx is blocked, reason %#x; the domain maps it", when,
           (unsigned long long)address, got.reason);
    expect(got.physical == AT + address, "%s: %#llx leads to %#llx instead of %#llx", when,
           (unsigned long long)address, (unsigned long long)got.physical,
           (unsigned long long)(AT + address));
}

static inline void expect_blocked(uint64_t address, const char *when, const char *why)
{
    expect(!reach(address, true).allowed, "%s: a write at %#llx gets through; %s", when,
           (unsigned long long)address, why);
}
