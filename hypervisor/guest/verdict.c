/* SPDX-License-Identifier: MIT */
/* Did everything go as the scenario expects? */
#include "hypervisor/guest/verdict.h"

#include "hypervisor/assign/guest.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/lifecycle.h"

static bool as_expected(const struct guest *guest)
{
    const struct config_guest *config = guest->config;
    bool ended =
        guest->state == GUEST_STOPPED && !text_equal(guest->stop_reason, GUEST_NOT_STARTED);
    bool exited = ended && text_equal(guest->stop_reason, "exit");
    if (guest->faults < config->expect_faults)
        return false;
    switch (config->expect) {
    case EXPECT_EXIT:
        return exited && guest->exit_status == config->expect_status;
    case EXPECT_REFUSED:
        return guest->state == GUEST_REFUSED;
    case EXPECT_STOPPED:
        return ended && !exited;
    }
    return false;
}

static const char *const expect_words[] = {
    [EXPECT_EXIT] = "exit",
    [EXPECT_REFUSED] = "refused",
    [EXPECT_STOPPED] = "stopped",
};

bool guests_verdict(bool rest_ok)
{
    bool ok = rest_ok && guest_at(0) != NULL;
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        if (as_expected(guest))
            continue;
        ok = false;
        log_event("run.unexpected", "guest=%s expected=%s/%u/faults>=%u got=%s/%lu/faults=%lu",
                  guest->name, expect_words[guest->config->expect], guest->config->expect_status,
                  guest->config->expect_faults,
                  guest->state == GUEST_REFUSED ? "refused" : guest->stop_reason,
                  guest->exit_status, guest->faults);
    }
    log_event("run.verdict", "result=%s", ok ? "ok" : "failed");
    return ok;
}
