/* SPDX-License-Identifier: MIT */
/* Lines and sections of the configuration; the keys are in config_keys.c and config_owners.c. */
#include "hypervisor/config/parse.h"

#include "hypervisor/base/string.h"
#include "hypervisor/config/config_parser.h"

#define DEFAULT_MEMORY MIB(32)
#define DEFAULT_FAULTS 8

static void end_guest(struct config_parser *parser)
{
    struct config_guest *guest = config_this_guest(parser);
    if (guest->cpus == 0)
        guest->cpus = MAX(guest->core_count, 1u);
    parser->config->guest_count++;
}

/* The section that ends here goes into the configuration unless it has an error. */
static void end_section(struct config_parser *parser)
{
    enum config_section section = parser->section;
    parser->section = SECTION_NONE;
    if (section == SECTION_NONE)
        return;
    const struct config_section_rules *rules = &config_sections[section];
    for (size_t i = 0; i < rules->key_count; i++) {
        if (rules->keys[i].required && (parser->keys_seen & BIT(i)) == 0) {
            struct message message = {.length = 0};
            message_add(&message, "this section has no key '");
            message_add(&message, rules->keys[i].name);
            message_add(&message, "', which it needs");
            complain_at(parser, parser->section_place, message.text);
        }
    }
    bool nic = section == SECTION_NIC || section == SECTION_DISK;
    if (nic)
        config_check_nic_driver(parser);
    if (parser->failed && section == SECTION_SYSTEM) /* nothing of it counts: what is safe does */
        parser->config->unsafe_interrupts = parser->config->smt_shared =
            parser->config->audit_warns = false;
    if (parser->failed)
        return;
    if (nic)
        parser->config->nic_count++;
    else if (section == SECTION_GUEST)
        end_guest(parser);
}

static bool check_name(struct config_parser *parser, struct word name)
{
    bool good = name.length > 0 && name.length < CONFIG_NAME_SIZE;
    for (size_t i = 0; i < name.length && good; i++) {
        char c = name.start[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    }
    if (!good)
        return complain_word(parser, name, "bad name ",
                             "; a name has 1 to 31 letters, digits, '-' and '_'");
    if (word_is(name, "hypervisor"))
        return complain_word(parser, name, "reserved name ", "");
    return true;
}

static bool begin_nic(struct config_parser *parser, enum config_section section, struct word name)
{
    struct config *config = parser->config;
    for (uint32_t i = 0; i < config->nic_count; i++) {
        if (word_is(name, config->nics[i].name))
            return complain_word(parser, name, "there is a nic with the name ", " already");
    }
    if (config->nic_count == CONFIG_MAX_NICS)
        return complain_word(parser, name, "one nic too many: ", "; there can be 8");
    struct config_nic *nic = config_this_nic(parser);
    memset(nic, 0, sizeof *nic);
    nic->place = parser->section_place;
    nic->disk = section == SECTION_DISK;
    memcpy(nic->name, name.start, name.length);
    return true;
}

static bool begin_guest(struct config_parser *parser, struct word name)
{
    struct config *config = parser->config;
    for (uint32_t i = 0; i < config->guest_count; i++) {
        if (word_is(name, config->guests[i].name))
            return complain_word(parser, name, "there is a guest with the name ", " already");
    }
    if (config->guest_count == CONFIG_MAX_GUESTS)
        return complain_word(parser, name, "one guest too many: ", "; there can be 64");
    struct config_guest *guest = config_this_guest(parser);
    memset(guest, 0, sizeof *guest);
    guest->place = parser->section_place;
    guest->memory = DEFAULT_MEMORY;
    guest->fault_action = FAULT_DISABLE_DEVICE;
    guest->fault_threshold = DEFAULT_FAULTS;
    memcpy(guest->name, name.start, name.length);
    return true;
}

static bool begin_named(struct config_parser *parser, enum config_section section, struct word name)
{
    if (!check_name(parser, name))
        return false;
    return section == SECTION_GUEST ? begin_guest(parser, name) : begin_nic(parser, section, name);
}

/* The first word behind the '['. */
static struct word header_kind(struct word line)
{
    size_t start = 1, end;
    while (start < line.length && is_blank(line.start[start]))
        start++;
    for (end = start; end < line.length && !is_blank(line.start[end]); end++) {
        if (line.start[end] == ']')
            break;
    }
    return (struct word){line.start + start, end - start};
}

static enum config_section find_section(struct word kind)
{
    for (enum config_section i = SECTION_SYSTEM; i <= SECTION_GUEST; i++) {
        if (word_is(kind, config_sections[i].name))
            return i;
    }
    return SECTION_NONE;
}

/* [system], [nic NAME], [disk NAME], [guest NAME]. After a bad header the keys below it are
 * skipped. */
static void read_header(struct config_parser *parser, struct word line)
{
    struct word kind = header_kind(line);
    enum config_section section = find_section(kind);
    bool closed = line.start[line.length - 1] == ']';
    const char *end = line.start + line.length - closed;
    const char *after = kind.start + kind.length;
    struct word name = word_trim((struct word){after, (size_t)(end - after)});
    parser->section_place = place_of(parser, line.start);
    if (!closed) {
        complain_word(parser, line, "no ']' at the end of ", "");
    } else if (section == SECTION_NONE) {
        complain_word(parser, kind, "unknown section ",
                      "; allowed: [system], [nic NAME], [disk NAME], [guest NAME]");
    } else if (!config_sections[section].named && name.length > 0) {
        complain_word(parser, name, "this section takes no name: ", "");
    } else if (!config_sections[section].named || begin_named(parser, section, name)) {
        parser->section = section;
        parser->failed = false;
        parser->keys_seen = 0;
    }
}

static void read_key(struct config_parser *parser, struct word name, struct word value)
{
    const struct config_section_rules *rules = &config_sections[parser->section];
    for (size_t i = 0; i < rules->key_count; i++) {
        const struct config_key *key = &rules->keys[i];
        if (!word_is(name, key->name))
            continue;
        if ((parser->keys_seen & BIT(i)) != 0 && !key->repeats)
            complain_word(parser, name, "the section has this key already: ", "");
        else if (value.length == 0 && !key->may_be_empty)
            complain_word(parser, name, "no value for ", "");
        else
            key->set(parser, value);
        parser->keys_seen |= (uint32_t)BIT(i);
        return;
    }
    struct message allowed = {.length = 0};
    for (size_t i = 0; i < rules->key_count; i++) {
        message_add(&allowed, i == 0 ? "; allowed: " : ", ");
        message_add(&allowed, rules->keys[i].name);
    }
    complain_word(parser, name, "unknown key ", allowed.text);
}

/* Bytes that no text has, such as those of a UTF-16 file. */
static bool check_bytes(struct config_parser *parser, struct word line)
{
    for (size_t i = 0; i < line.length; i++) {
        unsigned char c = (unsigned char)line.start[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            complain_at(parser, place_of(parser, line.start + i),
                        "control character; the file must be plain text (ASCII or UTF-8)");
            return false;
        }
    }
    return true;
}

/* A comment begins with '#' at the line's start or after a blank. */
static struct word without_comment(struct word line)
{
    for (size_t i = 0; i < line.length; i++) {
        if (line.start[i] == '#' && (i == 0 || is_blank(line.start[i - 1])))
            line.length = i;
    }
    return line;
}

static void read_assignment(struct config_parser *parser, struct word line)
{
    size_t equals = 0;
    while (equals < line.length && line.start[equals] != '=')
        equals++;
    struct word name = word_trim((struct word){line.start, equals});
    if (equals == line.length || name.length == 0) {
        complain_word(parser, line, "expected key = value, not ", "");
        return;
    }
    read_key(parser, name,
             word_trim((struct word){line.start + equals + 1, line.length - equals - 1}));
}

static void read_line(struct config_parser *parser, struct word whole)
{
    struct word line = word_trim(without_comment(whole));
    bool header = line.length > 0 && line.start[0] == '[';
    if (header) {
        end_section(parser);
        parser->in_section = true;
        parser->in_guest = find_section(header_kind(line)) == SECTION_GUEST;
    }
    if (parser->in_guest != parser->guests || !check_bytes(parser, whole) || line.length == 0)
        return;
    if (header)
        read_header(parser, line);
    else if (parser->section != SECTION_NONE)
        read_assignment(parser, line);
    else if (!parser->in_section)
        complain_word(parser, line, "this is outside any section: ",
                      "; begin with [system], [nic NAME], [disk NAME] or [guest NAME]");
}

static void read_all(struct config_parser *parser, const char *text, size_t size)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    size_t at = size >= 3 && memcmp(text, byte_order_mark, 3) == 0 ? 3 : 0;
    while (at < size) {
        size_t end = at;
        while (end < size && text[end] != '\n')
            end++;
        parser->line++;
        parser->line_start = text + at;
        size_t length = end - at;
        if (length > 0 && text[end - 1] == '\r')
            length--;
        read_line(parser, (struct word){text + at, length});
        at = end + 1;
    }
    end_section(parser);
}

enum status config_parse(const char *text, size_t size, struct config *config,
                         config_complain *complain, void *context)
{
    memset(config, 0, sizeof *config);
    for (unsigned pass = 0; pass < 2; pass++) {
        struct config_parser parser = {
            .config = config, .complain = complain, .context = context, .guests = pass == 1};
        read_all(&parser, text, size);
        if (parser.guests)
            config_find_owners(&parser);
    }
    return config->errors == 0 ? STATUS_OK : STATUS_INVALID;
}
