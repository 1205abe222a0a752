/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/configuration.h"

struct config configuration;
