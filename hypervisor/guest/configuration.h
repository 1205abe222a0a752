/* SPDX-License-Identifier: MIT */
/* What the configuration says: guests and PFs point into it for as long as the machine runs. */
#pragma once

#include "hypervisor/config/config.h"

/* Written at boot only. */
extern struct config configuration;
