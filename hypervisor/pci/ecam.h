/* SPDX-License-Identifier: MIT */
/* Where configuration space is mapped: 1 MiB a bus, 4 KiB a function (PCIe 7.2.2). */
#pragma once

#include "hypervisor/base/core.h"

#define ECAM_WINDOWS   16 /* MCFG_MAX_SEGMENTS */
#define ECAM_BUS_SHIFT 20

struct ecam_window {
    uintptr_t address; /* of the first bus */
    uint16_t segment;
    uint8_t first, last; /* buses */
};

/* Filled in at boot (setup/pci_ecam.c). */
extern struct ecam_windows {
    struct ecam_window window[ECAM_WINDOWS];
    size_t count;
} ecam;
