/* SPDX-License-Identifier: MIT */
#include "hypervisor/assign/guest.h"

#include "hypervisor/base/string.h"

static unsigned changes;

void guest_note_end(struct guest *guest, const char *reason, uint64_t exit_status)
{
    uint32_t none = 0;
    if (__atomic_compare_exchange_n(&guest->end_noted, &none, 1, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        (void)text_copy(guest->stop_reason, sizeof guest->stop_reason, reason);
        guest->exit_status = exit_status;
    }
}

uint64_t guest_exits(const struct guest *guest)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < guest->cpu_count; i++)
        for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
            sum += guest->vcpus[i]->exits[kind];
    return sum;
}

unsigned guests_changes(void)
{
    return changes;
}

void guests_changed(void)
{
    changes++;
}
