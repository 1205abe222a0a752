/* SPDX-License-Identifier: MIT */
/*
 * Driver for the virtual functions of the 82576 family: one queue pair, polling or MSI-X.
 * Registers and descriptor formats: 82576 datasheet, chapters 7 and 8.
 */
#pragma once

#include "guest/runtime/runtime.h"

#define IGBVF_RING        64 /* descriptors in each ring */
#define IGBVF_BUFFER_SIZE 2048
#define IGBVF_FRAME_MAX   1518

struct igbvf {
    struct pci_device pci;
    uintptr_t registers;
    uint8_t mac[6];
    volatile struct igbvf_descriptor *rx, *tx;
    uint8_t *rx_buffers, *tx_buffers;
    unsigned rx_next, tx_next, tx_clean;
    uint64_t sent, received;
};

struct igbvf_descriptor {
    uint64_t address; /* 0x0 */
    uint32_t command; /* 0x8: Tx command, Rx write-back status */
    uint32_t status;  /* 0xc: Tx status and length, Rx write-back length */
};
_Static_assert(sizeof(struct igbvf_descriptor) == 16, "82576 7.1.5, 7.2.2");

/* Finds the first VF on the virtual bus, asks the PF for reset and MAC address (mailbox, bounded),
 * sets up both rings and waits for the link. False, having printed why, when that fails. */
bool igbvf_open(struct igbvf *vf);
/* The same with the VF of that number, from 0 in the order of the slots. */
bool igbvf_open_number(struct igbvf *vf, unsigned number);
/* MSI-X for receive and transmit of the queue; false without MSI-X. */
bool igbvf_interrupts(struct igbvf *vf, uint8_t vector);
/* Makes the device raise its queue interrupt again after it was taken. */
void igbvf_interrupt_done(struct igbvf *vf);
/* One interrupt of the queue's vector, asked for by software. */
void igbvf_ask_interrupt(const struct igbvf *vf);
/* Copies the frame into the ring; false when the ring is full. */
bool igbvf_send(struct igbvf *vf, const void *frame, size_t size);
/* Copies the next received frame, at most `size` bytes; its length, 0 when there is none. */
size_t igbvf_receive(struct igbvf *vf, void *frame, size_t size);
/* True when every frame given to igbvf_send() has left. */
bool igbvf_sent_all(struct igbvf *vf);
bool igbvf_link_up(const struct igbvf *vf);

/* For attacks: one interrupt of the queue's vector, asked for by software, with no pause kept
 * between two of them. */
void igbvf_raise_interrupt(const struct igbvf *vf);
/* For attacks: the transmit ring lies elsewhere from now on, at any address; and its end, as far as
 * which the device then fetches descriptors. */
void igbvf_ring_elsewhere(const struct igbvf *vf, uint64_t address, unsigned descriptors);
void igbvf_ring_end(const struct igbvf *vf, unsigned index);

/* For attacks: one transmit descriptor that makes the device read `size` bytes at any address; and
 * head write-back to any address, which makes it write there when the next frame has left. */
void igbvf_send_from(struct igbvf *vf, uint64_t address, size_t size);
void igbvf_head_write_back(struct igbvf *vf, uint64_t address);
void igbvf_head_write_back_off(struct igbvf *vf);
/* For attacks: one frame that the device puts together of `count` parts, wherever they are. */
struct igbvf_part {
    uint64_t address;
    size_t size; /* bytes */
};
void igbvf_send_parts(struct igbvf *vf, const struct igbvf_part *parts, unsigned count);
