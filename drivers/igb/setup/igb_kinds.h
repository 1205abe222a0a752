/* SPDX-License-Identifier: MIT */
/* The cards that the driver knows, and what is different between them. */
#pragma once

#include "drivers/igb/igb_port.h"

enum igb_medium {
    IGB_COPPER,
    IGB_SERDES, /* fibre, SerDes or, where CTRL_EXT says so, 1000BASE-KX */
    IGB_SGMII,  /* a PHY of the board's behind the PCS; it is left as it is strapped */
};

struct igb_facts {
    const char *name;
    struct igb_kind kind;
    uint16_t switch_control; /* the register of loopback and anti-spoofing */
    uint8_t receive_addresses;
    bool has_rplolr;    /* replicated frames lose their CRC by a bit of their own */
    bool has_phpm;      /* PHPM, MDICNFG and STATUS.DEV_RST_SET (since the 82580) */
    bool pins_to_fibre; /* two software-defined pins feed the module */
};

struct igb_card {
    uint16_t device;
    enum igb_medium medium;
    const struct igb_facts *facts;
};

/* NULL: not one of them, or a VF. */
const struct igb_card *igb_card_of(const struct pci_function *function);
