/* SPDX-License-Identifier: MIT */
/* The guest whose keys are taken at the prompt: its calls (vdev/calls.h) are one more source of the
 * console's input. Without such a guest nobody looks at them. */
#include "hypervisor/assign/guest.h"
#include "hypervisor/base/log.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/setup/guests.h"
#include "hypervisor/vdev/calls.h"

void guests_grant_console_input(void)
{
    static const struct console_device device = {.read = calls_typed};
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        if (!guest->config->console_input || guest->state != GUEST_CREATED)
            continue;
        console_register(&device);
        log_event("console.input",
                  "guest=%s message=\"what this guest types is taken at the prompt, as from the "
                  "serial line\"",
                  guest->name);
    }
}
