/* Firmware may claim that a unit covers a device which it does not see. Only the device's own DMA
 * can tell: one that must be stopped is tried before any of its VFs is given away. */
#include "hypervisor/iommu/pf_dma.h"

#include "hypervisor/base/string.h"
#include "hypervisor/memory/pages.h"

#define FAULT_TIME MILLISECONDS(200)

static struct {
    rid_t rid;
    uint64_t address;
    bool seen;
    void (*others)(const struct iommu_fault *fault);
} expected;

static void on_fault(const struct iommu_fault *fault)
{
    if (fault->rid == expected.rid && !fault->interrupt && fault->address == expected.address)
        expected.seen = true;
    else if (expected.others != NULL)
        expected.others(fault);
}

static bool stopped(void)
{
    (void)iommu_faults_drain();
    return expected.seen;
}

enum status pf_dma_test(const struct pci_function *pf, const void *content, size_t size,
                        void (*provoke)(void *context, uint64_t address), void *context)
{
    uint8_t *page = pages_allocate(1);
    struct pf_dma *dma = page != NULL && size <= PAGE_SIZE ? pf_dma_open(pf, 1) : NULL;
    if (dma == NULL) {
        if (page != NULL)
            pages_free(page, 1);
        return STATUS_NO_MEMORY;
    }
    memcpy(page, content, size);
    expected.rid = pf->rid;
    expected.address = physical_address(page);
    expected.seen = false;
    expected.others = iommu_fault_handler(on_fault);
    provoke(context, expected.address);
    (void)WAIT_UNTIL(stopped(), FAULT_TIME);
    pf_dma_close(dma);
    bool seen = stopped();
    (void)iommu_fault_handler(expected.others);
    bool changed = memcmp(page, content, size) != 0;
    for (size_t i = size; i < PAGE_SIZE; i++)
        changed = changed || page[i] != 0;
    enum status status = changed ? STATUS_DENIED : seen ? STATUS_OK : STATUS_TIMEOUT;
    /* Without bus mastering the PF begins nothing, but what it began may still arrive. */
    if (status == STATUS_OK)
        pages_free(page, 1);
    return status;
}
