/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one text, sections and `key = value`, `#` comments. One parser for the
 * hypervisor, the EFI application (which images to load) and the host (build/config). No globals,
 * no allocation.
 *
 *   [system]
 *   console = com2          # or auto, none, pci:04:00.3, mmio:0xfe030000,4
 *
 *   [nic uplink]
 *   device = 8086:10c9      # or 01:00.0, or ssss:bb:dd.f
 *   vfs    = 2              # absent or 0: passed through whole
 *   driver = guest alpha    # or none; absent: the hypervisor's own PF driver
 *   owner_lost = reset      # driver = guest only; or quarantine
 *
 *   [disk store]            # the same for a storage controller
 *   device = 1b36:0010
 *   vfs    = 2
 *
 *   [guest alpha]
 *   image  = ping.elf
 *   memory = 32M
 *   cpus   = 1
 *   cores  = 2-3            # which ones, and cpus follows from it
 *   node   = 0              # memory and cores of this node only
 *   device = uplink.vf0     # or `uplink` for the whole function; may repeat
 *   accept_flash = uplink   # whole functions only: the guest may write its flash and EEPROM
 *   args   = peer=beta count=1000
 *   initrd = initrd.img     # Linux kernels only
 */
#pragma once

#include "hypervisor/config/config.h"
#include "hypervisor/config/config_console.h"

#define CONFIG_MAX_NICS   8
#define CONFIG_MAX_GUESTS 64

/* Whose driver the PF of a card that is split (vfs) has. */
enum config_driver {
    DRIVER_OURS,  /* the hypervisor's */
    DRIVER_NONE,  /* nobody's: its VFs work by themselves */
    DRIVER_GUEST, /* that of the guest that has the PF as a device */
};

/* What happens to the VFs of such a guest's card when it ends in any way. */
enum config_owner_lost {
    OWNER_LOST_QUARANTINE, /* out of service until a reboot; their guests run on without them */
    OWNER_LOST_RESET,      /* their guests are ended, the card is reset, all can start again */
};

#define CONFIG_NO_GUEST UINT32_MAX

struct config_nic {
    char name[CONFIG_NAME_SIZE];
    struct config_place place;
    bool disk;  /* a [disk] section */
    bool by_id; /* vendor:device rather than an address */
    uint16_t vendor, device;
    uint32_t rid;            /* segment << 16 | RID */
    uint32_t vfs;            /* 0: no SR-IOV */
    bool unsafe_controllers; /* [disk] only, see pf_driver.h */
    enum config_driver driver;
    struct config_place driver_place;  /* of the guest's name with DRIVER_GUEST */
    char owner_name[CONFIG_NAME_SIZE]; /* DRIVER_GUEST: the guest, which has the PF whole ... */
    uint32_t owner;                    /* ... its index into guests; CONFIG_NO_GUEST after an error:
                                          the card cannot be used */
    enum config_owner_lost owner_lost;
    struct config_place owner_lost_place; /* line 0: not given */
};

struct config {
    uint32_t nic_count, guest_count;
    struct config_nic nics[CONFIG_MAX_NICS];
    struct config_guest guests[CONFIG_MAX_GUESTS];
    bool unsafe_interrupts; /* [system] unsafe_interrupts = yes */
    bool leave_graphics;    /* [system] graphics_unit = leave */
    bool smt_shared;        /* [system] smt = shared: guests may share physical cores */
    bool audit_warns;       /* [system] audit = warn, in a build that knows it */
    struct config_console console;
    uint32_t errors;
};

/* Called for each complaint; `message` says what is wrong and what would be right. */
typedef void config_complain(void *context, struct config_place place, const char *message);

/* Parses the whole text and complains about everything it finds: unknown sections and keys, bad or
 * out-of-range numbers, duplicate names and keys, devices that name no nic, a missing image key, a
 * VF index beyond vfs, a PF's driver that is not a guest or has not got the PF. A guest or nic with
 * an error is left out, the rest is usable. STATUS_INVALID when there was any complaint. */
MUST_CHECK enum status config_parse(const char *text, size_t size, struct config *config,
                                    config_complain *complain, void *context);
