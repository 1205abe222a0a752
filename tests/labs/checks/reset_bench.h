/* SPDX-License-Identifier: MIT */
/* A card behind a root port, and beside it whatever a check puts there. Static on purpose. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/reset.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/setup/pci_functions.h"
#include "tests/labs/checks/check.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define PCIE 0xa0
#define PM   0xc8
#define AF   0x90
#define BAR  0xfe000000u

static struct model_function *port, *device;
static struct pci_function *bridge, *function;
static struct pci_reset reset;

static const char *const methods[] = {"none", "flr", "af", "pm", "bus", "xhci"};

__attribute__((unused)) static const char *method_name(enum pci_reset_method method)
{
    return method < ARRAY_SIZE(methods) ? methods[method] : "one that does not exist";
}

/* The card has a BAR, decodes, and is a bus master. Its ids and class read as capabilities would
 * where there are none. */
static struct model_function *card(rid_t rid)
{
    struct model_function *model = model_endpoint(rid, 0x8086, 0x13d3, 0x022000);
    model_bar(model, 0, (struct model_bar){.size = 0x20000, .base = BAR});
    model_put(model, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO | PCI_COMMAND_BUS_MASTER);
    return model;
}

static struct pci_function *add(const struct model_function *model, owner_t owner)
{
    struct pci_function f = {
        .rid = model->rid, .vendor = 0x8086, .device = 0x13d3, .bridge = bridge, .owner = owner};
    pci_capabilities_read(&f);
    return pci_function_add(&f);
}

static void fresh(void)
{
    model_clear();
    pci_functions_clear();
    host_log_clear();
    host_clock_set(0);
    port = model_bridge(RID(0, 0, 1, 0), 1, 2);
    model_pcie(port, 0x40, PCIE_TYPE_ROOT_PORT, false);
    struct pci_function f = {.rid = port->rid,
                             .is_bridge = true,
                             .owner = OWNER_HYPERVISOR,
                             .secondary_bus = 1,
                             .subordinate_bus = 2};
    pci_capabilities_read(&f);
    bridge = pci_function_add(&f);
    device = card(RID(0, 1, 0, 0));
}

static void advanced_features(uint8_t capabilities)
{
    model_capability(device, AF, PCI_CAP_AF);
    model_put(device, AF + 2, 1, 6);
    model_put(device, AF + AF_CAPABILITIES, 1, capabilities);
    device->cap_af = AF;
}

/* Offers one way to be reset, and no gentler one. */
__attribute__((unused)) static void card_with(enum pci_reset_method method)
{
    fresh();
    if (method != PCI_RESET_AF)
        model_pcie(device, PCIE, PCIE_TYPE_ENDPOINT, method == PCI_RESET_FLR);
    if (method == PCI_RESET_AF)
        advanced_features(AF_CAPABILITIES_TP | AF_CAPABILITIES_FLR);
    if (method == PCI_RESET_PM)
        model_pm(device, PM, false);
    function = add(device, OWNER_GUEST(0));
}

__attribute__((unused)) static const char *reason(void)
{
    static char text[300];
    const char *last = strstr(host_log_text(), "message=\"");
    snprintf(text, sizeof text, "%.*s", last != NULL ? (int)strcspn(last + 9, "\"") : 0,
             last != NULL ? last + 9 : "");
    return text[0] != '\0' ? text : "nothing";
}

__attribute__((unused)) static void start(void)
{
    asking("pci_reset_start()");
    host_log_clear();
    enum status status = pci_reset_start(function, &reset);
    expect(status == STATUS_OK, "pci_reset_start() refuses a function that can be reset: %s",
           reason());
}

/* Until it is over, or something is true. The look itself must not wait. */
__attribute__((unused)) static enum status poll_until(bool (*over)(void))
{
    enum status status = STATUS_BUSY;
    for (unsigned looks = 0; status == STATUS_BUSY && (over == NULL || !over()); looks++) {
        expect(looks < 300000, "pci_reset_poll() still says busy after 30 s");
        asking("pci_reset_poll()");
        status = pci_reset_poll(function, &reset);
        host_clock_advance(100);
    }
    return status;
}

__attribute__((unused)) static void expect_lawful(const char *when)
{
    expect(model_violations() == 0, "%s: the device minds: %s", when, model_last_violation());
}

__attribute__((unused)) static const char *const steps[] = {
    "VFS", "DRAIN", "HELD", "SETTLE", "LINK", "JOINED", "ANSWER", "ENABLE", "QUIET"};

__attribute__((unused)) static unsigned command(const struct model_function *model)
{
    return model_get(model, PCI_COMMAND, 2);
}

__attribute__((unused)) static bool was_reset(void)
{
    return device->resets != 0;
}

__attribute__((unused)) static const char *step_name(void)
{
    return (size_t)reset.step < ARRAY_SIZE(steps) ? steps[reset.step] : "none that exists";
}

__attribute__((unused)) static unsigned milliseconds_left(void)
{
    uint64_t now = clock_microseconds();
    return reset.ready.at_microseconds <= now
               ? 0
               : (unsigned)((reset.ready.at_microseconds - now + 500) / 1000);
}
