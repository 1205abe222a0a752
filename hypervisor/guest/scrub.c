/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/scrub.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/cores.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"

static void overwrite(uint8_t *bytes, uint64_t size)
{
    memset(bytes, 0, size);
    /* A request that does not snoop would read what was there before. */
    if (iommu_enabled() && !iommu_snoops())
        cache_flush_range(bytes, size);
}

enum status scrub_now(struct guest *guest)
{
    uint8_t *memory = window_open(guest->memory_base, guest->memory_size);
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    overwrite(memory, guest->memory_size);
    window_close();
    guest->memory_clean = true;
    return STATUS_OK;
}

void scrub_share(const struct vcpu *vcpu, uint8_t *memory)
{
    struct guest *guest = vcpu->guest;
    uint64_t share = ALIGN_UP(guest->memory_size / guest->cpu_count, PAGE_SIZE);
    uint64_t from = MIN(share * vcpu->index, guest->memory_size);
    uint64_t size = MIN(share, guest->memory_size - from);
    overwrite(memory + from, size);
    __atomic_add_fetch(&guest->scrubbed, size, __ATOMIC_RELEASE);
}

void scrub_begin(struct guest *guest)
{
    guest->scrubbed = 0;
    guest->scrubbing = true;
    guest_cores_begin(guest);
}

bool scrub_over(struct guest *guest)
{
    if (!guest->scrubbing)
        return true;
    if (!guest_cores_back(guest))
        return false;
    guest->scrubbing = false;
    guest->memory_clean = __atomic_load_n(&guest->scrubbed, __ATOMIC_ACQUIRE) == guest->memory_size;
    /* A core that is out of service has left its share, and so has one that could not map it. */
    if (!guest->memory_clean)
        (void)!scrub_now(guest);
    return true;
}
