/* SPDX-License-Identifier: MIT */
/* The table of guests: who there is, by index, name and owner. */
#include "hypervisor/assign/guest.h"

#include "hypervisor/base/string.h"

static struct guest guests[CONFIG_MAX_GUESTS];
static unsigned guest_count;

struct guest *guests_add(void)
{
    if (guest_count == CONFIG_MAX_GUESTS)
        return NULL;
    struct guest *guest = &guests[guest_count];
    *guest = (struct guest){.index = guest_count, .owner = OWNER_GUEST(guest_count)};
    guest_count++;
    return guest;
}

struct guest *guest_at(unsigned index)
{
    return index < guest_count ? &guests[index] : NULL;
}

struct guest *guest_find(const char *name)
{
    for (unsigned i = 0; i < guest_count; i++)
        if (text_equal(guests[i].name, name))
            return &guests[i];
    return NULL;
}

struct guest *guest_of_owner(owner_t owner)
{
    return OWNER_IS_GUEST(owner) ? guest_at(OWNER_GUEST_INDEX(owner)) : NULL;
}
