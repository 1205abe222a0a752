/* SPDX-License-Identifier: MIT */
/*
 * xHCIs without interrupts: rings, commands and events (xHCI 1.2, chapter 4). All that they read
 * and write by DMA is this guest's own memory below 4 GiB, taken once and used again when a
 * controller has to be started over.
 */
#pragma once

#include "guest/runtime/runtime.h"
#include "guest/usb/xhci_registers.h"

#define XHCI_MAX_PORTS 255u

/* One page, whose last entry leads back to the first. */
struct xhci_ring {
    volatile struct xhci_trb *trbs;
    unsigned next;
    uint32_t cycle;
};

struct xhci {
    struct pci_device function;
    uintptr_t base, operational, runtime, doorbells;
    unsigned slots, ports;
    unsigned context_size;                /* 32 or 64 */
    uint8_t revision[XHCI_MAX_PORTS + 1]; /* of each port: 2 or 3; 0: not told */
    volatile uint64_t *contexts;          /* of each slot */
    struct xhci_ring commands;
    volatile struct xhci_trb *events;
    unsigned next_event;
    uint32_t event_cycle;
    volatile struct xhci_segment *segments; /* of the event ring: one */
    volatile uint64_t *scratchpads;
    unsigned scratchpad_count;
    /* the program's */
    bool runs, said;                      /* said: that it does not */
    uint64_t ports_at, hubs_at, retry_at; /* when they are looked at next, in microseconds */
};

struct xhci_segment { /* 6.5 */
    uint64_t base;
    uint32_t size, reserved;
};

/* Those that the guest has, and the one that all functions here and of device.h are about. */
#define XHCI_MAX 8u
extern struct xhci xhci_all[XHCI_MAX];
extern struct xhci *xhci;

/* Finds all functions of class 0c0330 on the guest's bus; how many there are. */
unsigned xhci_find_all(void);
/* Resets the controller and starts it with empty rings; false, having printed why. Also to begin
 * anew: nothing of before is left, and no slot is in use. */
bool xhci_start(void);
/* It has stopped by itself, or does not answer any more. */
bool xhci_failed(void);

void xhci_ring_clear(struct xhci_ring *ring);
/* Adds a block; returns its address. Whoever looks at the ring sees it whole. */
uint64_t xhci_ring_put(struct xhci_ring *ring, uint64_t parameter, uint32_t status,
                       uint32_t control);
/* Where the next block goes, with the cycle bit, as contexts and Set TR Dequeue Pointer want it. */
uint64_t xhci_ring_position(const struct xhci_ring *ring);
void xhci_ring_doorbell(unsigned slot, unsigned endpoint);

/* Carries out a command: its completion code, CODE_NONE after a second. `slot` (NULL: of no
 * interest) is the one of the answer. */
unsigned xhci_command(uint64_t parameter, uint32_t control, unsigned *slot);
/* The next transfer event of that endpoint, its completion code, CODE_NONE after that time. */
unsigned xhci_transfer_wait(unsigned slot, unsigned endpoint, uint64_t time);
/* Takes all events that there are. */
void xhci_service(void);

/* The program's: a transfer event that nobody waits for. */
void usb_transfer_done(unsigned slot, unsigned endpoint, unsigned code, uint32_t rest);

/* Waits until `condition` holds, `time` microseconds at most; its last value. */
#define WAIT_FOR(condition, time)                                                                  \
    ({                                                                                             \
        uint64_t wait_end_ = microseconds() + (time);                                              \
        bool wait_met_ = (condition);                                                              \
        while (!wait_met_ && microseconds() < wait_end_) {                                         \
            sleep_microseconds(100);                                                               \
            wait_met_ = (condition);                                                               \
        }                                                                                          \
        wait_met_ || (condition);                                                                  \
    })
