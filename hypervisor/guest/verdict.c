/* SPDX-License-Identifier: MIT */
/* Did everything go as the scenario expects? */
#include "hypervisor/guest/verdict.h"

#include "hypervisor/assign/guest.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/lifecycle.h"

/* What is not as the configuration expects; NULL when all is. */
static const char *difference(const struct guest *guest)
{
    const struct config_guest *config = guest->config;
    bool refused = guest->state == GUEST_REFUSED;
    bool ended =
        guest->state == GUEST_STOPPED && !text_equal(guest->stop_reason, GUEST_NOT_STARTED);
    bool exited = ended && text_equal(guest->stop_reason, "exit");
    if (refused != (config->expect == EXPECT_REFUSED))
        return refused ? "it was refused; guest.refused says why" : "it was not refused";
    if (!refused && !ended)
        return "it did not run to its end; guest.lost or guest.stopped says why";
    if (config->expect == EXPECT_EXIT && !exited)
        return "it was stopped before it ended by itself; guest.stopped has the reason";
    if (config->expect == EXPECT_EXIT && guest->exit_status != config->expect_status)
        return "it ended with another status";
    if (config->expect == EXPECT_STOPPED && exited)
        return "it ended by itself, and was to be stopped";
    return guest->faults < config->expect_faults
               ? "fewer of its DMA accesses were blocked than expect_faults says"
               : NULL;
}

static const char *const expect_words[] = {
    [EXPECT_EXIT] = "exit",
    [EXPECT_REFUSED] = "refused",
    [EXPECT_STOPPED] = "stopped",
};

bool guests_verdict(bool audit_ok, bool config_ok)
{
    unsigned unexpected = 0;
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        const char *why = difference(guest);
        if (why == NULL)
            continue;
        unexpected++;
        log_event("run.unexpected",
                  "guest=%s expected=%s/%u/faults>=%u got=%s/%lu/faults=%lu message=\"%s\"",
                  guest->name, expect_words[guest->config->expect], guest->config->expect_status,
                  guest->config->expect_faults,
                  guest->state == GUEST_REFUSED ? "refused" : guest->stop_reason,
                  guest->exit_status, guest->faults, why);
    }
    bool ok = unexpected == 0 && audit_ok && config_ok && guest_at(0) != NULL;
    const char *cause = unexpected != 0       ? "run.unexpected says for each guest what differs"
                        : !config_ok          ? "config.error says what is left out"
                        : guest_at(0) == NULL ? "the configuration has no guest"
                                              : "audit.violation says what is not as it has to be";
    if (ok)
        log_event("run.verdict", "result=ok");
    else
        log_event("run.verdict", "result=failed unexpected=%u audit=%s config=%s message=\"%s\"",
                  unexpected, audit_ok ? "ok" : "failed", config_ok ? "ok" : "errors", cause);
    return ok;
}
