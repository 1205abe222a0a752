/*
 * PCI Express: functions, configuration space, capabilities, BARs.
 * All access goes through pci_config_read/write, which the machine implements over ECAM and host
 * tests over a model.
 */
#pragma once

#include "hypervisor/acpi/acpi.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/core.h"
#include "hypervisor/memory/frames.h"

/* Requester id (bus << 8 | device << 3 | function) with the segment above it. */
typedef uint32_t rid_t;
#define RID(segment, bus, device, function)                                                        \
    ((rid_t)((uint32_t)(segment) << 16 | (uint32_t)(bus) << 8 | (uint32_t)(device) << 3 |          \
             (uint32_t)(function)))
#define RID_SEGMENT(rid)  ((uint16_t)((rid) >> 16))
#define RID_BUS(rid)      ((uint8_t)((rid) >> 8))
#define RID_DEVICE(rid)   ((uint8_t)(((rid) >> 3) & 0x1f))
#define RID_FUNCTION(rid) ((uint8_t)((rid) & 7))

/* pci/ecam.c. `width` is 1, 2 or 4 and offset aligned to it, below 4096. Reads of what does not
 * exist give all ones, writes there do nothing. */
uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width);
void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value);
MUST_CHECK enum status ecam_init(const struct mcfg *mcfg);

/* silence.c: takes bus mastering away from every function of segment 0 that is no bridge, through
 * ports 0xcf8 and 0xcfc: for the first moments, before any memory is used. Buses that no bridge
 * leads to (other roots, which big machines have) are tried one by one with `all_buses`: 8192 reads
 * of a microsecond each, or of far more where every one leaves a virtual machine. Whom it found
 * mastering the bus is added to `found`, a bit for each requester id, which must stay. */
#define PCI_REQUESTERS 65536
void pci_silence(bool all_buses, uint64_t found[PCI_REQUESTERS / 64]);
/* Whether it, or the loader before, found this function mastering the bus. */
bool pci_silenced(rid_t rid);

struct pci_bar {
    uint64_t base; /* physical, 0 when the firmware gave none */
    uint64_t size; /* bytes, 0 when not implemented (or the upper half of a 64-bit BAR) */
    bool io;
    bool is_64bit;
    bool prefetchable;
};

#define PCI_BARS 6

/* reset.c: in the order in which they are tried */
enum pci_reset_method {
    PCI_RESET_NONE,
    PCI_RESET_FLR, /* function level reset through the PCIe capability (PCIe 6.6.2) */
    PCI_RESET_AF, /* the same through Advanced Features, of conventional functions (PCI ECN 2006) */
    PCI_RESET_PM, /* D3hot and back to D0 without No_Soft_Reset (PCIe 5.3.1.4) */
    PCI_RESET_BUS, /* hot reset of all behind the bridge above (PCIe 6.6.1, 7.5.1.3.13) */
    PCI_RESET_METHODS,
};

/* What is known of a function's state, and so who may have it (life.c has the transitions). */
enum pci_life {
    PCI_UNKNOWN,   /* as firmware or a driver left it: reset before a guest gets it */
    PCI_CLEAN,     /* reset, and nobody has used it since */
    PCI_USED,      /* its guest's context entry is present */
    PCI_RESETTING, /* bus mastering off; the context entry is still there */
    PCI_UNUSABLE, /* its reset failed, its unit did not let it go, or its PF is lost: nobody's until
                     a reboot */
    PCI_LIVES,
};

/* What a reset makes a function forget. */
struct pci_saved {
    uint32_t bar[PCI_BARS];
    uint32_t rom;
    uint16_t command;
    uint8_t cache_line, interrupt_line;
    uint16_t device_control, link_control, device_control2;
    uint16_t witness; /* command bits that were set before and that a reset clears */
};

struct pci_function {
    rid_t rid;
    uint16_t vendor, device;
    uint32_t class_code; /* base << 16 | sub << 8 | interface */
    uint8_t header_type; /* without the multi-function bit */
    bool is_bridge;      /* PCI-to-PCI bridge, root and switch ports included */
    bool is_vf;
    uint8_t secondary_bus, subordinate_bus; /* bridges */
    uint8_t pcie_type;            /* device/port type of the PCIe capability, 0xff without one */
    struct pci_bar bar[PCI_BARS]; /* of a VF: its share of the PF's VF BARs */
    /* offsets in configuration space, 0 when absent */
    uint16_t cap_pm, cap_msi, cap_msix, cap_pcie, cap_af;
    uint16_t cap_sriov, cap_ari, cap_acs, cap_ats;
    struct pci_function *bridge; /* the bridge it sits behind, NULL on a root bus */
    struct pci_function *pf;     /* of a VF */
    uint16_t vf_index;           /* of a VF, from 0 */
    enum pci_life life;          /* changed by pci_life_set() only */
    bool firmware_master;        /* firmware left bus mastering on, and no reset has come since */
    bool quarantined;            /* by the audit, and logged */
    bool misplaced; /* a BAR lies where others answer, or where no bridge sends its accesses */
    owner_t owner;  /* OWNER_HYPERVISOR, OWNER_GUEST(n) or OWNER_NOBODY */
    enum pci_reset_method reset_method; /* the one that has worked; PCI_RESET_NONE: not known yet */
    /* Mapped when a guest first got the function, and kept. */
    uintptr_t msix_table;
    uint64_t msix_table_base, msix_table_size; /* physical; bytes that are mapped */
    bool in_reset;        /* its registers are in `saved`; of a bridge: its bus is being reset */
    bool link_was_active; /* of a bridge, before that */
    struct pci_saved saved;
};

#define PCI_MAX_FUNCTIONS 512

/* A PCI-to-PCI bridge, or one to something else (host, ISA). */
static inline bool pci_is_bridge(const struct pci_function *function)
{
    return function->is_bridge || function->class_code >> 16 == 0x06;
}

/* Whether the bridge is on the function's way to the root; false for the bridge itself. */
static inline bool pci_is_behind(const struct pci_function *function,
                                 const struct pci_function *bridge)
{
    const struct pci_function *above = function->bridge;
    for (unsigned depth = 0; above != NULL && depth < 256; depth++) {
        if (above == bridge)
            return true;
        above = above->bridge;
    }
    return false;
}

/* Walks all buses through bridges (bounded by bus ranges, each bus once), reads headers, BARs
 * (sized with decoding off; the original values are restored) and capabilities. Bus mastering is
 * cleared on every function that is not a bridge, first of all, before anything is sized. Logs
 * `pci.function` for each, `pci.summary`. */
MUST_CHECK enum status pci_enumerate(const struct mcfg *mcfg);
size_t pci_function_count(void);
struct pci_function *pci_function_at(size_t index); /* NULL past the end */
struct pci_function *pci_function_find(rid_t rid);
/* The bus behind a bridge, -1 if there is none: for DMAR scopes. */
int pci_secondary_bus(uint16_t segment, uint16_t rid, void *context);
/* Used by sriov.c to add VFs, and to remove all VFs of a PF again. */
MUST_CHECK struct pci_function *pci_function_add(const struct pci_function *function);
void pci_functions_remove_vfs(const struct pci_function *pf);

/* capabilities.c: bounded searches; 0 when absent, loops and bad pointers end the search. */
uint16_t pci_capability_find(rid_t rid, uint8_t id);
uint16_t pci_extended_capability_find(rid_t rid, uint16_t id);
void pci_capabilities_read(struct pci_function *function);
#define PCI_CAP_PM         0x01
#define PCI_CAP_MSI        0x05
#define PCI_CAP_PCIE       0x10
#define PCI_CAP_MSIX       0x11
#define PCI_CAP_AF         0x13
#define PCI_EXT_CAP_AER    0x0001
#define PCI_EXT_CAP_VENDOR 0x000b
#define PCI_EXT_CAP_ACS    0x000d
#define PCI_EXT_CAP_ARI    0x000e
#define PCI_EXT_CAP_ATS    0x000f
#define PCI_EXT_CAP_SRIOV  0x0010

#define PCI_COMMAND            0x04
#define PCI_COMMAND_IO         BIT(0)
#define PCI_COMMAND_MEMORY     BIT(1)
#define PCI_COMMAND_BUS_MASTER BIT(2)
#define PCI_COMMAND_SERR       BIT(8)
#define PCI_COMMAND_INTX_OFF   BIT(10)

void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear);
/* Bus mastering of one function; a VF's own bit. */
void pci_bus_master(const struct pci_function *function, bool on);

/* --- life.c --- */

/* False, with the reason logged, for a step that the table of transitions does not have: the
 * function is unusable then. What is unusable belongs to the hypervisor from then on. */
MUST_CHECK bool pci_life_set(struct pci_function *function, enum pci_life life);
/* Unusable itself, or a VF of a PF that is. */
bool pci_unusable(const struct pci_function *function);
const char *pci_life_name(enum pci_life life);
#define PCI_UNTIL_REBOOT "only a reboot makes it usable" /* for messages */

/* errors.c, once: no function reports errors, and no port or chipset that is known makes a system
 * error of what comes from below it. Logs `pci.errors`. */
void pci_errors_silence(void);
/* claims.c, once: every function's BARs against all others, the windows of all bridges and the
 * frame table, in which they get an owner. What lies where it must not is `misplaced`, by name
 * (`pci.refused`), and given to nobody. Expansion ROMs stop decoding. Enumeration and the owners of
 * the platform's own registers come first. */
void pci_claim_registers(void);
/* bars.c: where memory BAR `number` lies now, by configuration space; a VF's by its PF's SR-IOV
 * capability. 0 for one that is not implemented. */
uint64_t pci_bar_now(const struct pci_function *function, unsigned number);
/* Every memory BAR is where it was when the function was found. */
bool pci_bars_hold(const struct pci_function *function);

/* --- MSI-X (PCIe 7.7.2) --- */
struct msix_layout {
    uint16_t vectors; /* 1..2048 */
    uint8_t table_bar, pba_bar;
    uint32_t table_offset, pba_offset; /* bytes in their BAR */
};
/* STATUS_NOT_FOUND without the capability; STATUS_INVALID when table or PBA lie outside their BAR
 * or overlap each other. */
MUST_CHECK enum status msix_layout_read(const struct pci_function *function,
                                        struct msix_layout *layout);
void msix_enable(const struct pci_function *function, bool enable, bool mask_all);

/* --- reset.c: FLR, else AF, PM, secondary bus reset. Configuration (BARs, command) is restored
 * with bus mastering off. --- */

/* A reset under way: what is being waited for, and until when at most. */
enum pci_reset_step {
    PCI_RESET_DRAIN,  /* pending requests, 1 s */
    PCI_RESET_HELD,   /* D3hot, 10 ms; the bus in reset, 2 ms */
    PCI_RESET_SETTLE, /* 10 ms to 1 s by method */
    PCI_RESET_LINK,   /* of a bus reset: the link, 1 s */
    PCI_RESET_JOINED, /* the bus reset that another function began */
    PCI_RESET_ANSWER, /* the function, 1 s */
    PCI_RESET_QUIET,  /* what is pending even after it, 1 s */
};

struct pci_reset {
    enum pci_reset_method method;
    enum pci_reset_step step;
    bool leads; /* it began the bus reset that it is part of */
    struct deadline ready;
};
/* Bus mastering off, and the reset prepared: by the method that pci_function_reset() found, else by
 * the first that is offered. Neither this nor pci_reset_poll() waits for anything. A bus reset
 * takes in what shares the bus; a function that is taken in already joins it. STATUS_UNSUPPORTED
 * when there is no way to reset the function alone (the log says why), STATUS_BUSY for a PF with
 * VFs. */
MUST_CHECK enum status pci_reset_start(struct pci_function *function, struct pci_reset *reset);
/* The next step if it is due. STATUS_BUSY: call it again, 8 s in all at most. STATUS_OK: reset, and
 * its configuration restored. STATUS_TIMEOUT: it does not answer, or requests stay pending;
 * STATUS_DEVICE: it kept its registers through the reset or does not take them back. */
MUST_CHECK enum status pci_reset_poll(struct pci_function *function, struct pci_reset *reset);
/* Both, for boot, when there is nothing else to do meanwhile. Tries one method after the other
 * until one has worked, and remembers it. */
MUST_CHECK enum status pci_function_reset(struct pci_function *function);
/* Functions that firmware left asleep (D3hot, D1, D2) come to D0, their BARs as they were: 10 ms
 * each. One that does not stays the hypervisor's, with the reason logged. Bridges sleep on. */
void pci_wake(void);

/* --- acs.c (PCIe 6.12): redirects peer-to-peer requests upstream wherever that can be done. --- */
void acs_enable_all(void);
/* One function's, for those that came later or were reset: a reset clears the control register. */
void acs_enable(const struct pci_function *function);
/* Whether what acs_enable() sets is set, as the function's registers say now. */
bool acs_is_on(const struct pci_function *function);
/* Whether requests of `from` may arrive at `to` without passing the IOMMU: inside a device of
 * several functions, at a switch without ACS, on a conventional bus. *culprit is where (a bridge,
 * or `from` itself), NULL when they cannot. */
bool acs_reaches(const struct pci_function *from, const struct pci_function *to,
                 const struct pci_function **culprit);
/* The isolation group of a function of the table: all that can reach each other around the IOMMU,
 * directly or through others. Bridges are on the way, not in it. */
struct acs_group {
    uint16_t members[PCI_MAX_FUNCTIONS]; /* pci_function_at(), `first` foremost */
    size_t count;
    const struct pci_function *culprit; /* where the first of them meet; NULL for a group of one */
};
void acs_group(const struct pci_function *first, struct acs_group *group);
