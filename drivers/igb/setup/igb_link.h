/* SPDX-License-Identifier: MIT */
#pragma once

#include "drivers/igb/setup/igb_kinds.h"

/* Says why a port or its link cannot be brought up; `status`, for the caller to return. */
enum status igb_refuse(const struct pf_device *device, enum status status, const char *message);
/* Lets the link come up, without flow control. An error, which is logged, means no link. */
MUST_CHECK enum status igb_start_link(struct pf_device *device, const struct igb_card *card);
