/* SPDX-License-Identifier: MIT */
/* The table of guests: who there is, by index, name and owner. */
#include "hypervisor/assign/guest.h"

#include "hypervisor/base/string.h"

struct guest_table guest_table;

struct guest *guest_at(unsigned index)
{
    return index < guest_table.count ? guest_table.guests[index] : NULL;
}

struct guest *guest_find(const char *name)
{
    for (unsigned i = 0; i < guest_table.count; i++)
        if (text_equal(guest_table.guests[i]->name, name))
            return guest_table.guests[i];
    return NULL;
}

struct guest *guest_of_owner(owner_t owner)
{
    return OWNER_IS_GUEST(owner) ? guest_at(OWNER_GUEST_INDEX(owner)) : NULL;
}
