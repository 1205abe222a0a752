/* SPDX-License-Identifier: MIT */
#pragma once

#include "hypervisor/base/core.h"

/* True when there are guests, every one ended as its configuration expects, and `rest_ok` (audit,
 * configuration); logs `run.verdict result=ok|failed`
 * with a line `run.unexpected guest= expected= got=` for each that did not. */
bool guests_verdict(bool rest_ok);
