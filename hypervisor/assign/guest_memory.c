/* SPDX-License-Identifier: MIT */
/* Where in the machine's memory a guest's RAM lies. */
#include "hypervisor/assign/guest.h"

bool guest_memory_is(const struct guest *guest, uint64_t address, uint64_t physical, uint64_t size)
{
    for (unsigned i = 0; i < guest->piece_count; i++) {
        const struct memory_piece *piece = &guest->pieces[i];
        uint64_t offset = address - piece->at;
        if (offset < piece->size)
            return physical - piece->physical == offset && size <= piece->size - offset;
    }
    return false;
}
