/* What machine_check.c and machine_check_init.c share. */
#pragma once

#include "hypervisor/x86/machine_check.h"

/* The same on all cores of a machine. */
extern struct machine_check_support {
    unsigned banks; /* 0: no machine-check architecture */
    bool recovery;  /* MCG_CAP.MCG_SER_P */
    bool local;     /* LMCE is on */
} machine_check_support;

/* Notes and clears each valid bank; the worst verdict. `global` is MCG_STATUS. */
enum machine_check machine_check_scan(enum machine_check_place place, uint64_t global);
