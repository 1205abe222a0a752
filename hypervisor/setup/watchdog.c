/* SPDX-License-Identifier: MIT */
#include "hypervisor/acpi/table.h"
#include "hypervisor/acpi/wdat.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/actions.h"

/* What a query of the table says, in words. */
static const char *answer(const struct wdat *wdat, enum wdat_action action)
{
    uint64_t value = 0;
    enum status status = actions_run(&wdat->actions, (uint8_t)action, &value);
    return status != STATUS_OK ? "unknown" : value != 0 ? "yes" : "no";
}

void watchdog_stop(const void *table, uint32_t length)
{
    static struct wdat wdat;
    struct acpi_problem problem = {0};
    if (wdat_parse(table, length, &wdat, &problem) != STATUS_OK) {
        acpi_refuse("WDAT", problem.offset, problem.value, problem.message);
        return;
    }
    if (!actions_sound(&wdat.actions, "WDAT"))
        return;
    const char *before = answer(&wdat, WDAT_QUERY_RUNNING);
    uint64_t value = 0;
    enum status status = actions_run(&wdat.actions, WDAT_STOP, &value);
    const char *stopped = status == STATUS_OK ? answer(&wdat, WDAT_QUERY_STOPPED) : "no";
    bool failed = status != STATUS_OK || *stopped == 'n';
    log_event("watchdog.stopped",
              "enabled=%s period_ms=%u longest=%u running=%s stopped=%s status=%s message=\"%s\"",
              wdat.enabled ? "yes" : "no", wdat.period, wdat.longest, before, stopped,
              status_name(status),
              failed ? "it may reset the machine after a while: switch the watchdog off in the "
                       "firmware's setup"
                     : "nobody here would feed it");
}
