/* SPDX-License-Identifier: MIT */
/* Every key of the configuration: how its value is read, and what it may be. Those about who drives
 * a card are in config_owners.c. */
#include "hypervisor/config/config_cores.h"
#include "hypervisor/config/config_parser.h"

#include "hypervisor/base/string.h"

#define MAX_VFS     256
#define MAX_MEMORY  GIB(510) /* GUEST_MAX_MEMORY */
#define MAX_SECONDS 86400

static bool read_hex_field(struct word word, size_t digits, uint64_t limit, uint64_t *value)
{
    return word.length == digits && word_digits(word, 16, value) && *value <= limit;
}

static bool read_count(struct config_parser *parser, struct word word, uint64_t low, uint64_t high,
                       const char *right, uint32_t *target)
{
    uint64_t value;
    if (!word_number(word, &value) || value < low || value > high)
        return complain_word(parser, word, "bad number ", right);
    *target = (uint32_t)value;
    return true;
}

static bool read_text(struct config_parser *parser, struct word word, char *target, size_t size,
                      const char *too_long)
{
    if (word.length >= size)
        return complain_word(parser, word, "too long: ", too_long);
    memcpy(target, word.start, word.length);
    target[word.length] = '\0';
    return true;
}

static bool read_yes(struct config_parser *parser, struct word word, bool *target)
{
    *target = word_is(word, "yes");
    return *target || word_is(word, "no") ||
           complain_word(parser, word, "bad value ", "; allowed: yes, no");
}

/* --- [system] --- */

static bool set_unsafe_interrupts(struct config_parser *parser, struct word value)
{
    return read_yes(parser, value, &parser->config->unsafe_interrupts);
}

static bool set_graphics_unit(struct config_parser *parser, struct word value)
{
    parser->config->leave_graphics = word_is(value, "leave");
    return parser->config->leave_graphics || word_is(value, "translate") ||
           complain_word(parser, value, "bad value ", "; allowed: translate, leave");
}

static bool set_audit(struct config_parser *parser, struct word value)
{
#ifdef BULKHEAD_AUDIT_WARN
    parser->config->audit_warns = word_is(value, "warn");
    return parser->config->audit_warns || word_is(value, "enforce") ||
           complain_word(parser, value, "bad value ", "; allowed: enforce, warn");
#else
    return word_is(value, "enforce") ||
           complain_word(parser, value, "bad value ",
                         "; allowed: enforce. A build made by `make AUDIT=warn` knows `warn`: it "
                         "isolates nobody from what the audit finds");
#endif
}

static bool set_console(struct config_parser *parser, struct word value)
{
    return config_console_read(value.start, value.length, &parser->config->console) ||
           complain_word(parser, value, "bad console ",
                         "; allowed: auto, none, com1 to com4, pci:bb:dd.f, "
                         "mmio:ADDRESS[,STRIDE] with a stride of 1, 2 or 4 bytes");
}

/* --- [nic NAME], and [disk NAME], which has one key more --- */

struct config_nic *config_this_nic(struct config_parser *parser)
{
    return &parser->config->nics[parser->config->nic_count];
}

/* bb:dd.f */
static bool read_address(struct word word, uint32_t *rid)
{
    uint64_t bus, device, function;
    if (word.length != 7 || word.start[2] != ':' || word.start[5] != '.' ||
        !read_hex_field((struct word){word.start, 2}, 2, 0xff, &bus) ||
        !read_hex_field((struct word){word.start + 3, 2}, 2, 0x1f, &device) ||
        !read_hex_field((struct word){word.start + 6, 1}, 1, 7, &function))
        return false;
    *rid = (uint32_t)(bus << 8 | device << 3 | function);
    return true;
}

/* What stands behind "xxxx:"; false without it. */
static bool read_prefix(struct word word, uint64_t *number, struct word *rest)
{
    if (word.length < 5 || word.start[4] != ':' ||
        !read_hex_field((struct word){word.start, 4}, 4, 0xffff, number))
        return false;
    *rest = (struct word){word.start + 5, word.length - 5};
    return true;
}

bool word_function(struct word word, uint32_t *rid)
{
    uint64_t segment = 0;
    struct word address = word;
    (void)read_prefix(word, &segment, &address);
    if (!read_address(address, rid))
        return false;
    *rid |= (uint32_t)segment << 16;
    return true;
}

static bool set_nic_device(struct config_parser *parser, struct word value)
{
    struct config_nic *nic = config_this_nic(parser);
    uint64_t first, second;
    struct word rest;
    if (read_prefix(value, &first, &rest) && read_hex_field(rest, 4, 0xffff, &second)) {
        nic->by_id = true;
        nic->vendor = (uint16_t)first;
        nic->device = (uint16_t)second;
        return true;
    }
    if (!word_function(value, &nic->rid))
        return complain_word(parser, value, "bad device ",
                             "; write vendor:device (8086:10c9) or an address (01:00.0, "
                             "0001:01:00.0), all hexadecimal");
    for (uint32_t i = 0; i < parser->config->nic_count; i++) {
        const struct config_nic *other = &parser->config->nics[i];
        if (!other->by_id && other->rid == nic->rid)
            return complain_word(parser, value, "another nic is at ", " already");
    }
    return true;
}

static bool set_nic_vfs(struct config_parser *parser, struct word value)
{
    return read_count(parser, value, 0, MAX_VFS, "; vfs is 0 (no SR-IOV) to 256",
                      &config_this_nic(parser)->vfs);
}

static bool set_unsafe_controllers(struct config_parser *parser, struct word value)
{
    return read_yes(parser, value, &config_this_nic(parser)->unsafe_controllers);
}

/* --- [guest NAME] --- */

struct config_guest *config_this_guest(struct config_parser *parser)
{
    return &parser->config->guests[parser->config->guest_count];
}

static bool read_file(struct config_parser *parser, struct word value, char *target, size_t size,
                      struct config_place *place)
{
    for (size_t i = 0; i < value.length; i++) {
        char c = value.start[i];
        if (c <= ' ' || c > '~' || c == '/' || c == '\\' || c == ':')
            return complain_word(parser, value, "bad file name ",
                                 "; it is the name of a file in \\bulkhead, without directories");
    }
    *place = place_of(parser, value.start);
    return read_text(parser, value, target, size, "; a file's name has at most 63 characters");
}

static bool set_image(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    return read_file(parser, value, guest->image, sizeof guest->image, &guest->image_place);
}

static bool set_initrd(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    return read_file(parser, value, guest->initrd, sizeof guest->initrd, &guest->initrd_place);
}

static bool set_memory(struct config_parser *parser, struct word value)
{
    uint64_t bytes;
    if (!word_size(value, &bytes) || bytes == 0 || bytes > MAX_MEMORY ||
        !IS_ALIGNED(bytes, PAGE_2M))
        return complain_word(parser, value, "bad memory size ",
                             "; allowed: multiples of 2M up to 510G, written like 32M or 24G");
    config_this_guest(parser)->memory = bytes;
    return true;
}

static bool find_nic(struct config_parser *parser, struct word name, uint32_t *index)
{
    const struct config *config = parser->config;
    for (*index = 0; *index < config->nic_count; (*index)++)
        if (word_is(name, config->nics[*index].name))
            return true;
    return complain_word(parser, name, "no usable nic has the name ",
                         "; give it a section [nic NAME] without errors");
}

/* NIC or NIC.vfN */
static bool set_guest_device(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    struct config_device device = {.place = place_of(parser, value.start), .whole = true};
    struct word name = value;
    for (size_t i = 0; i < value.length; i++) {
        if (value.start[i] != '.')
            continue;
        struct word part = {value.start + i + 1, value.length - i - 1};
        uint64_t vf;
        if (part.length < 3 || memcmp(part.start, "vf", 2) != 0 ||
            !word_digits((struct word){part.start + 2, part.length - 2}, 10, &vf) || vf >= MAX_VFS)
            return complain_word(parser, part, "bad part of a nic ",
                                 "; write the nic's name, or name.vf0 for its first VF");
        name.length = i;
        device.whole = false;
        device.vf = (uint32_t)vf;
        break;
    }
    const struct config *config = parser->config;
    if (!find_nic(parser, name, &device.nic))
        return false;
    if (!device.whole && device.vf >= config->nics[device.nic].vfs)
        return complain_word(parser, value, "no such VF: ",
                             "; VFs count from vf0, and the nic's vfs key says how many there are");
    for (uint32_t i = 0; i < guest->device_count; i++) {
        const struct config_device *other = &guest->devices[i];
        if (other->nic == device.nic && other->whole == device.whole && other->vf == device.vf)
            return complain_word(parser, value, "this guest has the device twice: ", "");
    }
    if (!config_check_guest_device(parser, value, &device))
        return false;
    if (guest->device_count == CONFIG_MAX_DEVICES)
        return complain_word(parser, value, "one device too many: ", "; a guest has at most 8");
    guest->devices[guest->device_count++] = device;
    return true;
}

static bool set_accept_reserved(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    uint32_t rid;
    if (!word_function(value, &rid))
        return complain_word(parser, value, "bad function ",
                             "; write its address (00:1a.0, 0001:00:1a.0), all hexadecimal");
    for (uint32_t i = 0; i < guest->accepted_count; i++) {
        if (guest->accept_reserved[i] == rid)
            return complain_word(parser, value, "this guest accepts the function twice: ", "");
    }
    if (guest->accepted_count == CONFIG_MAX_DEVICES)
        return complain_word(parser, value,
                             "one function too many: ", "; a guest has at most 8 devices");
    guest->accept_reserved[guest->accepted_count++] = rid;
    return true;
}

static bool set_accept_flash(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    uint32_t nic;
    if (!find_nic(parser, value, &nic))
        return false;
    for (uint32_t i = 0; i < guest->flash_count; i++) {
        if (guest->accept_flash[i] == nic)
            return complain_word(parser, value, "this guest accepts the flash twice: ", "");
    }
    if (guest->flash_count == CONFIG_MAX_DEVICES)
        return complain_word(parser, value,
                             "too many accept_flash keys: ", "; a guest has at most 8 devices");
    guest->accept_flash[guest->flash_count++] = nic;
    return true;
}

static bool set_args(struct config_parser *parser, struct word value)
{
    return read_text(parser, value, config_this_guest(parser)->args, CONFIG_ARGS_SIZE,
                     "; args has at most 255 characters");
}

static bool set_fault_action(struct config_parser *parser, struct word value)
{
    static const char *const names[] = {
        [FAULT_LOG] = "log",
        [FAULT_DISABLE_DEVICE] = "disable-device",
        [FAULT_STOP_GUEST] = "stop-guest",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (word_is(value, names[i])) {
            config_this_guest(parser)->fault_action = (enum config_fault_action)i;
            return true;
        }
    }
    return complain_word(parser, value, "bad value ", "; allowed: log, disable-device, stop-guest");
}

static bool set_fault_threshold(struct config_parser *parser, struct word value)
{
    return read_count(parser, value, 1, UINT32_MAX, "; it is the count of faults, 1 or more",
                      &config_this_guest(parser)->fault_threshold);
}

static bool set_console_input(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    if (!read_yes(parser, value, &guest->console_input))
        return false;
    for (uint32_t i = 0; guest->console_input && i < parser->config->guest_count; i++) {
        if (parser->config->guests[i].console_input)
            return complain_word(parser, value, "one guest too many has console_input = ",
                                 ": only one may type at the prompt");
    }
    return true;
}

static bool set_time_limit(struct config_parser *parser, struct word value)
{
    return read_count(parser, value, 0, MAX_SECONDS, "; it is in seconds, 0 (none) to 86400",
                      &config_this_guest(parser)->time_limit);
}

/* exit STATUS, refused, stopped */
static bool set_expect(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    if (word_is(value, "refused")) {
        guest->expect = EXPECT_REFUSED;
    } else if (word_is(value, "stopped")) {
        guest->expect = EXPECT_STOPPED;
    } else if (value.length > 5 && memcmp(value.start, "exit", 4) == 0 &&
               is_blank(value.start[4])) {
        guest->expect = EXPECT_EXIT;
        return read_count(parser, word_trim((struct word){value.start + 4, value.length - 4}), 0,
                          UINT32_MAX, "; an exit status is 0 to 4294967295", &guest->expect_status);
    } else {
        return complain_word(parser, value, "bad value ",
                             "; allowed: exit NUMBER, refused, stopped");
    }
    return true;
}

static bool set_expect_faults(struct config_parser *parser, struct word value)
{
    return read_count(parser, value, 0, UINT32_MAX, "; it is the least count of faults",
                      &config_this_guest(parser)->expect_faults);
}

/* --- sections and keys --- */

static const struct config_key system_keys[] = {
    {.name = "unsafe_interrupts", .set = set_unsafe_interrupts},
    {.name = "graphics_unit", .set = set_graphics_unit},
    {.name = "smt", .set = config_set_smt},
    {.name = "console", .set = set_console},
    {.name = "audit", .set = set_audit},
};

static const struct config_key nic_keys[] = {
    {.name = "device", .set = set_nic_device, .required = true},
    {.name = "vfs", .set = set_nic_vfs},
    {.name = "driver", .set = config_set_driver},
    {.name = "owner_lost", .set = config_set_owner_lost},
};

static const struct config_key disk_keys[] = {
    {.name = "device", .set = set_nic_device, .required = true},
    {.name = "vfs", .set = set_nic_vfs},
    {.name = "driver", .set = config_set_driver},
    {.name = "owner_lost", .set = config_set_owner_lost},
    {.name = "unsafe_controllers", .set = set_unsafe_controllers},
};

static const struct config_key guest_keys[] = {
    {.name = "image", .set = set_image, .required = true},
    {.name = "initrd", .set = set_initrd},
    {.name = "memory", .set = set_memory},
    {.name = "cpus", .set = config_set_cpus},
    {.name = "cores", .set = config_set_cores},
    {.name = "node", .set = config_set_node},
    {.name = "device", .set = set_guest_device, .repeats = true},
    {.name = "accept_reserved", .set = set_accept_reserved, .repeats = true},
    {.name = "accept_flash", .set = set_accept_flash, .repeats = true},
    {.name = "args", .set = set_args, .may_be_empty = true},
    {.name = "fault_action", .set = set_fault_action},
    {.name = "fault_threshold", .set = set_fault_threshold},
    {.name = "console_input", .set = set_console_input},
    {.name = "time_limit", .set = set_time_limit},
    {.name = "expect", .set = set_expect},
    {.name = "expect_faults", .set = set_expect_faults},
};

const struct config_section_rules config_sections[5] = {
    [SECTION_SYSTEM] = {"system", system_keys, ARRAY_SIZE(system_keys), false},
    [SECTION_NIC] = {"nic", nic_keys, ARRAY_SIZE(nic_keys), true},
    [SECTION_DISK] = {"disk", disk_keys, ARRAY_SIZE(disk_keys), true},
    [SECTION_GUEST] = {"guest", guest_keys, ARRAY_SIZE(guest_keys), true},
};
