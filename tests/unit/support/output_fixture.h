/* SPDX-License-Identifier: MIT */
/* What guests' cores have logged and guests have sent, for tests of their end. */
#pragma once

#include "hypervisor/base/log.h"
#include "hypervisor/vdev/virtual_serial.h"

static unsigned lines_left; /* of core 1's log */

void log_service(void)
{
    lines_left -= lines_left > 0;
}

bool log_pending(unsigned core)
{
    return core == 1 && lines_left > 0;
}

size_t virtual_serial_reset(struct virtual_serial *serial)
{
    return 0;
}

__attribute__((unused)) static bool nothing(void)
{
    return true;
}
