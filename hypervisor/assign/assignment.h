/*
 * A PCI function as its guest sees it: a virtual configuration space, BARs at guest-physical
 * addresses, an MSI-X table of the guest's own values. Hardware follows only through the rules in
 * virtual_config.c and virtual_msix.c. Except where a comment says otherwise, everything here runs
 * on the control core (control_call.h).
 */
#pragma once

#include "hypervisor/guest/guest.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/pci/pf_driver.h"

#define GUEST_MSIX_MAX  256  /* vectors of one device; a function with more is refused */
#define CONFIG_CAP_MSIX 0x40 /* where the virtual capabilities lie */
#define CONFIG_CAP_PCIE 0x50
#define CONFIG_DWORDS   64 /* extended space reads as zero: no extended capabilities */

struct guest_bar {
    uint64_t guest_base; /* where the EPT maps it; what the guest reads */
    uint64_t host_base;
    uint64_t size; /* 0: not there */
    bool is_64bit, prefetchable;
    bool sizing_low, sizing_high; /* all ones were written: the next read gives the size */
};

struct guest_vector {
    uint64_t address; /* the guest's own values */
    uint32_t data;
    bool masked;
    bool allocated; /* has an interrupt remapping entry */
    uint16_t index; /* of that entry */
};

struct assignment {
    struct guest *guest;
    struct pci_function *function;
    struct pf_device *pf; /* of a VF, else NULL */
    unsigned slot;        /* device number on the guest's virtual bus 0 */
    bool attached; /* context entry present, or not known to be gone from the unit's caches */
    enum status reset_status; /* between assignment_quiesce() and _finish(); STATUS_BUSY: goes on */
    struct pci_reset reset;
    bool disabled;    /* policy took bus mastering away until the next start */
    uint16_t command; /* the guest's view of the command register */
    struct guest_bar bars[PCI_BARS];
    bool has_msix;
    bool msix_enabled, msix_function_mask;
    struct msix_layout msix;
    uintptr_t msix_table; /* the physical table, mapped */
    struct guest_vector *vectors;
    uint64_t messages_refused; /* since the start */
};

/* --- device.c: giving and taking, in the order of invariant I6 --- */

/* Takes the function for the guest, lays out its BARs from *next_bar on and maps them into the
 * guest's memory tables (the MSI-X table's pages excepted). The guest must not be running.
 * Logs device.assigned, or device.refused and leaves everything with its owner. */
MUST_CHECK enum status assignment_claim(struct guest *guest, struct assignment *assignment,
                                        struct pci_function *function, struct pf_device *pf,
                                        unsigned slot, uint64_t *next_bar);
/* assignment_check.c. Whether assignment_claim() would refuse the function; `moved`: whoever has it
 * now. Changes nothing; the reason is logged. */
MUST_CHECK enum status assignment_check(const struct guest *guest,
                                        const struct pci_function *function, bool moved);
/* STATUS_DENIED, with the reason logged, for a function whose registers may be somebody else's. */
MUST_CHECK enum status assignment_check_registers(const struct guest *guest,
                                                  const struct pci_function *function);
/* Logs device.refused and returns `status`. */
MUST_CHECK enum status assignment_refuse(const struct guest *guest,
                                         const struct pci_function *function, enum status status,
                                         const char *message);
extern const char assignment_unusable[]; /* the message for what pci_unusable() says of it */
/* A BAR that no guest gets: the flash of a known device. */
bool assignment_bar_is_flash(const struct pci_function *function, unsigned number);
/* Takes its BARs out of the guest's memory tables; the guest must not be in guest mode, and its
 * cores must flush what they cached before it is again. */
MUST_CHECK enum status assignment_unmap(struct assignment *assignment);
/* The reverse of assignment_claim(); the guest's memory tables keep what they map, so they go with
 * it, or assignment_unmap() comes first. The function is free then, unless it is unusable. */
void assignment_unclaim(struct assignment *assignment);
/* Before a start: registers as after power-on, context entry present. Bus mastering stays off
 * until the guest asks for it. After an error `attached` is set only if the unit may have cached
 * the context entry: the function is unusable then, and the guest's memory must not be used again.
 */
MUST_CHECK enum status assignment_connect(struct assignment *assignment);
/* After an end: bus mastering off and the reset begun; assignment_quiet() carries it on, without
 * waiting, until it returns true; then the rest: context entry gone, caches invalidated. After an
 * error of assignment_disconnect() the function is unusable, and its registers are out of the
 * guest's reach; if `attached` is still set, the unit did not confirm: the device may still reach
 * the guest's memory, which must not be used for anything else. The guest must not be in guest
 * mode. */
void assignment_quiesce(struct assignment *assignment);
static inline bool assignment_resetting(const struct assignment *assignment)
{
    return assignment->function->life == PCI_RESETTING;
}
bool assignment_quiet(struct assignment *assignment);
MUST_CHECK enum status assignment_disconnect(struct assignment *assignment);
/* The answer to faults: bus mastering off, and it stays off until the next start. */
void assignment_silence(struct assignment *assignment);

/* Without a reset, whatever its guest does: bus mastering off, interrupts and context entry gone,
 * the function unusable. An error leaves `attached` set, as assignment_disconnect() does. */
MUST_CHECK enum status assignment_block(struct assignment *assignment);
/* Takes its registers from the guest, which must not be in guest mode and keeps the device. */
void assignment_withdraw(struct assignment *assignment);

/* --- pf_lost.c --- */
/* Once the driver has lost the PF: it and its VFs are unusable. Their guests lose the VFs' context
 * entries first, whether or not the device heeds anybody, then their registers, and run on. Logs
 * device.blocked. Does nothing for another PF. */
void pf_block_lost(const struct pf_device *pf);

/* --- virtual_config.c --- */
void virtual_config_reset(struct assignment *assignment);
/* Offset is below 4096 and aligned to width (1, 2, 4). Reads may run on any core. */
uint32_t virtual_config_read(const struct assignment *assignment, unsigned offset, unsigned width);
void virtual_config_write(struct assignment *assignment, unsigned offset, unsigned width,
                          uint32_t value);

/* --- virtual_msix.c --- */
/* True when the guest-physical address lies in a page that holds the device's MSI-X table. */
bool virtual_msix_covers(const struct assignment *assignment, uint64_t address);
/* True when an access there, in such a page, goes to the device's own registers beside the table.
 * The guest's own core makes it: a register that is slow to answer keeps nobody else waiting. */
bool virtual_msix_passes(const struct assignment *assignment, uint64_t address);
/* Access inside such a page: to the table (virtual), to the PBA and other registers that share the
 * page (passed through; MSI-X PBA read-only). */
uint64_t virtual_msix_read(const struct assignment *assignment, uint64_t address, unsigned width);
void virtual_msix_write(struct assignment *assignment, uint64_t address, unsigned width,
                        uint64_t value);
/* After a change of the function's MSI-X enable or mask bits. */
void virtual_msix_update(struct assignment *assignment);
/* Frees the interrupt entries and forgets the guest's values. */
void virtual_msix_reset(struct assignment *assignment);
