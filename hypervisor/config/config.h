/* SPDX-License-Identifier: MIT */
/* What a configuration says of a guest. */
#pragma once

#include "hypervisor/base/core.h"

#define CONFIG_MAX_DEVICES 8
#define CONFIG_NAME_SIZE   32
#define CONFIG_ARGS_SIZE   256
#define CONFIG_MAX_CORES   64

struct config_place {
    uint32_t line, column; /* from 1 */
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
    uint32_t core_count;              /* 0: any */
    uint16_t cores[CONFIG_MAX_CORES]; /* of each vCPU: its index in the log */
    struct config_place cores_place;
    bool on_node;  /* memory, and unless they are named cores, of this node only */
    uint32_t node; /* proximity domain */
    struct config_place node_place;
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
    bool console_input;                        /* what it types is taken at the prompt */
    enum config_expect expect;                 /* `expect = exit 0`, `refused`, `stopped` */
    uint32_t expect_status;
    uint32_t expect_faults; /* at least so many; `expect_faults = 3` */
};
