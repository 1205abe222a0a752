/* What the exit handlers reach by tables of functions: the back-end below, the guest above. */
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"

const struct vcpu_backend *vcpu_selected;
static const struct vcpu_events *events;

void vcpu_set_events(const struct vcpu_events *guest_events)
{
    events = guest_events;
}

const struct vcpu_events *vcpu_events(void)
{
    return events;
}
