/*
 * Guests: memory layout, devices, life cycle. All functions are called on the control core unless
 * they say otherwise.
 */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/abi/machine.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/config/config.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/vcpu/vcpu.h"

enum guest_state {
    GUEST_EMPTY,
    GUEST_CREATED,
    GUEST_RUNNING,
    GUEST_STOPPING, /* its cores are out; its devices are being reset */
    GUEST_STOPPED,
    GUEST_REFUSED,
    GUEST_LOST, /* a core or a device did not come back: never started again */
};

struct virtual_serial; /* guest/virtual_serial.h */
struct pf_device;      /* pci/pf_driver.h */
struct assignment;     /* guest/device.h: virtual configuration space, MSI-X, BARs */

struct guest {
    char name[CONFIG_NAME_SIZE];
    unsigned index; /* owner is OWNER_GUEST(index) */
    owner_t owner;
    volatile uint32_t state; /* enum guest_state */
    const struct config_guest *config;
    uint64_t memory_base, memory_size; /* host-physical */
    bool memory_clean;                 /* overwritten with zeros since a guest last ran in it */
    struct page_table memory;          /* EPT or NPT */
    struct iommu_domain domain;
    unsigned cpu_count;
    struct vcpu *vcpus[GUEST_MAX_CPUS];
    uint64_t pulled_end;           /* BARs of functions that were moved away lie below */
    uint32_t pci_address;          /* what it wrote to port 0xcf8 */
    uint8_t rtc_index;             /* what it wrote to port 0x70 */
    volatile bool loading;         /* its start stub runs, and may call as such (abi/start.h) */
    volatile bool ports;           /* its image is of a kind that expects those of ports.h */
    struct virtual_serial *serial; /* behind the ports */
    unsigned assignment_count;
    struct assignment *assignments[CONFIG_MAX_DEVICES];
    /* how it ended */
    volatile uint32_t end_noted; /* set by the first guest_note_end() */
    char stop_reason[24];
    uint64_t exit_status;
    volatile uint32_t vcpus_running;
    unsigned holds; /* guest_hold() without guest_release() so far */
    bool paused;    /* one of these is guest_pause()'s */
    bool restarting;
    bool quarantined;             /* guest_quarantine(): not started again before a reboot */
    uint64_t started_at;          /* microseconds */
    bool output_left;             /* it has ended, and the monitor has not written all it sent */
    struct deadline output_until; /* its end waits for that so long */
    /* faults of its devices */
    uint64_t faults;
    bool devices_disabled;
    bool unsafe_interrupts; /* the configuration accepts devices without interrupt remapping */
};

/* Creates every guest of the configuration but for its devices, and overwrites its memory; logs
 * guest.refused. A guest that cannot be made is left out, the rest goes on. */
void guests_create(const struct config *config, const struct boot_info *boot);
/* Gives them their devices, whose NICs must be ready; logs guest.created, device.assigned,
 * device.refused, guest.refused. */
void guests_finish(const struct config *config);
/* Gives back everything a refused guest had taken. */
void guest_dismantle(struct guest *guest);
/* One more function (and its PF's driver when it is a VF): into the lowest free slot, its BARs
 * behind the others'. The guest must not be in guest mode. `device` is the caller's, one page or
 * more of zeros; it becomes the guest's. Errors of assignment_claim(); STATUS_FULL. */
MUST_CHECK enum status assignment_add(struct guest *guest, struct assignment *assignment,
                                      struct pci_function *function, struct pf_device *pf);
struct guest *guest_at(unsigned index); /* in the configuration's order; NULL past the end */
struct guest *guest_find(const char *name);
struct guest *guest_of_owner(owner_t owner);

/* From GUEST_CREATED or GUEST_STOPPED: reloads. STATUS_BUSY in other states and while it takes part
 * in a move. When a device cannot be attached the guest goes by GUEST_STOPPING to GUEST_STOPPED. */
MUST_CHECK enum status guest_start(struct guest *guest);
/* Takes its cores back; guests_service() takes its devices back 100 ms later and logs
 * guest.stopped. STATUS_NOT_FOUND when it is not running, STATUS_TIMEOUT when a core is lost. */
MUST_CHECK enum status guest_stop(struct guest *guest, const char *reason);
/* Stops it where it runs, and starts it once its devices are back; else starts it. */
MUST_CHECK enum status guest_restart(struct guest *guest);
/* The audit found its isolation broken: it is stopped, and refused whenever it is to be started.
 * Logs guest.quarantined, once. */
void guest_quarantine(struct guest *guest);
/* Its vCPUs out of guest mode until guest_resume(), its devices as they are: what they send waits
 * in memory, interrupts wait in the cores. Time goes on. STATUS_NOT_FOUND when it does not run (or
 * is not paused), STATUS_BUSY when it is paused already, STATUS_TIMEOUT when a core does not come.
 */
MUST_CHECK enum status guest_pause(struct guest *guest);
MUST_CHECK enum status guest_resume(struct guest *guest);
/* The mechanism below both, which nests: between the two no vCPU of a running guest is in guest
 * mode, and afterwards each has forgotten what it cached of the memory tables. */
MUST_CHECK enum status guest_hold(struct guest *guest);
void guest_release(struct guest *guest);
/* All VM exits of its vCPUs since it was started. */
uint64_t guest_exits(const struct guest *guest);
/* Why a guest ends whose start stub refuses the image; it is GUEST_REFUSED then. */
#define END_REFUSED "refused"
/* From a guest's core: why it ends, and with which status (0 unless it exited). The first call
 * counts, whichever vCPU makes it. */
void guest_note_end(struct guest *guest, const char *reason, uint64_t exit_status);
void guests_start_all(void);
/* Before the machine is reset or switched off. `meanwhile` is called in each turn of the wait: it
 * writes out what guests have sent. */
void guests_stop_all(bool (*meanwhile)(void));
/* Work for the control loop: guests that ended, time limits, output rings, PF mailboxes. */
void guests_service(void);
bool guests_all_ended(void);
/* Counts changes of owners: guests started and ended, functions moved. After each the audit runs.
 */
unsigned guests_changes(void);
void guests_changed(void);
/* True when there are guests, every one ended as its configuration expects, and `rest_ok` (audit,
 * configuration); logs `run.verdict result=ok|failed`
 * with a line `run.unexpected guest= expected= got=` for each that did not. */
bool guests_verdict(bool rest_ok);

/* pfs.c: prepares the configuration's NICs (PF drivers, SR-IOV). */
void pfs_prepare(const struct config *config);
void pfs_complete(void); /* waits for what is left of the 100 ms, VFs verified */
struct pf_device *pf_device_at(uint32_t index); /* NULL: not there or without SR-IOV */
struct pci_function *pf_function_at(uint32_t index);
/* What the configuration calls the NIC, "" for a function that it does not name. */
const char *pf_name(const struct pci_function *function);
