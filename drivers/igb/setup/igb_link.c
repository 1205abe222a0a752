/* SPDX-License-Identifier: MIT */
/*
 * The link: the PHY, or the SerDes and what is behind it. The management controller's firmware and
 * the other ports' drivers use the same MDIO, so it is taken first (82576 datasheet 4.7, 8.6).
 */
#include "drivers/igb/setup/igb_link.h"

#include "drivers/igb/setup/igb_setup_registers.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

#define MDIC_TIME      MILLISECONDS(100)
#define SEMAPHORE_TIME MILLISECONDS(100)
#define OWNER_TIME     MILLISECONDS(1000) /* nobody may have the PHY for longer */
#define OWNER_PAUSE    MILLISECONDS(5)

enum status igb_refuse(const struct pf_device *device, enum status status, const char *message)
{
    log_event("igb.refused", "pf=%s status=%s message=\"%s\"", rid_text(device->function->rid).text,
              status_name(status), message);
    return status;
}

static bool latches(struct pf_device *device)
{
    igb_update(device, IGB_SWSM, 0, IGB_SWSM_FIRMWARE);
    return (igb_read(device, IGB_SWSM) & IGB_SWSM_FIRMWARE) != 0;
}

static void put_semaphores(struct pf_device *device)
{
    igb_update(device, IGB_SWSM, IGB_SWSM_SOFTWARE | IGB_SWSM_FIRMWARE, 0);
}

/* Both semaphores that guard SW_FW_SYNC. No other software runs at boot: a SMBI that stays set was
 * left by a driver of firmware's. */
static bool get_semaphores(struct pf_device *device)
{
    if (!WAIT_UNTIL((igb_read(device, IGB_SWSM) & IGB_SWSM_SOFTWARE) == 0, SEMAPHORE_TIME)) {
        put_semaphores(device);
        (void)igb_read(device, IGB_SWSM);
    }
    if (WAIT_UNTIL(latches(device), SEMAPHORE_TIME))
        return true;
    put_semaphores(device);
    return false;
}

static uint32_t owner_bit(const struct pf_device *device)
{
    static const uint32_t bits[] = {BIT(1), BIT(2), BIT(5), BIT(6)}; /* SW_PHY_SM0 to 3 */
    return bits[IGB_STATUS_PORT(igb_read(device, IGB_STATUS))];
}

/* Takes the PHY, or gives it back. A software bit that is still set after a second was left as
 * well; firmware's is respected. */
static bool own_phy(struct pf_device *device, bool own)
{
    uint32_t bit = owner_bit(device), busy = own ? bit | bit << 16 : 0;
    struct deadline limit = deadline_in(OWNER_TIME);
    for (;;) {
        bool last = deadline_passed(limit);
        if (!get_semaphores(device))
            return false;
        uint32_t owners = igb_read(device, IGB_SW_FW_SYNC);
        if (last)
            busy &= ~bit;
        bool free = (owners & busy) == 0;
        if (free)
            igb_write(device, IGB_SW_FW_SYNC, own ? owners | bit : owners & ~bit);
        put_semaphores(device);
        if (free || last)
            return free;
        clock_delay(OWNER_PAUSE);
    }
}

static enum status write_phy(struct pf_device *device, unsigned phy_register, uint16_t value)
{
    igb_write(device, IGB_MDIC,
              value | IGB_MDIC_REGISTER(phy_register) | IGB_MDIC_PHY(PHY_INTERNAL_ADDRESS) |
                  IGB_MDIC_WRITE);
    if (!WAIT_UNTIL((igb_read(device, IGB_MDIC) & (IGB_MDIC_READY | IGB_MDIC_ERROR)) != 0,
                    MDIC_TIME))
        return STATUS_TIMEOUT;
    return (igb_read(device, IGB_MDIC) & IGB_MDIC_ERROR) != 0 ? STATUS_DEVICE : STATUS_OK;
}

static enum status start_phy(struct pf_device *device, const struct igb_facts *facts)
{
    if (facts->has_phpm) {
        igb_update(device, IGB_PHPM, IGB_PHPM_LINK_OFF, 0);
        if ((igb_read(device, IGB_MDICNFG) & IGB_MDICNFG_EXTERNAL) != 0)
            return igb_refuse(device, STATUS_UNSUPPORTED,
                              "the port's PHY is on an external MDIO bus, which this driver does "
                              "not use; its link stays as firmware left it");
    }
    if (!own_phy(device, true))
        return igb_refuse(device, STATUS_BUSY,
                          "the card's firmware does not let go of the PHY (SW_FW_SYNC); turn "
                          "management over this port off in the firmware set-up");
    enum status status = write_phy(device, PHY_ADVERTISE, PHY_ADVERTISE_10_100);
    if (status == STATUS_OK)
        status = write_phy(device, PHY_CONTROL, PHY_CONTROL_AUTONEG | PHY_CONTROL_RESTART);
    (void)own_phy(device, false);
    return status == STATUS_OK ? STATUS_OK : igb_refuse(device, status, "the PHY does not answer");
}

/* SerDes and KX know one speed, which is forced; KX does not negotiate it. */
static void start_serdes(struct pf_device *device, const struct igb_card *card)
{
    bool sgmii = card->medium == IGB_SGMII;
    bool kx = card->facts->has_phpm && !sgmii &&
              IGB_CTRL_EXT_MODE(igb_read(device, IGB_CTRL_EXT)) == IGB_MODE_KX;
    igb_update(device, IGB_CTRL_EXT, IGB_CTRL_EXT_SDP3, 0);
    igb_update(device, IGB_CTRL, 0,
               (card->facts->pins_to_fibre ? IGB_CTRL_PINS : 0) |
                   (sgmii ? 0
                          : IGB_CTRL_FORCE_SPEED | IGB_CTRL_FORCE_DUPLEX | IGB_CTRL_SPEED_1000 |
                                IGB_CTRL_FULL_DUPLEX));
    igb_update(device, IGB_PCS_CFG, 0, IGB_PCS_CFG_ENABLE);
    igb_update(device, IGB_PCS_ANADV, IGB_PCS_ANADV_PAUSE, 0);
    uint64_t negotiate = IGB_PCS_LCTL_AN_ENABLE | IGB_PCS_LCTL_AN_RESTART;
    igb_update(device, IGB_PCS_LCTL,
               IGB_PCS_LCTL_AN_ENABLE | IGB_PCS_LCTL_FORCED | (sgmii ? IGB_PCS_LCTL_AN_TIMEOUT : 0),
               IGB_PCS_LCTL_FORCE_FLOW | (sgmii ? 0 : IGB_PCS_LCTL_1000_FULL) |
                   (kx ? IGB_PCS_LCTL_FORCED : negotiate));
}

/* No flow control (IEEE 802.3 annex 31B) in either direction, and none offered: whoever a VF sends
 * pause frames to has not agreed to obey them, and what arrives stops nobody here. A VF cannot be
 * kept from sending them, and they would stop the whole port. */
enum status igb_start_link(struct pf_device *device, const struct igb_card *card)
{
    igb_update(device, IGB_CTRL,
               IGB_CTRL_FORCE_SPEED | IGB_CTRL_FORCE_DUPLEX | IGB_CTRL_OBEY_PAUSE |
                   IGB_CTRL_SEND_PAUSE,
               IGB_CTRL_SLU);
    if (card->medium == IGB_COPPER)
        return start_phy(device, card->facts);
    start_serdes(device, card);
    return STATUS_OK;
}
