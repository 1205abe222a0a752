/* SPDX-License-Identifier: MIT */
#include "guest/igbvf/igbvf.h"

#include "guest/igbvf/bare.h"

void *memcpy(void *restrict destination, const void *restrict source, size_t size);

/* Registers of a VF, 82576 8.26 (offsets in BAR 0) */
#define VTCTRL     0x0000u
#define VTSTATUS   0x0008u
#define VMBMEM     0x0800u
#define V2PMAILBOX 0x0c40u
#define VTEICS     0x1520u
#define VTEIMS     0x1524u
#define VTEIMC     0x1528u
#define VTEIAC     0x152cu
#define VTEIAM     0x1530u
#define VTEICR     0x1580u
#define VTEITR     0x1680u
#define VTIVAR     0x1700u
#define RDBAL      0x2800u
#define RDBAH      0x2804u
#define RDLEN      0x2808u
#define SRRCTL     0x280cu
#define RDT        0x2818u
#define RXDCTL     0x2828u
#define TDBAL      0x3800u
#define TDBAH      0x3804u
#define TDLEN      0x3808u
#define TDH        0x3810u
#define TDT        0x3818u
#define TXDCTL     0x3828u
#define TDWBAL     0x3838u
#define TDWBAH     0x383cu

#define CTRL_RESET     (1u << 26)
#define STATUS_LINK_UP (1u << 1)

#define MAILBOX_REQUEST  (1u << 0)
#define MAILBOX_ACK      (1u << 1)
#define MAILBOX_VF_OWNS  (1u << 2)
#define MAILBOX_PF_SENT  (1u << 4)
#define MAILBOX_PF_ACK   (1u << 5)
#define MAILBOX_IN_RESET (1u << 6)
#define MESSAGE_VF_RESET 1u
#define MESSAGE_ACK      0x80000000u

#define QUEUE_ENABLE      (1u << 25)
#define SRRCTL_BUFFER_2K  2u         /* in KiB */
#define SRRCTL_ONE_BUFFER (1u << 25) /* advanced descriptor, one buffer */
#define SRRCTL_DROP       (1u << 31)
#define TDWBAL_ENABLE     1u

#define TX_DATA          0x00300000u /* DTYP: advanced data */
#define TX_END_OF_PACKET (1u << 24)
#define TX_INSERT_FCS    (1u << 25)
#define TX_REPORT_STATUS (1u << 27)
#define TX_EXTENDED      (1u << 29)
#define TX_PAYLOAD_SHIFT 14
#define DESCRIPTOR_DONE  1u

/* Seconds: emulated links take half of one; a PF that is another guest's starts meanwhile. */
#define WAIT_LIMIT (argument_number("patience", 3) * 1000000)
#define INTEL      0x8086

static uint32_t get(const struct igbvf *vf, uint32_t offset)
{
    return read32(vf->registers + offset);
}

static void set(const struct igbvf *vf, uint32_t offset, uint32_t value)
{
    write32(vf->registers + offset, value);
}

static bool wait_for(const struct igbvf *vf, uint32_t offset, uint32_t bits)
{
    uint64_t end = microseconds() + WAIT_LIMIT;
    while ((get(vf, offset) & bits) == 0) {
        if (microseconds() > end)
            return false;
        wait_microseconds(20);
    }
    return true;
}

static bool wait_while(const struct igbvf *vf, uint32_t offset, uint32_t bits)
{
    uint64_t end = microseconds() + WAIT_LIMIT;
    while ((get(vf, offset) & bits) != 0) {
        if (microseconds() > end)
            return false;
        wait_microseconds(20);
    }
    return true;
}

static bool find(struct igbvf *vf, unsigned number)
{
    static const uint16_t ids[] = {0x10ca, 0x152d, 0x1520, 0x152f}; /* 82576 and I350 VFs */
    if (on_bare_machine())
        return bare_vf(number, &vf->pci);
    for (unsigned index = 0; pci_device(index, &vf->pci); index++)
        for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++)
            if (vf->pci.vendor == INTEL && vf->pci.device == ids[i] && number-- == 0)
                return true;
    return false;
}

/* Reset handshake over the mailbox, 82576 7.10.2.9: the PF answers with the MAC address. */
static bool reset(struct igbvf *vf)
{
    set(vf, VTCTRL, CTRL_RESET);
    if (!wait_while(vf, V2PMAILBOX, MAILBOX_IN_RESET)) {
        print("igbvf: the PF does not come out of reset (V2PMAILBOX=0x%x)\n", get(vf, V2PMAILBOX));
        return false;
    }
    uint64_t end = microseconds() + WAIT_LIMIT;
    do {
        if (microseconds() > end) {
            print("igbvf: the mailbox stays taken\n");
            return false;
        }
        set(vf, V2PMAILBOX, MAILBOX_VF_OWNS);
    } while ((get(vf, V2PMAILBOX) & MAILBOX_VF_OWNS) == 0);
    set(vf, VMBMEM, MESSAGE_VF_RESET);
    set(vf, V2PMAILBOX, MAILBOX_REQUEST);
    /* Reading the register clears what it reports: one loop looks for both bits. */
    end = microseconds() + WAIT_LIMIT;
    while ((get(vf, V2PMAILBOX) & MAILBOX_PF_SENT) == 0) {
        if (microseconds() > end) {
            print("igbvf: the PF does not answer the reset request\n");
            return false;
        }
        if (on_bare_machine())
            bare_serve();
        wait_microseconds(100);
    }
    uint32_t reply = get(vf, VMBMEM);
    uint32_t low = get(vf, VMBMEM + 4), high = get(vf, VMBMEM + 8);
    set(vf, V2PMAILBOX, MAILBOX_ACK);
    if ((reply & 0xffff) != MESSAGE_VF_RESET || (reply & MESSAGE_ACK) == 0) {
        print("igbvf: the PF refused the reset (reply 0x%x)\n", reply);
        return false;
    }
    for (unsigned i = 0; i < 6; i++)
        vf->mac[i] = (uint8_t)((i < 4 ? low >> (i * 8) : high >> ((i - 4) * 8)) & 0xff);
    return true;
}

static void rx_arm(struct igbvf *vf, unsigned index)
{
    volatile struct igbvf_descriptor *descriptor = &vf->rx[index];
    descriptor->address = (uint64_t)(uintptr_t)(vf->rx_buffers + index * IGBVF_BUFFER_SIZE);
    descriptor->command = 0; /* header address: none */
    descriptor->status = 0;
}

static void rings(struct igbvf *vf)
{
    const size_t ring = IGBVF_RING * sizeof(struct igbvf_descriptor);
    vf->rx = memory_take(ring);
    vf->tx = memory_take(ring);
    vf->rx_buffers = memory_take((size_t)IGBVF_RING * IGBVF_BUFFER_SIZE);
    vf->tx_buffers = memory_take((size_t)IGBVF_RING * IGBVF_BUFFER_SIZE);
    vf->rx_next = vf->tx_next = vf->tx_clean = 0;

    set(vf, RDBAL, (uint32_t)(uintptr_t)vf->rx);
    set(vf, RDBAH, (uint32_t)((uint64_t)(uintptr_t)vf->rx >> 32));
    set(vf, RDLEN, (uint32_t)ring);
    set(vf, SRRCTL, SRRCTL_BUFFER_2K | SRRCTL_ONE_BUFFER | SRRCTL_DROP);
    set(vf, RXDCTL, QUEUE_ENABLE);
    set(vf, TDBAL, (uint32_t)(uintptr_t)vf->tx);
    set(vf, TDBAH, (uint32_t)((uint64_t)(uintptr_t)vf->tx >> 32));
    set(vf, TDLEN, (uint32_t)ring);
    set(vf, TXDCTL, QUEUE_ENABLE);
    for (unsigned i = 0; i < IGBVF_RING; i++)
        rx_arm(vf, i);
    /* One descriptor stays with us: head equal to tail means an empty ring. */
    set(vf, RDT, IGBVF_RING - 1);
}

bool igbvf_open(struct igbvf *vf)
{
    return igbvf_open_number(vf, 0);
}

bool igbvf_open_number(struct igbvf *vf, unsigned number)
{
    *vf = (struct igbvf){0};
    if (!find(vf, number)) {
        print("igbvf: there is no 82576 virtual function %u on my bus\n", number);
        return false;
    }
    vf->registers = pci_bar(&vf->pci, 0);
    if (vf->registers == 0) {
        print("igbvf: BAR 0 has no address\n");
        return false;
    }
    pci_enable(&vf->pci);
    if (!reset(vf))
        return false;
    rings(vf);
    if (!wait_for(vf, VTSTATUS, STATUS_LINK_UP)) {
        print("igbvf: no link\n");
        return false;
    }
    return true;
}

bool igbvf_link_up(const struct igbvf *vf)
{
    return (get(vf, VTSTATUS) & STATUS_LINK_UP) != 0;
}

bool igbvf_interrupts(struct igbvf *vf, uint8_t vector)
{
    const uint32_t entry_valid = 0x80;
    if (!pci_msix(&vf->pci, 0, vector))
        return false;
    set(vf, VTIVAR, entry_valid | entry_valid << 8); /* receive and transmit to MSI-X vector 0 */
    set(vf, VTEIAC, 1);
    set(vf, VTEIAM, 1);
    set(vf, VTEIMS, 1);
    return true;
}

void igbvf_interrupt_done(struct igbvf *vf)
{
    set(vf, VTEIMS, 1);
}

static void reclaim(struct igbvf *vf)
{
    while (vf->tx_clean != vf->tx_next &&
           (vf->tx[vf->tx_clean % IGBVF_RING].status & DESCRIPTOR_DONE) != 0)
        vf->tx_clean++;
}

static void transmit(struct igbvf *vf, uint64_t address, size_t size)
{
    volatile struct igbvf_descriptor *descriptor = &vf->tx[vf->tx_next % IGBVF_RING];
    descriptor->address = address;
    descriptor->command = (uint32_t)size | TX_DATA | TX_END_OF_PACKET | TX_INSERT_FCS |
                          TX_REPORT_STATUS | TX_EXTENDED;
    descriptor->status = (uint32_t)size << TX_PAYLOAD_SHIFT;
    vf->tx_next++;
    __asm__ volatile("sfence" : : : "memory");
    set(vf, TDT, vf->tx_next % IGBVF_RING);
}

bool igbvf_send(struct igbvf *vf, const void *frame, size_t size)
{
    reclaim(vf);
    if (vf->tx_next - vf->tx_clean >= IGBVF_RING - 1 || size > IGBVF_FRAME_MAX)
        return false;
    uint8_t *buffer = vf->tx_buffers + (vf->tx_next % IGBVF_RING) * IGBVF_BUFFER_SIZE;
    memcpy(buffer, frame, size);
    transmit(vf, (uint64_t)(uintptr_t)buffer, size);
    vf->sent++;
    return true;
}

bool igbvf_sent_all(struct igbvf *vf)
{
    reclaim(vf);
    return vf->tx_clean == vf->tx_next;
}

size_t igbvf_receive(struct igbvf *vf, void *frame, size_t size)
{
    unsigned index = vf->rx_next % IGBVF_RING;
    volatile struct igbvf_descriptor *descriptor = &vf->rx[index];
    if ((descriptor->command & DESCRIPTOR_DONE) == 0)
        return 0;
    size_t length = descriptor->status & 0xffff;
    if (length > size)
        length = size;
    memcpy(frame, vf->rx_buffers + index * IGBVF_BUFFER_SIZE, length);
    rx_arm(vf, index);
    vf->rx_next++;
    vf->received++;
    __asm__ volatile("sfence" : : : "memory");
    set(vf, RDT, index);
    return length;
}

void igbvf_send_from(struct igbvf *vf, uint64_t address, size_t size)
{
    transmit(vf, address, size);
}

void igbvf_send_parts(struct igbvf *vf, const struct igbvf_part *parts, unsigned count)
{
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].size;
    for (unsigned i = 0; i < count; i++) {
        volatile struct igbvf_descriptor *descriptor = &vf->tx[vf->tx_next % IGBVF_RING];
        descriptor->address = parts[i].address;
        descriptor->command = (uint32_t)parts[i].size | TX_DATA | TX_INSERT_FCS | TX_REPORT_STATUS |
                              TX_EXTENDED | (i == count - 1 ? TX_END_OF_PACKET : 0);
        descriptor->status = i == 0 ? (uint32_t)size << TX_PAYLOAD_SHIFT : 0;
        vf->tx_next++;
    }
    __asm__ volatile("sfence" : : : "memory");
    set(vf, TDT, vf->tx_next % IGBVF_RING);
}

void igbvf_head_write_back(struct igbvf *vf, uint64_t address)
{
    set(vf, TDWBAH, (uint32_t)(address >> 32));
    set(vf, TDWBAL, ((uint32_t)address & ~3u) | TDWBAL_ENABLE);
}

void igbvf_head_write_back_off(struct igbvf *vf)
{
    set(vf, TDWBAL, 0);
}

void igbvf_ask_interrupt(const struct igbvf *vf)
{
    set(vf, VTEICS, 1);
}

void igbvf_raise_interrupt(const struct igbvf *vf)
{
    set(vf, VTEITR, 0);
    igbvf_ask_interrupt(vf);
}

void igbvf_ring_elsewhere(const struct igbvf *vf, uint64_t address, unsigned descriptors)
{
    set(vf, TXDCTL, 0);
    set(vf, TDBAL, (uint32_t)address);
    set(vf, TDBAH, (uint32_t)(address >> 32));
    set(vf, TDLEN, descriptors * (uint32_t)sizeof(struct igbvf_descriptor));
    set(vf, TDH, 0);
    set(vf, TDT, 0);
    set(vf, TXDCTL, QUEUE_ENABLE);
}

void igbvf_ring_end(const struct igbvf *vf, unsigned index)
{
    set(vf, TDT, index);
}
