/* SPDX-License-Identifier: MIT */
/*
 * A guest: what owns memory, cores and functions; and the table of all guests (registry.c). Plain
 * data: assign/ changes what it has, vdev/ what its exits reach, guest/ its life. Except where a
 * comment says otherwise, everything here is used on the control core.
 */
#pragma once

#include "hypervisor/abi/machine.h"
#include "hypervisor/abi/start.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/config/config.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/piece.h"
#include "hypervisor/vcpu/vcpu.h"

#define GUEST_MAX           64 /* CONFIG_MAX_GUESTS; audit.h has a bit for each */
#define GUEST_MAX_FUNCTIONS 8  /* CONFIG_MAX_DEVICES */
#define GUEST_MAX_PIECES    16 /* of host memory that make up its RAM */

enum guest_state {
    GUEST_EMPTY,
    GUEST_CREATED,
    GUEST_RUNNING,
    GUEST_STOPPING, /* its cores are out; its functions are being reset */
    GUEST_STOPPED,
    GUEST_REFUSED,
    GUEST_LOST, /* a core or a function did not come back: never started again */
};

/* Guest-physical addresses for BARs: below 4 GiB, and above the RAM for 64-bit ones. */
#define GUEST_BAR_WINDOWS 2
struct guest_bar_window {
    uint64_t base, end;
    uint64_t vfs_end;    /* registers of VFs that the guest sees and has not lie below, or 0 */
    uint64_t pulled_end; /* and BARs of functions that were moved away */
};

struct virtual_serial; /* vdev/virtual_serial.h */
struct assignment;     /* assign/assignment.h */

struct guest {
    char name[CONFIG_NAME_SIZE];
    unsigned index; /* owner is OWNER_GUEST(index) */
    owner_t owner;
    volatile uint32_t state; /* enum guest_state */
    const struct config_guest *config;
    uint64_t memory_size; /* bytes of RAM */
    unsigned piece_count;
    struct memory_piece pieces[GUEST_MAX_PIECES]; /* its RAM in ascending order, without gaps */
    bool memory_clean;          /* overwritten with zeros since a guest last ran in it */
    volatile bool scrubbing;    /* its cores are at it, or about to be (guest/scrub.h) */
    uint64_t scrubbed;          /* bytes that they have overwritten */
    const void *image, *initrd; /* files, mapped; with `start` by setup/load.c */
    struct abi_start *start;    /* what its start stub is told at each start */
    struct page_table memory;   /* EPT or NPT */
    struct iommu_domain domain;
    unsigned cpu_count;
    struct vcpu *vcpus[GUEST_MAX_CPUS];
    struct guest_bar_window bar_windows[GUEST_BAR_WINDOWS];
    uint32_t pci_address;          /* what it wrote to port 0xcf8 */
    uint8_t rtc_index;             /* what it wrote to port 0x70 */
    volatile bool loading;         /* its start stub runs, and may call as such (abi/start.h) */
    volatile bool ports;           /* its image is of a kind that expects those of vdev/ports.h */
    struct virtual_serial *serial; /* behind the ports */
    unsigned assignment_count;
    struct assignment *assignments[GUEST_MAX_FUNCTIONS];
    /* how it ended */
    volatile uint32_t end_noted; /* set by the first guest_note_end() */
    char stop_reason[24];
    uint64_t exit_status;
    struct abi_refusal refusal; /* what its start stub said, if it ended with END_REFUSED */
    volatile uint32_t vcpus_running;
    unsigned holds; /* guest_hold() without guest_release() so far */
    bool paused;    /* one of these is guest_pause()'s */
    bool restarting;
    bool quarantined;             /* guest_quarantine(): not started again before a reboot */
    uint64_t started_at;          /* microseconds */
    bool output_left;             /* it has ended, and the monitor has not written all it sent */
    struct deadline output_until; /* its end waits for that so long */
    /* faults of its functions */
    uint64_t faults;
    bool unsafe_interrupts; /* the configuration accepts devices without interrupt remapping */
};

/* setup/guests.c fills it at boot. */
extern struct guest_table {
    struct guest *guests[GUEST_MAX];
    unsigned count;
} guest_table;
struct guest *guest_at(unsigned index); /* in the configuration's order; NULL past the end */
struct guest *guest_find(const char *name);
struct guest *guest_of_owner(owner_t owner);
/* Whether `size` bytes from a guest-physical address on are its RAM. */
static inline bool guest_memory_has(const struct guest *guest, uint64_t address, uint64_t size)
{
    uint64_t low = MIN(guest->memory_size, GUEST_LOW_END), high = guest->memory_size - low;
    if (address <= low)
        return size <= low - address;
    return address - GUEST_HIGH_BASE <= high && size <= high - (address - GUEST_HIGH_BASE);
}
/* Whether its RAM from `address` on is the host's from `physical` on, for `size` bytes of a piece.
 */
bool guest_memory_is(const struct guest *guest, uint64_t address, uint64_t physical, uint64_t size);
static inline struct guest_bar_window *guest_bar_window(struct guest *guest, uint64_t address)
{
    return &guest->bar_windows[address >= GUEST_HIGH_BASE];
}
/* Why a guest ends whose start stub refuses the image; it is GUEST_REFUSED then. */
#define END_REFUSED "refused"
/* From a guest's core: why it ends, and with which status (0 unless it exited). The first call
 * counts, whichever vCPU makes it. */
void guest_note_end(struct guest *guest, const char *reason, uint64_t exit_status);
/* All VM exits of its vCPUs since it was started. */
uint64_t guest_exits(const struct guest *guest);
/* Counts changes of owners: guests started and ended, functions moved. After each the audit runs.
 */
unsigned guests_changes(void);
void guests_changed(void);
