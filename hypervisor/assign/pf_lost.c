/* The PF's driver cannot reach its device any more, so nothing keeps the VFs apart: they lose their
 * DMA. What does that is their context entry: a device that does not answer its driver may not heed
 * its command register either. */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/assign/device.h"

/* The context entry first: bringing the cores out of guest mode can take a second. */
static void block(struct guest_device *device)
{
    struct guest *guest = device->guest;
    enum status status = device_lose(device);
    log_event("device.blocked", "guest=%s rid=%s pf=%s status=%s message=\"%s\"", guest->name,
              rid_text(device->function->rid).text, rid_text(device->pf->function->rid).text,
              status_name(status),
              status == STATUS_OK
                  ? "its PF cannot be reached any more: context entry gone and bus mastering off "
                    "until a reboot; its guest runs on without it and is not started again"
                  : "its PF cannot be reached any more; the IOMMU did not confirm that it is "
                    "blocked: its guest is stopped, reboot");
    bool running = guest->state == GUEST_RUNNING;
    if (running && (status != STATUS_OK || guest_hold(guest) != STATUS_OK)) {
        running = false;
        if (guest_stop(guest, "device-lost") != STATUS_OK)
            log_event("guest.stop_failed", "name=%s", guest->name);
    }
    device_withdraw(device);
    if (running)
        guest_release(guest);
    guests_changed();
}

void devices_block_lost(const struct pf_device *pf)
{
    struct guest *guest;
    if (!pf->lost)
        return;
    (void)!pci_life_set(pf->function, PCI_UNUSABLE);
    for (unsigned i = 0; (guest = guest_at(i)) != NULL; i++)
        for (unsigned n = 0; n < guest->device_count; n++)
            if (guest->devices[n]->pf == pf && guest->devices[n]->function->life != PCI_UNUSABLE)
                block(guest->devices[n]);
}
