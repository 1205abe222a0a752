/* SPDX-License-Identifier: MIT */
#include "drivers/igb/setup/igb_kinds.h"

#include "drivers/igb/setup/igb_setup_registers.h"

static const struct igb_facts facts_82576 = {
    .name = "82576",
    .kind = {.queues = 16, .vlan_writes = 1},
    .switch_control = IGB_DTXSWC,
    .receive_addresses = 24,
    .has_rplolr = true,
    .pins_to_fibre = true,
};

/* A write to VFTA can be lost while the management controller uses the filters; after ten it is
 * there (Linux and DPDK write as often). */
static const struct igb_facts facts_i350 = {
    .name = "I350",
    .kind = {.queues = 8, .vlan_writes = 10, .has_dvmolr = true},
    .switch_control = IGB_TXSWC,
    .receive_addresses = 32,
    .has_phpm = true,
};

static const struct igb_card cards[] = {
    {0x10c9, IGB_COPPER, &facts_82576}, /* 82576 */
    {0x10e8, IGB_COPPER, &facts_82576}, /* quad copper */
    {0x1526, IGB_COPPER, &facts_82576}, /* quad copper ET2 */
    {0x150a, IGB_COPPER, &facts_82576}, /* NS */
    {0x10e6, IGB_SERDES, &facts_82576}, /* fibre */
    {0x10e7, IGB_SERDES, &facts_82576}, /* SerDes */
    {0x1518, IGB_SERDES, &facts_82576}, /* NS SerDes */
    {0x150d, IGB_SERDES, &facts_82576}, /* quad SerDes */
    {0x1521, IGB_COPPER, &facts_i350},  /* I350 */
    {0x1522, IGB_SERDES, &facts_i350},  /* fibre */
    {0x1523, IGB_SERDES, &facts_i350},  /* SerDes, backplane */
    {0x1524, IGB_SGMII, &facts_i350},   /* SGMII */
};

const struct igb_card *igb_card_of(const struct pci_function *function)
{
    for (size_t i = 0; i < ARRAY_SIZE(cards); i++)
        if (function->vendor == PCI_VENDOR_INTEL && function->device == cards[i].device)
            return function->is_vf ? NULL : &cards[i];
    return NULL;
}
