/* SPDX-License-Identifier: MIT */
/* The verdict on a configuration: what its files share. */
#pragma once

#include "boot/preflight/preflight.h"
#include "hypervisor/pci/function.h"

enum plan_verdict { PLAN_CAN, PLAN_UNSURE, PLAN_CANNOT };

/* One line: config.can, config.unsure or config.cannot, counted in `facts`. `item` is the line's
 * subject, such as "device = uplink.vf0"; `message` (why, and what to do) is empty for PLAN_CAN. */
struct plan_line {
    struct preflight *facts;
    struct config_place place;
    const char *section; /* "nic", "disk", "guest" */
    const char *name;
    const char *item;
};
void plan_say(const struct plan_line *line, enum plan_verdict verdict, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Why no function can be confined, and what to do. */
const char *plan_no_iommu(const struct preflight *facts);
/* Whether a PF driver of the hypervisor's knows the function (plan_drivers.c). */
bool plan_has_driver(const struct pci_function *function);

/* plan_card.c: a [nic] or [disk] section, which becomes a card of `cards`. */
struct plan_card {
    const struct pci_function *function; /* NULL: there is none */
    enum plan_verdict verdict;
};
void plan_card(const struct config *config, uint32_t index, struct plan_card cards[],
               struct preflight *facts);
