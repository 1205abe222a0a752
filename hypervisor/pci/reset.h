/* SPDX-License-Identifier: MIT */
/*
 * Resetting a function: FLR, else AF, PM, secondary bus reset, its own. Configuration (BARs,
 * command) is restored with bus mastering off.
 */
#pragma once

#include "hypervisor/base/clock.h"
#include "hypervisor/pci/rid.h"

/* In the order in which they are tried. */
enum pci_reset_method {
    PCI_RESET_NONE,
    PCI_RESET_FLR, /* function level reset through the PCIe capability (PCIe 6.6.2) */
    PCI_RESET_AF, /* the same through Advanced Features, of conventional functions (PCI ECN 2006) */
    PCI_RESET_PM, /* D3hot and back to D0 without No_Soft_Reset (PCIe 5.3.1.4) */
    PCI_RESET_BUS,  /* hot reset of all behind the bridge above (PCIe 6.6.1, 7.5.1.3.13) */
    PCI_RESET_XHCI, /* reset_xhci.h */
    PCI_RESET_METHODS,
};

/* A reset under way: what is being waited for, and until when at most. */
enum pci_reset_step {
    PCI_RESET_VFS,    /* of a PF: until no guest has a VF of it, 20 s */
    PCI_RESET_DRAIN,  /* pending requests, 1 s */
    PCI_RESET_HELD,   /* D3hot, 10 ms; the bus in reset, 2 ms; an xHCI that halts, 20 ms */
    PCI_RESET_SETTLE, /* 10 ms to 1 s by method */
    PCI_RESET_LINK,   /* of a bus reset: the link, 1 s */
    PCI_RESET_JOINED, /* the bus reset that another function began */
    PCI_RESET_ANSWER, /* the function, 1 s */
    PCI_RESET_ENABLE, /* of a PF: its VFs, which are there again 100 ms later */
    PCI_RESET_QUIET,  /* what is pending even after it, 1 s */
};

struct pci_reset {
    enum pci_reset_method method;
    enum pci_reset_step step;
    bool leads; /* it began the bus reset that it is part of */
    struct deadline ready;
};

struct pci_function;

/* Bus mastering off, and the reset prepared: by the method that pci_function_reset() found, else by
 * the first that is offered. Neither this nor pci_reset_poll() waits for anything. A bus reset
 * takes in what shares the bus; a function that is taken in already joins it. That of a PF with VFs
 * begins when no guest has any of them, and brings them back. STATUS_UNSUPPORTED when there is no
 * way to reset the function alone (the log says why). */
MUST_CHECK enum status pci_reset_start(struct pci_function *function, struct pci_reset *reset);
/* The next step if it is due. STATUS_BUSY: call it again, 8 s in all at most, 29 s for a PF with
 * VFs. STATUS_OK: reset, and its configuration restored. STATUS_TIMEOUT: it does not answer,
 * requests stay pending, or guests keep its VFs; STATUS_DEVICE: it kept its registers through the
 * reset or does not take them back. */
MUST_CHECK enum status pci_reset_poll(struct pci_function *function, struct pci_reset *reset);
/* Both, for boot, when there is nothing else to do meanwhile. Tries one method after the other
 * until one has worked, and remembers it. STATUS_BUSY for a PF with VFs. */
MUST_CHECK enum status pci_function_reset(struct pci_function *function);
