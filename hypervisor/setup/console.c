/* SPDX-License-Identifier: MIT */
/* The serial port of the console: which one, as long as there is nothing but the loader's tables.
 */
#include "hypervisor/monitor/console.h"

#include "drivers/serial/serial.h"
#include "drivers/serial/serial_registers.h"
#include "hypervisor/acpi/find.h"
#include "hypervisor/acpi/serial_port.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/log_boot.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/console_internal.h"

#define COM1         0x3f8
#define LOW_MEMORY   MIB(1)
#define REPLAY_BYTES KIB(32)

/* No serial port lies there, and a write could reset the machine or stop it: the devices of the
 * main board, and the way to PCI configuration space with the reset register in it. */
#define PORTS_OF_BOARD 0x100
#define PORTS_OF_PCI   0xcf8

/* Interrupt controllers. */
static const struct {
    uint64_t base, end;
} never[] = {{0xfec00000, 0xfed00000}, {0xfee00000, 0xfef00000}};

struct console_choice console_choice;

static char replay_bytes[REPLAY_BYTES];

void console_replay(void (*write)(const char *text, size_t size), bool wants_return)
{
    size_t size = log_tail(replay_bytes, sizeof replay_bytes), start = 0;
    for (size_t i = 0; wants_return && i < size; i++) {
        if (replay_bytes[i] != '\n')
            continue;
        write(replay_bytes + start, i - start);
        write("\r\n", 2);
        start = i + 1;
    }
    write(replay_bytes + start, size - start);
}

static void place_text(const struct serial_place *place, char text[64])
{
    if (place->memory)
        format_text(text, 64, "address=%#lx stride=%u", place->address, place->stride);
    else
        format_text(text, 64, "port=%#lx", place->address);
}

void console_refuse(const char *source, const struct serial_place *place, const char *problem)
{
    char text[64];
    place_text(place, text);
    log_event("console.refused",
              "device=serial source=%s %s message=\"%s; the next one is tried: what firmware names "
              "(SPCR, DBG2), then COM1\"",
              source, text, problem);
}

const char *console_open(const char *source, const struct serial_place *place, uintptr_t base)
{
    static const struct console_device serial = {
        .write = serial_write, .flush = serial_flush, .read = serial_read, .wants_return = true};
    const char *problem = serial_open(place, base);
    char text[64];
    if (problem != NULL)
        return problem;
    place_text(place, text);
    if (console_choice.source == NULL)
        console_register(&serial);
    console_choice.source = source;
    console_choice.place = *place;
    console_replay(serial_write, true);
    log_event("console.serial", "source=%s %s fifo=%u", source, text, serial_port.fifo);
    return NULL;
}

/* --- what can be reached through the loader's identity map --- */

static bool overlaps(const struct boot_memory_range *range, uint64_t base, uint64_t size)
{
    return base < range->base + range->size && range->base < base + size;
}

static const char *refusal(const struct boot_info *boot, const struct serial_place *place)
{
    uint64_t base = place->address, size = serial_size(place);
    if (!place->memory)
        return base < PORTS_OF_BOARD || (base < PORTS_OF_PCI + 8 && PORTS_OF_PCI < base + size)
                   ? "other devices of every PC are there"
                   : NULL;
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (base < never[i].end && never[i].base < base + size)
            return "interrupt controllers are there";
    for (uint32_t i = 0; i < boot->range_count; i++) {
        const struct boot_memory_range *range = &boot->ranges[i];
        bool memory = range->type != BOOT_MEMORY_RESERVED && range->type != BOOT_MEMORY_MMIO;
        if (memory && overlaps(range, base, size))
            return "memory is there";
    }
    return NULL;
}

/* True when the search is over: it is open, or to be tried once it can be mapped. */
static bool try(const struct boot_info *boot, const char *source, const struct serial_place *place)
{
    const char *problem = refusal(boot, place);
    if (problem == NULL && place->memory && place->address + serial_size(place) > GIB(4)) {
        console_choice.later = *place;
        console_choice.later_source = source;
        return false;
    }
    if (problem == NULL)
        problem = console_open(source, place, (uintptr_t)place->address);
    if (problem != NULL)
        console_refuse(source, place, problem);
    return problem == NULL;
}

/* --- firmware's tables --- */

/* Of memory, what the loader's map lists: everything else may be registers. */
static const void *identity(void *context, uint64_t physical, uint64_t size)
{
    const struct boot_info *boot = context;
    uint64_t end = physical + size;
    bool listed = end <= LOW_MEMORY && end > physical;
    for (uint32_t i = 0; i < boot->range_count; i++) {
        const struct boot_memory_range *range = &boot->ranges[i];
        listed = listed || (range->type != BOOT_MEMORY_MMIO && physical >= range->base &&
                            end <= range->base + range->size && end > physical);
    }
    return physical != 0 && listed ? (const void *)(uintptr_t)physical : NULL;
}

static bool try_table(const struct boot_info *boot, const char *signature, const char *source,
                      enum status (*parse)(const void *, uint32_t, struct acpi_serial_port *))
{
    const struct acpi_memory memory = {identity, NULL, (void *)boot};
    struct acpi_serial_port port;
    uint32_t length = 0;
    const void *table = acpi_find(&memory, boot->rsdp, signature, &length);
    if (table == NULL || parse(table, length, &port) != STATUS_OK)
        return false;
    const struct serial_place place = {.memory = port.memory,
                                       .address = port.address,
                                       .stride = port.stride,
                                       .width = port.width,
                                       .divisor = port.divisor};
    return try(boot, source, &place);
}

static void choose_by_itself(const struct boot_info *boot)
{
    static const struct serial_place com1 = {
        .address = COM1, .stride = 1, .width = 1, .divisor = SERIAL_DIVISOR_115200};
    if (try_table(boot, "SPCR", "spcr", spcr_parse) || try_table(boot, "DBG2", "dbg2", dbg2_parse))
        return;
    const char *problem = console_open("com1", &com1, COM1);
    if (problem != NULL)
        log_event("console.refused",
                  "device=serial source=com1 port=%#x message=\"%s: there is no serial port; name "
                  "one in the configuration: [system] console = com2, pci:bb:dd.f, mmio:ADDRESS\"",
                  COM1, problem);
}

/* --- what the user asks for --- */

static void ignore(void *context, struct config_place place, const char *message)
{
    (void)context, (void)place, (void)message;
}

static const char *read_wish(const struct boot_info *boot, struct config *config)
{
    /* The prompt is where the console is: on a signed medium only what was signed says where. */
    if ((boot->flags & BOOT_FLAG_VERIFIED) == 0 &&
        config_console_find(boot->command_line, &console_choice.wanted))
        return "command-line";
    if (boot->config_size == 0)
        return "configuration";
    enum status status = config_parse((const char *)(uintptr_t)boot->config_base, boot->config_size,
                                      config, ignore, NULL);
    (void)status; /* complaints come when the log is seen */
    console_choice.wanted = config->console;
    return "configuration";
}

void console_start(const struct boot_info *boot, struct config *config)
{
    static const struct log_sink sink = {.write = console_write, .flush = console_flush};
    log_sink = sink;
    const char *source = boot_info_sound(boot) ? read_wish(boot, config) : ""; /* greet() says so */
    const struct config_console wanted = console_choice.wanted;
    struct serial_place place = {
        .address = wanted.port, .stride = 1, .width = 1, .divisor = SERIAL_DIVISOR_115200};
    bool done = wanted.kind == CONSOLE_NONE;
    if (done)
        log_event("console.serial", "source=%s message=\"none, as asked for\"", source);
    if (wanted.kind == CONSOLE_MEMORY)
        place = (struct serial_place){.memory = true,
                                      .address = wanted.address,
                                      .stride = wanted.stride,
                                      .width = wanted.stride == 4 ? 4 : 1};
    if (wanted.kind == CONSOLE_PORT || wanted.kind == CONSOLE_MEMORY)
        done = try(boot, source, &place);
    if (!done)
        choose_by_itself(boot);
}
