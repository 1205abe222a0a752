/* SPDX-License-Identifier: MIT */
#pragma once

#include "hypervisor/base/core.h"

/* True when there are guests, every one ended as its configuration expects, and audit and
 * configuration are sound; logs `run.verdict result=ok`, or `result=failed` with the causes and a
 * line `run.unexpected guest= expected= got= message=` for each guest that is one. */
bool guests_verdict(bool audit_ok, bool config_ok);
