/* SPDX-License-Identifier: MIT */
/*
 * Owns a PF whose virtual functions are other guests': drives it as far as they need it (reset
 * handshake, addresses, switch) and meanwhile tries all that must not be the owner's to do.
 *
 *   [seconds=N] [seed=N] [targets=ADDRESS,ADDRESS,...] [end=crash]
 *
 * Every bit of the SR-IOV capability, any order of its registers; configuration space and registers
 * of the virtual functions that it is shown; resets and power states of the card; DMA by the card's
 * own queue to the targets. Exits with 0 when what may not change did not, with 1 otherwise.
 */
#include "drivers/igb/igb_registers.h"
#include "guest/igbvf/bare.h"
#include "guest/igbvf/igbvf.h"
#include "guest/runtime/attempt.h"

/* PCI Express base specification 7.5.1.1, 7.5.3, 9.3.3 */
#define COMMAND        0x04u
#define BAR0           0x10u
#define CAP_POINTER    0x34u
#define CAP_PM         0x01u
#define CAP_PCIE       0x10u
#define CAP_MSIX       0x11u
#define DEVICE_CONTROL 0x08u
#define INITIATE_FLR   0x8000u
#define POWER_CONTROL  0x04u
#define D3HOT          3u
#define SRIOV_SIZE     0x40u
#define SRIOV_CONTROL  0x08u
#define SRIOV_NUM_VFS  0x10u
#define SRIOV_ROUTING  0x14u
#define SRIOV_BAR(n)   (0x24u + 4u * (n))
#define CONTROL_ON     0x9u /* VF Enable, VF MSE */
#define VFS            2u
#define VF_BAR_SIZE    0x4000u
#define FUNCTIONS      256u
#define FUNCTION_SIZE  0x1000u
#define NOWHERE        0xa0000000u /* nobody's: touching it ends the guest */

/* The PF's own transmit queue, 82576 8.12: that of the pool behind the VFs'. */
#define QUEUE           IGB_TX_QUEUE(VFS)
#define TDBAL           (QUEUE + 0x00u)
#define TDBAH           (QUEUE + 0x04u)
#define TDLEN           (QUEUE + 0x08u)
#define TDT             (QUEUE + 0x18u)
#define TXDCTL          (QUEUE + 0x28u)
#define TDWBAL          (QUEUE + 0x38u)
#define TDWBAH          (QUEUE + 0x3cu)
#define QUEUE_ENABLE    (1u << 25)
#define RING            8u
#define TX_ONE_FRAME    0x2b300000u /* advanced data, end of packet, FCS, report status */
#define TX_LENGTH_SHIFT 14

static struct pci_device pf;
static uintptr_t registers, window;
static unsigned sriov, wrong;

static void expect(bool right, const char *what, uint64_t which)
{
    if (!right && wrong++ < 8)
        print("wrong: %s 0x%llx\n", what, (unsigned long long)which);
}

static void serve(uint64_t time)
{
    for (uint64_t end = microseconds() + time; microseconds() < end; wait_microseconds(50))
        bare_serve();
}

static unsigned capability(unsigned id)
{
    unsigned offset = config_read(&pf, CAP_POINTER) & 0xfc;
    for (unsigned hops = 0; offset != 0 && hops < 48; hops++) {
        uint32_t header = config_read(&pf, offset);
        if ((header & 0xff) == id)
            return offset;
        offset = header >> 8 & 0xfc;
    }
    return 0;
}

/* What is the hypervisor's to say: how many VFs there are at most, where, of what kind and size. */
static void read_fixed(uint32_t values[])
{
    static const uint8_t offsets[] = {0x00, 0x04, 0x0c, 0x14, 0x18, 0x1c, 0x20};
    for (unsigned i = 0; i < sizeof offsets; i++)
        values[i] = config_read(&pf, sriov + offsets[i]);
}

static void fixed_stays(const uint32_t before[], const char *what)
{
    uint32_t after[7];
    read_fixed(after);
    for (unsigned i = 0; i < 7; i++)
        expect(after[i] == before[i], what, i);
}

static void enable_again(void)
{
    config_write16(&pf, sriov + SRIOV_NUM_VFS, VFS);
    config_write16(&pf, sriov + SRIOV_CONTROL, CONTROL_ON);
}

static void attack_capability(void)
{
    uint32_t before[7];
    read_fixed(before);
    for (unsigned offset = 0; offset < SRIOV_SIZE; offset++) {
        for (unsigned width = 1; width <= 4; width *= 2)
            for (unsigned bit = 0; offset % width == 0 && bit < 8 * width; bit++) {
                memory_write(pf.config + sriov + offset, width, UINT32_C(1) << bit);
                memory_write(pf.config + sriov + offset, width, ~(UINT32_C(1) << bit));
            }
        serve(0);
        bare_serve();
    }
    fixed_stays(before, "changed bit by bit:");
    for (unsigned i = 0; i < 2000; i++) {
        static const uint8_t targets[] = {0x08, 0x08, 0x10, 0x10, 0x20, 0x24, 0x28, 0x30, 0x34};
        uint32_t value = (uint32_t)random_number();
        if (i % 3 == 0)
            value = i % 2 == 0 ? ~0u : 0;
        memory_write(pf.config + sriov + targets[random_number() % sizeof targets],
                     random_number() % 2 == 0 ? 2 : 4, value);
        if (i % 16 == 0)
            bare_serve();
    }
    fixed_stays(before, "changed in some order:");
    for (unsigned number = 0; number < 6; number += 3) {
        write32(pf.config + sriov + SRIOV_BAR(number), ~0u);
        uint32_t size = ~(config_read(&pf, sriov + SRIOV_BAR(number)) & ~0xfu) + 1;
        expect(size == VF_BAR_SIZE, "size of a VF BAR", size);
    }
    enable_again();
}

/* Those that it is shown do nothing; behind all others there is nothing at all. */
static void attack_functions(void)
{
    uint32_t routing = config_read(&pf, sriov + SRIOV_ROUTING);
    uintptr_t bus = pf.config & ~(uintptr_t)(FUNCTIONS * FUNCTION_SIZE - 1);
    for (unsigned vf = 0; vf < VFS; vf++) {
        uintptr_t config =
            pf.config + ((uintptr_t)((routing & 0xffff) + (routing >> 16) * vf) << 12);
        expect(read32(config + BAR0) == 0, "a VF has a BAR", vf);
        for (unsigned offset = 0; offset < FUNCTION_SIZE; offset += 4) {
            uint32_t before = read32(config + offset);
            write32(config + offset, ~0u);
            write32(config + offset, before ^ INITIATE_FLR);
            expect(read32(config + offset) == before, "a VF takes writes", offset);
            if (offset % 64 == 0)
                bare_serve();
        }
    }
    for (unsigned function = 0; function < FUNCTIONS; function++) {
        uintptr_t config = bus + (uintptr_t)function * FUNCTION_SIZE;
        if (config == pf.config)
            continue;
        write32(config + COMMAND, ~0u);
        expect(read32(config) == ~0u, "another function", function);
        bare_serve();
    }
}

/* Where its VFs' registers would be, if they were its. */
static void attack_window(void)
{
    for (unsigned offset = 0; window != 0 && offset < VFS * VF_BAR_SIZE; offset += 0x40) {
        write32(window + offset, 0x04000000);
        expect(read32(window + offset) == ~0u, "registers of a VF", offset);
    }
}

static void attack_card(void)
{
    static const uint32_t values[] = {~0u, 0, 0x55555555, INITIATE_FLR, D3HOT};
    unsigned msix = capability(CAP_MSIX), pcie = capability(CAP_PCIE), power = capability(CAP_PM);
    uint32_t address = read32(registers + IGB_RAL(1));
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
        for (unsigned offset = 0; offset < 0x100; offset += 4)
            if (offset != msix) {
                write32(pf.config + offset, values[i]);
                bare_serve();
            }
    if (pcie != 0)
        config_write16(&pf, pcie + DEVICE_CONTROL, INITIATE_FLR);
    if (power != 0)
        config_write16(&pf, power + POWER_CONTROL, D3HOT);
    serve(200000);
    pci_enable(&pf);
    expect(pci_bar(&pf, 0) == registers, "the card's registers moved to", pci_bar(&pf, 0));
    expect(address != 0 && read32(registers + IGB_RAL(1)) == address,
           "the card was reset:", read32(registers + IGB_RAL(1)));
}

static void attack_memory(void)
{
    static uint8_t frame[60]; /* to nobody */
    static unsigned next;
    static volatile struct igbvf_descriptor *ring;
    uint64_t target;
    if (ring == NULL) {
        ring = memory_take(FUNCTION_SIZE);
        frame[0] = 0x02;
        frame[5] = 0xee;
        write32(registers + IGB_VFTE, read32(registers + IGB_VFTE) | 1u << VFS);
        write32(registers + TDBAL, (uint32_t)(uintptr_t)ring);
        write32(registers + TDBAH, 0);
        write32(registers + TDLEN, RING * (uint32_t)sizeof *ring);
        write32(registers + TXDCTL, QUEUE_ENABLE);
    }
    for (unsigned i = 0; argument_item("targets", i, &target); i++)
        for (unsigned write = 0; write < 2; write++) {
            write32(registers + TDWBAH, (uint32_t)(target >> 32));
            write32(registers + TDWBAL, write != 0 ? (uint32_t)target | 1 : 0);
            ring[next] = (struct igbvf_descriptor){
                .address = write != 0 ? (uint64_t)(uintptr_t)frame : target,
                .command = TX_ONE_FRAME | (uint32_t)sizeof frame,
                .status = (uint32_t)sizeof frame << TX_LENGTH_SHIFT};
            next = (next + 1) % RING;
            write32(registers + TDT, next);
            serve(60000); /* a unit keeps one record a requester until it is read */
        }
}

int guest_main(void)
{
    struct pci_device unused;
    char end[8];
    if (!bare_find(&pf, &sriov)) {
        print("there is no 82576 with SR-IOV on my bus\n");
        return 2;
    }
    random_begin(argument_number("seed", 1));
    window = (config_read(&pf, sriov + SRIOV_BAR(0)) & ~0xfu) |
             (uintptr_t)config_read(&pf, sriov + SRIOV_BAR(1)) << 32;
    if (!bare_vf(0, &unused))
        return 2;
    registers = pci_bar(&pf, 0);
    print("the card is driven\n");
    uint64_t stop = microseconds() + argument_number("seconds", 30) * 1000000;
    serve(1000000);
    attack_capability();
    attack_functions();
    attack_window();
    attack_card();
    attack_memory();
    print("all was tried: %u wrong\n", wrong);
    if (argument("end", end, sizeof end))
        (void)read32(NOWHERE);
    while (microseconds() < stop)
        serve(1000000);
    return wrong != 0;
}
