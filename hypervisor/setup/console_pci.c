/* SPDX-License-Identifier: MIT */
/* A serial port of a PCI card as the console, and functions whose registers the console uses. */
#include "drivers/serial/serial.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/console_internal.h"
#include "hypervisor/setup/pci_buses.h"

#define CLASS_SERIAL   0x0700
#define INTERFACE_LAST 0x06 /* 8250 to 16950 */
#define PORTS          0x10000u

static void refuse_function(rid_t rid, const char *message)
{
    log_event("console.refused",
              "device=serial source=configuration rid=%s message=\"%s; the console stays where it "
              "is\"",
              rid_text(rid).text, message);
}

/* The first BAR that the registers fit into. */
static int find_bar(const struct pci_function *function, struct serial_place *place)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &function->bar[i];
        if (bar->base == 0 || bar->size < SERIAL_REGISTERS ||
            (bar->io && bar->base > PORTS - SERIAL_REGISTERS))
            continue;
        *place = (struct serial_place){.memory = !bar->io,
                                       .known = true,
                                       .address = bar->base,
                                       .stride = 1,
                                       .width = 1,
                                       .divisor = SERIAL_DIVISOR_115200};
        return (int)i;
    }
    return -1;
}

static const char *open_function(struct pci_function *function)
{
    struct serial_place place;
    if (function->class_code >> 8 != CLASS_SERIAL || (function->class_code & 0xff) > INTERFACE_LAST)
        return "it is not a serial port of the 16550's kind (class 07/00, interface 00 to 06)";
    if (function->life != PCI_UNKNOWN)
        return "it could not be brought to a known state (see above)";
    if (find_bar(function, &place) < 0)
        return "none of its BARs has an address: firmware has not set it up";
    uintptr_t base = (uintptr_t)place.address;
    if (place.memory) {
        base = map_device(place.address, serial_size(&place));
        if (base == 0)
            return "its registers cannot be mapped";
    }
    uint16_t command = pci_read16(function->rid, PCI_COMMAND);
    uint16_t decode = (uint16_t)(place.memory ? PCI_COMMAND_MEMORY : PCI_COMMAND_IO);
    pci_command_set(function, decode | (uint16_t)PCI_COMMAND_INTX_OFF, 0);
    log_event("console.moving", "rid=%s message=\"the log goes on at this function\"",
              rid_text(function->rid).text);
    if (console_choice.source != NULL)
        serial_flush();
    const char *problem = console_open("configuration", &place, base);
    if (problem != NULL)
        pci_config_write(function->rid, PCI_COMMAND, 2, command);
    return problem;
}

/* A guest with the function would share the console. */
static void keep_function(struct pci_function *function)
{
    const struct serial_place *place = &console_choice.place;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &function->bar[i];
        if (bar->base == 0 || bar->io == place->memory || place->address >= bar->base + bar->size ||
            bar->base >= place->address + serial_size(place) || function->owner != OWNER_NOBODY)
            continue;
        function->owner = OWNER_HYPERVISOR;
        log_event("console.function", "rid=%s bar=%u message=\"no guest gets it\"",
                  rid_text(function->rid).text, i);
    }
}

void console_start_pci(void)
{
    if (console_choice.wanted.kind == CONSOLE_PCI) {
        rid_t rid = pci_rid_now(console_choice.wanted.rid); /* it is an address of firmware's */
        struct pci_function *function = pci_function_find(rid);
        const char *problem =
            function != NULL ? open_function(function) : "there is no such function";
        if (problem != NULL)
            refuse_function(rid, problem);
    }
    struct pci_function *function;
    for (size_t i = 0; console_choice.source != NULL && (function = pci_function_at(i)) != NULL;
         i++)
        keep_function(function);
}
