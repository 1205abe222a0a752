/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/scrub.h"

#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/cores.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"

/* What is overwritten between two looks at whether it is still wanted. GUEST_LOW_END is a multiple.
 */
#define SLICE MIB(64)

/* Bytes `from` to `to` of its RAM, counted without the hole; `memory` shows all of it. Returns how
 * many were overwritten: boot gives up a guest that it refuses. */
static uint64_t overwrite(const struct guest *guest, uint8_t *memory, uint64_t from, uint64_t to)
{
    uint64_t at = from;
    while (at < to && guest->state != GUEST_REFUSED) {
        uint64_t size = MIN(ALIGN_DOWN(at, SLICE) + SLICE, to) - at;
        uint8_t *bytes = memory + guest_address_of(at);
        memset(bytes, 0, size);
        /* A request that does not snoop would read what was there before. */
        if (iommu_enabled() && !iommu_snoops())
            cache_flush_range(bytes, size);
        at += size;
    }
    return at - from;
}

enum status scrub_now(struct guest *guest)
{
    uint8_t *memory = window_open(guest->pieces, guest->piece_count);
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    guest->memory_clean = overwrite(guest, memory, 0, guest->memory_size) == guest->memory_size;
    window_close();
    return guest->memory_clean ? STATUS_OK : STATUS_DENIED;
}

void scrub_share(const struct vcpu *vcpu, uint8_t *memory)
{
    struct guest *guest = vcpu->guest;
    uint64_t share = ALIGN_UP(guest->memory_size / guest->cpu_count, PAGE_SIZE);
    uint64_t from = MIN(share * vcpu->index, guest->memory_size);
    uint64_t to = MIN(from + share, guest->memory_size);
    __atomic_add_fetch(&guest->scrubbed, overwrite(guest, memory, from, to), __ATOMIC_RELEASE);
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
