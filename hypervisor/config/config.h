/*
 * The configuration: one text, sections and `key = value`, `#` comments. One parser for the
 * hypervisor, the EFI application (which images to load) and host tests. No globals, no allocation.
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
 *   device = uplink.vf0     # or `uplink` for the whole function; may repeat
 *   accept_flash = uplink   # whole functions only: the guest may write its flash and EEPROM
 *   args   = peer=beta count=1000
 *   initrd = initrd.img     # Linux kernels only
 */
#pragma once

#include "hypervisor/base/core.h"

#define CONFIG_MAX_NICS    8
#define CONFIG_MAX_GUESTS  16
#define CONFIG_MAX_DEVICES 8
#define CONFIG_NAME_SIZE   32
#define CONFIG_ARGS_SIZE   256

struct config_place {
    uint32_t line, column; /* from 1 */
};

struct config_nic {
    char name[CONFIG_NAME_SIZE];
    struct config_place place;
    bool by_id; /* vendor:device rather than an address */
    uint16_t vendor, device;
    uint32_t rid;            /* segment << 16 | RID */
    uint32_t vfs;            /* 0: no SR-IOV */
    bool unsafe_controllers; /* [disk] only, see pf_driver.h */
};

enum config_fault_action { FAULT_LOG, FAULT_DISABLE_DEVICE, FAULT_STOP_GUEST };

struct config_device {
    struct config_place place;
    uint32_t nic; /* index into nics */
    bool whole;   /* the function itself rather than a VF */
    uint32_t vf;
};

/* How a guest is expected to end; decides the run's verdict. */
enum config_expect { EXPECT_EXIT, EXPECT_REFUSED, EXPECT_STOPPED };

struct config_guest {
    char name[CONFIG_NAME_SIZE];
    struct config_place place;
    char image[64];
    struct config_place image_place;
    char initrd[64]; /* "": none; Linux kernels only */
    struct config_place initrd_place;
    uint64_t memory; /* bytes, a multiple of 2 MiB */
    uint32_t cpus;
    uint32_t device_count;
    struct config_device devices[CONFIG_MAX_DEVICES];
    uint32_t accepted_count;
    uint32_t accept_reserved[CONFIG_MAX_DEVICES]; /* segment << 16 | RID; given although firmware
                                                     keeps memory for them (RMRR) */
    uint32_t flash_count;
    uint32_t accept_flash[CONFIG_MAX_DEVICES]; /* index into nics; given whole although the guest
                                                  can then write what the device keeps */
    char args[CONFIG_ARGS_SIZE];               /* command line of the guest; @memory(NAME) and
                                                  @memory(hypervisor) are replaced by a host-physical address */
    enum config_fault_action fault_action;     /* default FAULT_DISABLE_DEVICE */
    uint32_t fault_threshold;                  /* faults before it is taken; default 8 */
    uint32_t time_limit;                       /* seconds; 0: none */
    enum config_expect expect;                 /* `expect = exit 0`, `refused`, `stopped` */
    uint32_t expect_status;
    uint32_t expect_faults; /* at least so many; `expect_faults = 3` */
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
