/* SPDX-License-Identifier: MIT */
#include "guest/igbvf/bare.h"

#include "drivers/igb/igb_registers.h"
#include "drivers/igb/setup/igb_setup_registers.h"

#define VFS 2u

/* PCI Express base specification: 7.6.3 extended capabilities, 9.3.3 SR-IOV */
#define EXTENDED_BEGIN 0x100u
#define ID_SRIOV       0x10u
#define SRIOV_CONTROL  0x08u
#define SRIOV_NUM_VFS  0x10u
#define SRIOV_ROUTING  0x14u /* First VF Offset, VF Stride */
#define SRIOV_BAR(n)   (0x24u + 4u * (n))
#define CONTROL_ON     0x9u /* VF Enable, VF MSE */
#define SETTLE         UINT64_C(100000)

/* 16 KiB each, in a part of the 32-bit window that SeaBIOS does not use: it fills it from above. */
#define VF_BAR_SIZE  0x4000u
#define VF_REGISTERS 0xc0000000u
#define VF_MSIX      0xc0100000u

#define INTEL      0x8086
#define MODEL      0x10c9
#define VF_RESET   1u
#define ACK        0x80000000u
#define MAC_LOW(n) (0x00000002u | (n) << 24) /* 02:00:00:nn:00:01 */
#define MAC_HIGH   0x0100u
#define MDIC_AGAIN 0x1200u /* BMCR: auto-negotiation, restarted */

static struct pci_device pf;
static uintptr_t registers;

static uint32_t get(uint32_t offset)
{
    return read32(registers + offset);
}

static void set(uint32_t offset, uint64_t value)
{
    write32(registers + offset, (uint32_t)value);
}

static unsigned sriov_capability(void)
{
    unsigned offset = EXTENDED_BEGIN;
    for (unsigned hops = 0; offset != 0 && hops < 64; hops++) {
        uint32_t header = config_read(&pf, offset);
        if ((header & 0xffff) == ID_SRIOV)
            return offset;
        offset = header >> 20;
    }
    return 0;
}

static void start_vf(unsigned vf)
{
    set(IGB_VMOLR(vf),
        IGB_VMOLR_STRIP_CRC | IGB_VMOLR_BROADCAST | IGB_VMOLR_UNTAGGED | IGB_MAX_FRAME);
    set(IGB_RAL(vf + 1), MAC_LOW(vf));
    set(IGB_RAH(vf + 1), IGB_RAH_VALID | IGB_RAH_POOL(vf) | MAC_HIGH);
    set(IGB_VFRE, get(IGB_VFRE) | 1u << vf);
    set(IGB_VFTE, get(IGB_VFTE) | 1u << vf);
}

static void start_switch(void)
{
    set(IGB_GPIE, IGB_GPIE_MSIX_MODE | IGB_GPIE_PBA);
    set(IGB_MRQC, IGB_MRQC_VMDQ);
    set(IGB_VT_CTL, IGB_VT_CTL_DEFAULT_POOL(VFS) | IGB_VT_CTL_NO_DEFAULT_POOL);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK);
    set(IGB_RCTL, IGB_RCTL_ENABLE | IGB_RCTL_LONG | IGB_RCTL_STRIP_CRC);
    set(IGB_TCTL, IGB_TCTL_ENABLE | IGB_TCTL_PAD | IGB_TCTL_COLLISIONS);
    set(IGB_CTRL, get(IGB_CTRL) | IGB_CTRL_SLU);
    set(IGB_MDIC, MDIC_AGAIN | IGB_MDIC_PHY(1) | IGB_MDIC_WRITE);
    set(IGB_CTRL_EXT, get(IGB_CTRL_EXT) | IGB_CTRL_EXT_PFRSTD);
    for (unsigned vf = 0; vf < VFS; vf++)
        start_vf(vf);
}

bool bare_find(struct pci_device *device, unsigned *capability)
{
    for (unsigned index = 0; pci_device(index, &pf); index++)
        if (pf.vendor == INTEL && pf.device == MODEL)
            break;
    *capability = pf.device == MODEL && pci_bar(&pf, 0) != 0 ? sriov_capability() : 0;
    *device = pf;
    return *capability != 0;
}

static bool begin(void)
{
    unsigned capability;
    if (!bare_find(&pf, &capability)) {
        print("bare: there is no 82576 with SR-IOV on bus 0\n");
        return false;
    }
    registers = pci_bar(&pf, 0);
    pci_enable(&pf);
    write32(pf.config + capability + SRIOV_BAR(0), VF_REGISTERS);
    write32(pf.config + capability + SRIOV_BAR(1), 0);
    write32(pf.config + capability + SRIOV_BAR(3), VF_MSIX);
    write32(pf.config + capability + SRIOV_BAR(4), 0);
    config_write16(&pf, capability + SRIOV_NUM_VFS, VFS);
    config_write16(&pf, capability + SRIOV_CONTROL, CONTROL_ON);
    wait_microseconds(SETTLE);
    start_switch();
    return true;
}

bool bare_vf(unsigned number, struct pci_device *vf)
{
    if (number >= VFS || (registers == 0 && !begin()))
        return false;
    uint32_t routing = config_read(&pf, sriov_capability() + SRIOV_ROUTING);
    uint32_t function = (routing & 0xffff) + (routing >> 16) * number;
    *vf = (struct pci_device){
        .config = pf.config + ((uintptr_t)function << 12),
        .vendor = INTEL,
        .bars = {[0] = VF_REGISTERS + number * VF_BAR_SIZE, [3] = VF_MSIX + number * VF_BAR_SIZE}};
    return true;
}

void bare_serve(void)
{
    uint32_t asked = get(IGB_MBVFICR);
    for (unsigned vf = 0; vf < VFS; vf++) {
        if ((asked & IGB_MBVFICR_REQUEST(vf)) == 0 || get(IGB_VMBMEM(vf)) != VF_RESET)
            continue;
        set(IGB_MBVFICR, IGB_MBVFICR_REQUEST(vf));
        start_vf(vf);
        set(IGB_VMBMEM(vf), VF_RESET | ACK);
        set(IGB_VMBMEM(vf) + 4, MAC_LOW(vf));
        set(IGB_VMBMEM(vf) + 8, MAC_HIGH);
        set(IGB_P2VMAILBOX(vf), IGB_P2V_STATUS | IGB_P2V_ACK);
    }
}
