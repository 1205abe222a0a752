/* SPDX-License-Identifier: MIT */
/* How configuration accesses find their way in the model; for pci_model.c. */
#pragma once

#include "tests/unit/model/pci_model.h"

void model_routing_clear(void);
bool model_reachable(rid_t rid);
/* A bridge's bus numbers were written: what is behind it has other requester ids now. */
void model_reroute(void);
void model_violation(const char *what, rid_t rid);
