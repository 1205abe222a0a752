/* SPDX-License-Identifier: MIT */
/* What the PF of an 82576 or I350 does while its VFs are in use (datasheet 7.10.2):
 * setup/igb_start.c brought it up. */
#include "drivers/igb/igb.h"

#include "drivers/igb/igb_port.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define LOGGED_SPOOFS 16
#define LOOK_INTERVAL MILLISECONDS(100)

static enum status igb_vf_reset(struct pf_device *device, uint16_t vf)
{
    if (igb_port_of(device) == NULL || vf >= device->vfs)
        return STATUS_INVALID;
    igb_update(device, IGB_VFTE, BIT(vf), 0);
    igb_update(device, IGB_VFRE, BIT(vf), 0);
    igb_vf_clear(device, vf);
    igb_write(device, IGB_VFLRE, BIT(vf));
    igb_mailbox_reset(device, vf);
    igb_vf_restart(device, vf);
    /* The next owner's driver waits for "reset done", which its predecessor's read has cleared. The
     * other VFs see the bit again too; it only makes them look at the link. */
    igb_update(device, IGB_CTRL_EXT, 0, IGB_CTRL_EXT_PFRSTD);
    return STATUS_OK;
}

/* A card that has left the bus, or whose link is down, reads all ones, which STATUS never is. */
static bool is_lost(struct pf_device *device, uint32_t events)
{
    if (pci_unusable(device->function) || events != UINT32_MAX ||
        igb_read(device, IGB_STATUS) != UINT32_MAX)
        return pci_unusable(device->function);
    pf_lose(device);
    log_event("igb.lost",
              "pf=%s message=\"the PF no longer answers (its registers read all ones); its VFs are "
              "blocked: check that the card is seated, and reboot\"",
              rid_text(device->function->rid).text);
    return true;
}

static bool handle_resets(struct pf_device *device, struct igb_port *port, uint32_t events)
{
    bool work = false;
    for (uint16_t vf = 0; vf < device->vfs; vf++) {
        if ((events & BIT(vf)) == 0 || !igb_take_credit(&port->vf[vf]))
            continue;
        igb_write(device, IGB_VFLRE, BIT(vf));
        port->vf[vf].ready = false;
        igb_vf_restart(device, vf);
        work = true;
    }
    return work;
}

static bool handle_messages(struct pf_device *device)
{
    uint32_t events = igb_read(device, IGB_MBVFICR);
    uint32_t acknowledged = events & IGB_MBVFICR_ALL_ACKS;
    if (acknowledged != 0)
        igb_write(device, IGB_MBVFICR, acknowledged);
    bool work = false;
    for (uint16_t vf = 0; vf < device->vfs; vf++)
        if ((events & IGB_MBVFICR_REQUEST(vf)) != 0)
            work |= igb_mailbox_service(device, vf);
    return work;
}

static void report_spoofs(struct pf_device *device, struct igb_port *port)
{
    uint32_t queues = igb_read(device, IGB_WVBR);
    if (queues == 0 || queues == UINT32_MAX || port->spoofs_logged >= LOGGED_SPOOFS)
        return;
    port->spoofs_logged++;
    log_event("igb.spoof",
              "pf=%s queues=%#x action=dropped message=\"a VF sent frames with a MAC address or "
              "VLAN that is not its own\"",
              rid_text(device->function->rid).text, queues);
}

/* Some take flow control from what the link partner offers, once the link is up. */
static void refuse_flow_control(struct pf_device *device)
{
    if ((igb_read(device, IGB_CTRL) & (IGB_CTRL_OBEY_PAUSE | IGB_CTRL_SEND_PAUSE)) != 0)
        igb_update(device, IGB_CTRL, IGB_CTRL_OBEY_PAUSE | IGB_CTRL_SEND_PAUSE, 0);
}

static bool igb_service(struct pf_device *device)
{
    struct igb_port *port = igb_port_of(device);
    if (port == NULL)
        return false;
    uint32_t resets = igb_read(device, IGB_VFLRE);
    if (is_lost(device, resets))
        return false;
    bool work = handle_resets(device, port, resets);
    work |= handle_messages(device);
    if (deadline_passed(port->look_again)) {
        port->look_again = deadline_in(LOOK_INTERVAL);
        refuse_flow_control(device);
        report_spoofs(device, port);
    }
    return work;
}

const struct pf_driver igb_pf_driver = {
    .vf_reset = igb_vf_reset,
    .service = igb_service,
};
