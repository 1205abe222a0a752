/* SPDX-License-Identifier: MIT */
/* What is done to PCI at boot, in this order. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/acpi/mcfg.h"
#include "hypervisor/base/core.h"
#include "hypervisor/config/parse.h"

/* pci_ecam.c: maps configuration space. STATUS_NOT_FOUND when none of it can be used. */
MUST_CHECK enum status ecam_init(const struct mcfg *mcfg);
/* pci_enumerate.c: walks all buses through bridges (bounded by bus ranges, each bus once), reads
 * headers, BARs (sized with decoding off; the original values are restored) and capabilities. Bus
 * mastering is cleared on every function that is neither a bridge nor a display of bus 0 (boot/pci/
 * silence.h), first of all, before anything is sized. The BARs of the chipset's own classes (08,
 * 11) are written to only if the configuration names the function. Logs `pci.function` for each
 * other, `pci.summary`. */
MUST_CHECK enum status pci_enumerate(const struct mcfg *mcfg, const struct config *config);
/* usb.c: logs `usb.handoff` for each USB controller that firmware was asked for. */
void pci_usb_report(const struct boot_info *boot);
/* pci_displays.c, behind iommu_regions_honour(): displays of the chipset that are not confined to
 * firmware's memory lose bus mastering. */
void pci_displays_end(void);
/* usb.c, behind pci_claim_registers(): maps the registers by which xHCIs can reset themselves
 * (pci/reset_xhci.h). */
void pci_usb_prepare_resets(void);
/* pci_wake.c: functions that firmware left asleep (D3hot, D1, D2) come to D0, their BARs as they
 * were: 10 ms each. One that does not stays the hypervisor's, with the reason logged. Bridges sleep
 * on.
 */
void pci_wake(void);
/* pci_acs.c: redirects peer-to-peer requests upstream wherever that can be done. */
void acs_enable_all(void);
/* pci_groups.c: gives each function its group, once there are all functions. STATUS_NO_MEMORY: some
 * have none, which `groups` then shows as alone. */
MUST_CHECK enum status acs_find_groups(void);
/* pci_errors.c, once: no function reports errors, and no port or chipset that is known makes a
 * system error of what comes from below it. Logs `pci.errors`. */
void pci_errors_silence(void);
/* pci_claims.c, once: every function's BARs against all others, the windows of all bridges and the
 * frame table, in which they get an owner. What lies where it must not is PCI_MISPLACED, by name
 * (`pci.refused`), and given to nobody. Expansion ROMs stop decoding. Enumeration and the owners of
 * the platform's own registers come first. */
void pci_claim_registers(void);
