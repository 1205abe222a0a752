/* The PF's driver cannot reach its device any more, so nothing keeps the VFs apart: they lose their
 * DMA. What does that is their context entry: a device that does not answer its driver may not heed
 * its command register either. */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/device.h"

static void block(struct guest_device *device)
{
    rid_t rid = device->function->rid;
    pci_bus_master(device->function, false);
    bool blocked = iommu_block(rid);
    device_disable(device); /* after that: an entry that is gone says nothing about faults */
    device->blocked = true;
    guests_changed();
    log_event("device.blocked", "guest=%s rid=%s pf=%s status=%s message=\"%s\"",
              device->guest->name, rid_text(rid).text, rid_text(device->pf->function->rid).text,
              status_name(blocked ? STATUS_OK : STATUS_TIMEOUT),
              blocked
                  ? "its PF cannot be reached any more: context entry gone and bus mastering off "
                    "until a reboot; its guest runs on without it"
                  : "its PF cannot be reached any more; the IOMMU did not confirm that it is "
                    "blocked: its guest is stopped, reboot");
    if (!blocked && guest_stop(device->guest, "device-lost") != STATUS_OK)
        log_event("guest.stop_failed", "name=%s", device->guest->name);
}

void devices_block_lost(const struct pf_device *pf)
{
    struct guest *guest;
    for (unsigned i = 0; pf->lost && (guest = guest_at(i)) != NULL; i++)
        for (unsigned n = 0; n < guest->device_count; n++)
            if (guest->devices[n]->pf == pf && guest->devices[n]->attached &&
                !guest->devices[n]->blocked)
                block(guest->devices[n]);
}
