/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/core.h"

static const char *const names[] = {
    [STATUS_OK] = "ok",           [STATUS_NOT_FOUND] = "not-found",
    [STATUS_INVALID] = "invalid", [STATUS_UNSUPPORTED] = "unsupported",
    [STATUS_DENIED] = "denied",   [STATUS_BUSY] = "busy",
    [STATUS_FULL] = "full",       [STATUS_NO_MEMORY] = "no-memory",
    [STATUS_TIMEOUT] = "timeout", [STATUS_DEVICE] = "device-error",
};

const char *status_name(enum status status)
{
    return (size_t)status < ARRAY_SIZE(names) ? names[status] : "unknown";
}
