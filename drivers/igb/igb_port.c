/* SPDX-License-Identifier: MIT */
#include "drivers/igb/igb_port.h"

static struct igb_port ports[IGB_MAX_PORTS];

struct igb_port *igb_port_of(const struct pf_device *device)
{
    for (size_t i = 0; i < IGB_MAX_PORTS; i++)
        if (ports[i].device == device)
            return &ports[i];
    return NULL;
}
