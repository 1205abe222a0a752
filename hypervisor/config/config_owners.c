/* SPDX-License-Identifier: MIT */
/* Who drives a PF whose VFs are given away: the keys `driver` and `owner_lost`, and what they ask
 * of guests. */
#include "hypervisor/config/config_parser.h"

#include "hypervisor/base/string.h"

#define GUEST_WORD "guest"

/* NAME of `guest NAME`; its length is 0 for anything else. */
static struct word guest_name(struct word value)
{
    const size_t length = sizeof GUEST_WORD - 1;
    if (value.length <= length || memcmp(value.start, GUEST_WORD, length) != 0 ||
        !is_blank(value.start[length]))
        return (struct word){value.start, 0};
    return word_trim((struct word){value.start + length, value.length - length});
}

static bool owns(const struct config_guest *guest, const struct config_nic *nic)
{
    return nic->driver == DRIVER_GUEST &&
           word_is((struct word){guest->name, strlen(guest->name)}, nic->owner_name);
}

bool config_set_driver(struct config_parser *parser, struct word value)
{
    struct config_nic *nic = config_this_nic(parser);
    struct word name = guest_name(value);
    nic->driver_place = place_of(parser, value.start);
    if (word_is(value, "none")) {
        nic->driver = DRIVER_NONE;
        return true;
    }
    if (name.length == 0)
        return complain_word(parser, value, "bad value ", "; allowed: none, guest NAME");
    nic->driver = DRIVER_GUEST;
    nic->driver_place = place_of(parser, name.start);
    nic->owner = CONFIG_NO_GUEST;
    if (name.length >= sizeof nic->owner_name)
        return complain_word(parser, name, "too long: ", "; a name has at most 31 characters");
    memcpy(nic->owner_name, name.start, name.length);
    nic->owner_name[name.length] = '\0';
    return true;
}

bool config_set_owner_lost(struct config_parser *parser, struct word value)
{
    struct config_nic *nic = config_this_nic(parser);
    nic->owner_lost_place = place_of(parser, value.start);
    if (word_is(value, "reset"))
        nic->owner_lost = OWNER_LOST_RESET;
    else if (word_is(value, "quarantine"))
        nic->owner_lost = OWNER_LOST_QUARANTINE;
    else
        return complain_word(parser, value, "bad value ", "; allowed: quarantine, reset");
    return true;
}

void config_check_nic_driver(struct config_parser *parser)
{
    const struct config_nic *nic = config_this_nic(parser);
    if (parser->failed)
        return;
    if (nic->driver != DRIVER_OURS && nic->vfs == 0)
        complain_at(parser, nic->driver_place,
                    "'driver' is for cards that are split: this section has no VFs; add vfs = "
                    "NUMBER, or leave driver out and give the card whole");
    else if (nic->owner_lost_place.line != 0 && nic->driver != DRIVER_GUEST)
        complain_at(parser, nic->owner_lost_place,
                    "'owner_lost' is for cards that a guest drives; add driver = guest NAME, or "
                    "leave it out");
}

bool config_check_guest_device(struct config_parser *parser, struct word value,
                               const struct config_device *device)
{
    const struct config_nic *nic = &parser->config->nics[device->nic];
    bool owner = owns(config_this_guest(parser), nic);
    if (nic->driver != DRIVER_GUEST || owner == device->whole)
        return true;
    return owner ? complain_word(parser, value, "this guest drives the card and cannot have ",
                                 ": its VFs are for other guests, and go when it ends")
                 : complain_word(parser, value, "another guest drives ",
                                 " (driver = guest NAME in its section); take one of its VFs");
}

static bool has_whole(const struct config_guest *guest, uint32_t nic)
{
    for (uint32_t i = 0; i < guest->device_count; i++)
        if (guest->devices[i].nic == nic && guest->devices[i].whole)
            return true;
    return false;
}

static void complain_owner(struct config_parser *parser, const struct config_nic *nic,
                           const char *before, const char *after)
{
    struct message message = {.length = 0};
    message_add(&message, before);
    message_add(&message, nic->owner_name);
    message_add(&message, after);
    message_add(&message, nic->name);
    message_add(&message, "'");
    complain_at(parser, nic->driver_place, message.text);
}

void config_find_owners(struct config_parser *parser)
{
    struct config *config = parser->config;
    for (uint32_t i = 0; i < config->nic_count; i++) {
        struct config_nic *nic = &config->nics[i];
        uint32_t owner = 0;
        if (nic->driver != DRIVER_GUEST)
            continue;
        while (owner < config->guest_count && !owns(&config->guests[owner], nic))
            owner++;
        if (owner == config->guest_count)
            complain_owner(parser, nic, "no usable guest has the name '",
                           "'; give it a section [guest NAME] without errors, with 'device = ");
        else if (!has_whole(&config->guests[owner], i))
            complain_owner(parser, nic, "the guest '",
                           "' does not have the card that it is to drive; add to its section "
                           "'device = ");
        else
            nic->owner = owner;
    }
}
