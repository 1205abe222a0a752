/* SPDX-License-Identifier: MIT */
/* Memory that a PF shares with its driver, at boot: giving it, and whether the unit confines the
 * PF. */
#pragma once

#include "hypervisor/iommu/pf_dma.h"

/* pf_dma_setup.c. Zeroed pages, mapped for the PF alone; then bus mastering on. The PF
 * must have been reset. Firmware's regions for the PF (RMRR) are mapped as well, in place of the
 * domain of firmware's that it had. NULL, with the reason logged, when there is no memory, no
 * domain or no unit for it. */
MUST_CHECK struct pf_dma *pf_dma_open(struct pci_function *pf, size_t pages);
/* Bus mastering off, context entry gone, pages freed; what firmware keeps for the PF it reaches
 * again. Pages that the unit may still let the device reach stay taken. */
void pf_dma_close(struct pf_dma *dma);

/* pf_dma_test.c: whether the unit really stops the PF. `provoke` makes the PF, which has been reset
 * and masters the bus now, access the page at `address`, which begins with `content` and lies in no
 * domain. STATUS_OK: the unit recorded it and the page is as it was. STATUS_DENIED: the page
 * changed. STATUS_TIMEOUT: neither, within 200 ms, which shows nothing. STATUS_NO_MEMORY.
 * Afterwards bus mastering is off and the domain is gone; the PF must be reset. Unless the result
 * is STATUS_OK the page stays taken: the access may still be under way. `others` is given each
 * fault that is not the PF's. */
MUST_CHECK enum status pf_dma_test(struct pci_function *pf, const void *content, size_t size,
                                   void (*provoke)(void *context, uint64_t address), void *context,
                                   void (*others)(const struct iommu_fault *fault));
