/* SPDX-License-Identifier: MIT */
/* A root port with a card behind it that has the SR-IOV capability of an 82576, in the model of
 * configuration space. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_sriov.h"
#include "hypervisor/setup/pci_sriov_ids.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/sriov_card.h"

static struct model_function *port, *device;
static struct pci_function *pf;
static struct sriov sriov;

/* The last refusal that was logged, without the line's end. */
static inline const char *refusal(void)
{
    static char text[256];
    const char *found = NULL;
    for (const char *line = host_log_text(); (line = strstr(line, "sriov.refused")) != NULL; line++)
        found = line;
    snprintf(text, sizeof text, "%.*s", found != NULL ? (int)strcspn(found, "\n") : 0,
             found != NULL ? found : "");
    return found != NULL ? text : "no line sriov.refused";
}

static inline struct model_sriov igb_capability(void)
{
    return (struct model_sriov){
        .offset = 0x160,
        .total = 8,
        .initial = 8,
        .first_offset = (uint16_t)seeded("offset", 0x40, 0xc0, 0x80),
        .stride = (uint16_t)seeded("stride", 1, 5, 2),
        .vf_device = 0x10ca,
        .supported_pages = 0x553,
        .bar = {[0] = {.size = 0x4000, .is_64bit = true, .prefetchable = true},
                [3] = {.size = 0x4000, .is_64bit = true, .prefetchable = true}},
    };
}

static inline void clear_machine(void)
{
    model_clear();
    host_log_clear();
    host_clock_set(0);
    port = device = NULL;
    pf = NULL;
    memset(&sriov, 0, sizeof sriov);
}

static inline void add_port(void)
{
    port = sriov_port(true);
}

static inline void add_card(rid_t rid, const struct model_sriov *capability)
{
    device = sriov_card(rid, capability);
}

static inline void enumerate(void)
{
    static const struct mcfg mcfg = {
        .count = 1,
        .segment = {{.base = 0xa0000000, .segment = 0, .start_bus = 0, .end_bus = 255}},
    };
    expect(pci_enumerate(&mcfg, NULL) == STATUS_OK, "the model could not be enumerated");
    pf = pci_function_find(device->rid);
    expect(pf != NULL, "the model's PF was not found");
}

static inline void machine_with(const struct model_sriov *capability)
{
    clear_machine();
    add_port();
    add_card(RID(0, 1, 0, 0), capability);
    enumerate();
}

/* What the device would not have forgiven. */
static inline void expect_lawful(const char *after)
{
    expect(model_violations() == 0, "%s: the device minds: %s", after, model_last_violation());
}
