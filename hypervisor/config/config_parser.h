/* SPDX-License-Identifier: MIT */
/* What the configuration parser's files share. */
#pragma once

#include "hypervisor/config/parse.h"

#define CONFIG_MESSAGE_SIZE 200

/* A part of the text, never terminated. */
struct word {
    const char *start;
    size_t length;
};

enum config_section { SECTION_NONE, SECTION_SYSTEM, SECTION_NIC, SECTION_DISK, SECTION_GUEST };

/*
 * The text is read twice: guests name nics, and these may stand behind them. The first pass takes
 * everything but guests, the second one guests only.
 */
struct config_parser {
    struct config *config;
    config_complain *complain;
    void *context;
    bool guests; /* which pass */
    const char *line_start;
    uint32_t line;
    bool in_section;             /* a header has been seen */
    bool in_guest;               /* and the last one begins with [guest */
    enum config_section section; /* what the keys go into; SECTION_NONE skips them */
    bool failed;                 /* the section being read has an error: it is left out */
    uint32_t keys_seen;          /* bit: index into the section's keys */
    struct config_place section_place;
};

struct config_key {
    const char *name;
    bool (*set)(struct config_parser *parser, struct word value);
    bool repeats, may_be_empty, required;
};

/* Indexed by enum config_section. */
extern const struct config_section_rules {
    const char *name;
    const struct config_key *keys;
    size_t key_count;
    bool named;
} config_sections[5];

struct message {
    char text[CONFIG_MESSAGE_SIZE];
    size_t length;
};
void message_add(struct message *message, const char *text);

/* Every complaint marks the section as failed. complain_word() is: `before` 'word' `after`, at the
 * word's place, and returns false. */
void complain_at(struct config_parser *parser, struct config_place place, const char *message);
bool complain_word(struct config_parser *parser, struct word word, const char *before,
                   const char *after);
struct config_place place_of(const struct config_parser *parser, const char *at);

bool word_is(struct word word, const char *text);
bool is_blank(char c);
struct word word_trim(struct word word);
/* The whole word as a number of the base (10 or 16); false on anything else or past 64 bits. */
bool word_digits(struct word word, unsigned base, uint64_t *value);
/* Decimal, or hexadecimal with 0x. */
bool word_number(struct word word, uint64_t *value);
/* A number with K, M or G behind it, in bytes. */
bool word_size(struct word word, uint64_t *bytes);

/* bb:dd.f or ssss:bb:dd.f, as segment << 16 | RID. */
bool word_function(struct word word, uint32_t *rid);

/* The entry that is being filled: the one behind the last. */
struct config_nic *config_this_nic(struct config_parser *parser);
struct config_guest *config_this_guest(struct config_parser *parser);

/* config_owners.c: the keys of a section for a card ... */
bool config_set_driver(struct config_parser *parser, struct word value);
bool config_set_owner_lost(struct config_parser *parser, struct word value);
/* ... at its end, what they ask of each other; */
void config_check_nic_driver(struct config_parser *parser);
/* whether this guest may have the device at all, by who drives it; complains and returns false; */
bool config_check_guest_device(struct config_parser *parser, struct word value,
                               const struct config_device *device);
/* and when all guests are known: fills in config_nic.owner. */
void config_find_owners(struct config_parser *parser);
