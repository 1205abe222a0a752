/* SPDX-License-Identifier: MIT */
/*
 * The configuration: one text, sections and `key = value`, `#` comments. One parser for the
 * hypervisor, the EFI application (which images to load) and the host (build/config). No globals,
 * no allocation.
 *
 *   [nic uplink]
 *   device = 8086:10c9      # or 01:00.0, or ssss:bb:dd.f
 *   vfs    = 2              # absent or 0: passed through whole
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

#define CONFIG_MAX_NICS   8
#define CONFIG_MAX_GUESTS 64

struct config_nic {
    char name[CONFIG_NAME_SIZE];
    struct config_place place;
    bool disk;  /* a [disk] section */
    bool by_id; /* vendor:device rather than an address */
    uint16_t vendor, device;
    uint32_t rid;            /* segment << 16 | RID */
    uint32_t vfs;            /* 0: no SR-IOV */
    bool unsafe_controllers; /* [disk] only, see pf_driver.h */
};

struct config {
    uint32_t nic_count, guest_count;
    struct config_nic nics[CONFIG_MAX_NICS];
    struct config_guest guests[CONFIG_MAX_GUESTS];
    bool unsafe_interrupts; /* [system] unsafe_interrupts = yes */
    uint32_t errors;
};

/* Called for each complaint; `message` says what is wrong and what would be right. */
typedef void config_complain(void *context, struct config_place place, const char *message);

/* Parses the whole text and complains about everything it finds: unknown sections and keys, bad or
 * out-of-range numbers, duplicate names and keys, devices that name no nic, a missing image key, a
 * VF index beyond vfs. A guest or nic with an error is left out, the rest is usable.
 * STATUS_INVALID when there was any complaint. */
MUST_CHECK enum status config_parse(const char *text, size_t size, struct config *config,
                                    config_complain *complain, void *context);
