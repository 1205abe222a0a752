/* SPDX-License-Identifier: MIT */
/*
 * Resetting a function. The gentlest method comes first: FLR (PCIe 6.6.2), the same through
 * Advanced Features, D3hot and back (5.3.1.4), a reset of the whole bus (6.6.1), which is allowed
 * only where it reaches nobody else, and last an xHCI's own.
 */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/reset.h"
#include "hypervisor/pci/reset_xhci.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/saved.h"
#include "hypervisor/pci/sriov.h"

#define PENDING_TIME MILLISECONDS(1000) /* longer than any default completion timeout */
#define ANSWER_TIME  MILLISECONDS(1000)
#define RESET_TIME   MILLISECONDS(100)
#define PM_TIME      MILLISECONDS(10)    /* each way: PCIe 5.9 */
#define HOLD_TIME    MILLISECONDS(2)     /* Trst is 1 ms */
#define BUS_TIME     MILLISECONDS(1000)  /* conventional: Trhfa, 2^25 clocks at 33 MHz */
#define JOINED_TIME  MILLISECONDS(6000)  /* longer than all steps of the other function's */
#define VFS_TIME     MILLISECONDS(20000) /* until guests have ended and their VFs are reset */

static const char *const names[PCI_RESET_METHODS] = {
    [PCI_RESET_NONE] = "none", [PCI_RESET_FLR] = "flr", [PCI_RESET_AF] = "af",
    [PCI_RESET_PM] = "pm",     [PCI_RESET_BUS] = "bus", [PCI_RESET_XHCI] = "xhci",
};

static enum status fail(const struct pci_function *function, enum status status,
                        const char *message)
{
    log_event("pci.reset", "rid=%s status=%s message=\"%s\"", rid_text(function->rid).text,
              status_name(status), message);
    return status;
}

/* The next function after *index that a reset of the bridge's secondary bus reaches. */
static struct pci_function *next_below(const struct pci_function *bridge, size_t *index)
{
    struct pci_function *function;
    while ((function = pci_function_at((*index)++)) != NULL)
        if (RID_SEGMENT(function->rid) == RID_SEGMENT(bridge->rid) &&
            RID_BUS(function->rid) >= bridge->secondary_bus &&
            RID_BUS(function->rid) <= bridge->subordinate_bus)
            return function;
    return NULL;
}

/* Who besides the function's owner a bus reset would reach: a bridge, or somebody's function. */
static const struct pci_function *bystander(const struct pci_function *function)
{
    const struct pci_function *other;
    for (size_t i = 0; (other = next_below(function->bridge, &i)) != NULL;)
        if (other != function &&
            (other->is_bridge || (other->owner != function->owner && other->owner != OWNER_NOBODY)))
            return other;
    return NULL;
}

static bool offers(const struct pci_function *function, enum pci_reset_method method)
{
    const uint8_t af = (uint8_t)(AF_CAPABILITIES_TP | AF_CAPABILITIES_FLR);
    rid_t rid = function->rid;
    switch (method) {
    case PCI_RESET_FLR:
        return function->has_flr;
    case PCI_RESET_AF:
        return function->cap_af != 0 &&
               (pci_read8(rid, function->cap_af + AF_CAPABILITIES) & af) == af;
    case PCI_RESET_PM:
        return !function->is_vf && function->cap_pm != 0 &&
               (pci_read16(rid, function->cap_pm + PM_CONTROL) & PM_CONTROL_NO_SOFT_RESET) == 0;
    case PCI_RESET_BUS:
        return !function->is_vf && function->bridge != NULL &&
               function->bridge->secondary_bus != 0 && bystander(function) == NULL;
    case PCI_RESET_XHCI:
        return function->reset_registers != 0;
    default:
        return false;
    }
}

static enum status refuse(const struct pci_function *function)
{
    const struct pci_function *other =
        function->bridge != NULL && !function->is_vf ? bystander(function) : NULL;
    if (other == NULL)
        return fail(function, STATUS_UNSUPPORTED,
                    "it has neither FLR nor a PM reset, and there is no bridge above whose bus "
                    "could be reset; what one owner left in it would reach the next");
    log_event("pci.reset",
              "rid=%s status=%s other=%s message=\"it has neither FLR nor a PM reset, and a reset "
              "of its bus would also reset the other function, which has another owner; move one "
              "to a slot of its own or give both to one guest\"",
              rid_text(function->rid).text, status_name(STATUS_UNSUPPORTED),
              rid_text(other->rid).text);
    return STATUS_UNSUPPORTED;
}

static bool pending(const struct pci_function *function)
{
    rid_t rid = function->rid;
    if (function->cap_pcie != 0 && (pci_read16(rid, function->cap_pcie + PCIE_DEVICE_STATUS) &
                                    PCIE_DEVICE_STATUS_PENDING) != 0)
        return true;
    return function->cap_af != 0 &&
           (pci_read8(rid, function->cap_af + AF_CAPABILITIES) & AF_CAPABILITIES_TP) != 0 &&
           (pci_read8(rid, function->cap_af + AF_STATUS) & AF_STATUS_PENDING) != 0;
}

/* The identity registers of a VF read all ones in any case; its capabilities do not. */
static bool answers(const struct pci_function *function)
{
    if (pci_read16(function->rid, PCI_COMMAND) == 0xffff)
        return false;
    return function->is_vf ? pci_read8(function->rid, function->cap_pcie) == PCI_CAP_PCIE
                           : pci_read16(function->rid, PCI_VENDOR_ID) == function->vendor;
}

/* What is saved already stays: a second attempt finds registers that the first one cleared. */
static void quiesce(struct pci_function *function)
{
    if (!function->in_reset)
        pci_registers_save(function);
    function->in_reset = true;
    pci_command_set(function, (uint16_t)PCI_COMMAND_INTX_OFF, (uint16_t)PCI_COMMAND_BUS_MASTER);
    function->saved.witness =
        pci_read16(function->rid, PCI_COMMAND) & (uint16_t)PCI_RESET_WITNESSES;
}

/* From the end of a bus reset to the first access. Above 5 GT/s the 100 ms begin when the link is
 * up, which has its own 100 ms here. */
static uint64_t bus_time(const struct pci_function *bridge)
{
    if (!pci_is_downstream_port(bridge))
        return BUS_TIME;
    return PCIE_LINK_CAP_SPEED(pci_read32(bridge->rid, bridge->cap_pcie + PCIE_LINK_CAP)) > 2
               ? 2 * RESET_TIME
               : RESET_TIME;
}

static bool link_is_active(const struct pci_function *bridge)
{
    return pci_is_downstream_port(bridge) &&
           (pci_read32(bridge->rid, bridge->cap_pcie + PCIE_LINK_CAP) & PCIE_LINK_CAP_ACTIVE) !=
               0 &&
           (pci_read16(bridge->rid, bridge->cap_pcie + PCIE_LINK_STATUS) &
            PCIE_LINK_STATUS_ACTIVE) != 0;
}

/* --- the steps of a reset: each poll looks once and never waits --- */

static bool quiet(const struct pci_function *function)
{
    return !pending(function);
}

/* Of the function, and of all that a bus reset takes in with it. */
static bool all(const struct pci_function *function, const struct pci_reset *reset,
                bool (*test)(const struct pci_function *))
{
    const struct pci_function *other;
    for (size_t i = 0; reset->leads && (other = next_below(function->bridge, &i)) != NULL;)
        if (other->in_reset && !test(other))
            return false;
    return test(function);
}

static enum status go_on(struct pci_reset *reset, enum pci_reset_step step, uint64_t time)
{
    reset->step = step;
    reset->ready = deadline_in(time);
    return STATUS_BUSY;
}

static void begin(struct pci_function *function, enum pci_reset_method method,
                  struct pci_reset *reset)
{
    struct pci_function *bridge = function->bridge, *other;
    *reset = (struct pci_reset){.method = method, .leads = method == PCI_RESET_BUS};
    for (size_t i = 0; reset->leads && (other = next_below(bridge, &i)) != NULL;)
        quiesce(other);
    quiesce(function);
    if (method == PCI_RESET_XHCI)
        function->saved.witness = 0; /* configuration space stays as it is */
    if (reset->leads) {
        bridge->in_reset = true;
        bridge->link_was_active = link_is_active(bridge); /* QEMU's ports never say so */
    }
    (void)go_on(reset, PCI_RESET_DRAIN, PENDING_TIME);
}

static enum status issue(const struct pci_function *function, struct pci_reset *reset)
{
    rid_t rid = function->rid;
    switch (reset->method) {
    case PCI_RESET_FLR:
        pci_update16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 0, PCIE_DEVICE_CONTROL_FLR);
        break;
    case PCI_RESET_AF:
        pci_config_write(rid, function->cap_af + AF_CONTROL, 1, (uint32_t)AF_CONTROL_FLR);
        break;
    case PCI_RESET_PM:
        pci_update16(rid, function->cap_pm + PM_CONTROL, PM_CONTROL_STATE, PM_CONTROL_D3HOT);
        return go_on(reset, PCI_RESET_HELD, PM_TIME);
    case PCI_RESET_XHCI:
        xhci_halt(function);
        return go_on(reset, PCI_RESET_HELD, XHCI_HALT_TIME);
    default:
        pci_update16(function->bridge->rid, PCI_BRIDGE_CONTROL, 0, PCI_BRIDGE_CONTROL_RESET);
        return go_on(reset, PCI_RESET_HELD, HOLD_TIME);
    }
    return go_on(reset, PCI_RESET_SETTLE, RESET_TIME);
}

static enum status let_go(const struct pci_function *function, struct pci_reset *reset)
{
    const struct pci_function *bridge = function->bridge;
    if (reset->method == PCI_RESET_PM) {
        pci_update16(function->rid, function->cap_pm + PM_CONTROL, PM_CONTROL_STATE, 0);
        return go_on(reset, PCI_RESET_SETTLE, PM_TIME);
    }
    if (reset->method == PCI_RESET_XHCI) {
        xhci_reset(function);
        return go_on(reset, PCI_RESET_SETTLE, RESET_TIME);
    }
    pci_update16(bridge->rid, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CONTROL_RESET, 0);
    return go_on(reset, PCI_RESET_SETTLE, bus_time(bridge));
}

/* After its reset: a function that shares the bus may have been brought back with another one. */
static enum status recover(const struct pci_function *function)
{
    if (!answers(function))
        return fail(function, STATUS_TIMEOUT, "the function does not answer after its reset");
    if (!function->in_reset)
        return STATUS_OK;
    bool kept = (pci_read16(function->rid, PCI_COMMAND) & function->saved.witness) != 0;
    bool holds = pci_registers_restore(function);
    if (kept)
        return fail(function, STATUS_DEVICE,
                    "its command register came through the reset unchanged: it was none");
    return holds ? STATUS_OK
                 : fail(function, STATUS_DEVICE,
                        "its BARs or command register do not take back what they held");
}

/* The others on the bus get their registers back whatever became of the one that is reset. One that
 * does not take them is no longer clean; one that is in use or in reset fails its own reset. */
static enum status end(struct pci_function *function, const struct pci_reset *reset,
                       enum status status)
{
    struct pci_function *other;
    if (status == STATUS_OK)
        function->in_reset = false;
    for (size_t i = 0; reset->leads && (other = next_below(function->bridge, &i)) != NULL;) {
        if (other == function || !other->in_reset)
            continue;
        if (recover(other) == STATUS_OK)
            other->in_reset = false;
        else if (other->life == PCI_CLEAN)
            (void)!pci_life_set(other, PCI_UNKNOWN);
    }
    if (reset->leads)
        function->bridge->in_reset = false;
    if (status == STATUS_OK)
        log_event("pci.reset", "rid=%s method=%s status=ok", rid_text(function->rid).text,
                  names[reset->method]);
    return status;
}

enum status pci_reset_poll(struct pci_function *function, struct pci_reset *reset)
{
    bool over = deadline_passed(reset->ready), own;
    enum status status;
    switch (reset->step) {
    case PCI_RESET_VFS:
        if (!pci_vfs_connected(function))
            begin(function, reset->method, reset);
        else if (over)
            return end(function, reset,
                       fail(function, STATUS_TIMEOUT, "guests have not given its VFs back"));
        return STATUS_BUSY;
    case PCI_RESET_DRAIN:
        if (!all(function, reset, quiet)) {
            if (!over)
                return STATUS_BUSY;
            log_event("pci.reset",
                      "rid=%s message=\"requests are still pending; it is reset anyway\"",
                      rid_text(function->rid).text);
        }
        return issue(function, reset);
    case PCI_RESET_HELD:
        return over ? let_go(function, reset) : STATUS_BUSY;
    case PCI_RESET_SETTLE:
        return over ? go_on(reset, PCI_RESET_LINK, ANSWER_TIME) : STATUS_BUSY;
    case PCI_RESET_LINK:
        if (reset->leads && function->bridge->link_was_active && !link_is_active(function->bridge))
            return !over ? STATUS_BUSY
                         : end(function, reset,
                               fail(function, STATUS_TIMEOUT,
                                    "its link does not come up after the bus reset"));
        return go_on(reset, PCI_RESET_ANSWER, ANSWER_TIME);
    case PCI_RESET_JOINED:
        if (function->bridge->in_reset && !over)
            return STATUS_BUSY;
        return go_on(reset, PCI_RESET_ANSWER, ANSWER_TIME);
    case PCI_RESET_ANSWER:
        own = reset->method == PCI_RESET_XHCI && !xhci_is_reset(function);
        if (!over && (own || !all(function, reset, answers)))
            return STATUS_BUSY;
        if (own)
            return end(function, reset,
                       fail(function, STATUS_DEVICE, "the controller did not reset itself"));
        status = recover(function);
        if (status != STATUS_OK)
            return end(function, reset, status);
        if (function->num_vfs == 0)
            return go_on(reset, PCI_RESET_QUIET, PENDING_TIME);
        pci_sriov_restore(function);
        return go_on(reset, PCI_RESET_ENABLE, RESET_TIME);
    case PCI_RESET_ENABLE:
        if (!over)
            return STATUS_BUSY;
        pci_vfs_restore(function);
        return pci_sriov_holds(function)
                   ? go_on(reset, PCI_RESET_QUIET, PENDING_TIME)
                   : end(function, reset,
                         fail(function, STATUS_DEVICE, "it does not enable its VFs again"));
    default:
        if (quiet(function))
            return end(function, reset, STATUS_OK);
        return !over ? STATUS_BUSY
                     : end(function, reset,
                           fail(function, STATUS_TIMEOUT,
                                "requests are pending even after the reset"));
    }
}

enum status pci_reset_start(struct pci_function *function, struct pci_reset *reset)
{
    const struct pci_function *bridge = function->bridge;
    if (function->is_bridge)
        return fail(function, STATUS_UNSUPPORTED, "a bridge is not reset");
    if (function->in_reset && bridge != NULL && bridge->in_reset) {
        *reset = (struct pci_reset){.method = PCI_RESET_BUS};
        (void)go_on(reset, PCI_RESET_JOINED, JOINED_TIME);
        return STATUS_OK;
    }
    enum pci_reset_method method = function->reset_method;
    if (method == PCI_RESET_NONE)
        while (++method < PCI_RESET_METHODS && !offers(function, method))
            continue;
    if (!offers(function, method))
        return refuse(function);
    if (function->num_vfs == 0) {
        begin(function, method, reset);
    } else {
        *reset = (struct pci_reset){.method = method};
        (void)go_on(reset, PCI_RESET_VFS, VFS_TIME);
    }
    return STATUS_OK;
}

enum status pci_function_reset(struct pci_function *function)
{
    struct pci_reset reset;
    enum status status = STATUS_OK;
    bool tried = false;
    if (function->is_bridge)
        return fail(function, STATUS_UNSUPPORTED, "a bridge is not reset");
    if (function->num_vfs != 0)
        return fail(function, STATUS_BUSY, "the PF has VFs; disable them first");
    for (enum pci_reset_method method = PCI_RESET_FLR; method < PCI_RESET_METHODS; method++) {
        if (!offers(function, method))
            continue;
        tried = true;
        begin(function, method, &reset);
        while ((status = pci_reset_poll(function, &reset)) == STATUS_BUSY)
            clock_relax();
        if (status == STATUS_OK) {
            function->reset_method = method;
            return STATUS_OK;
        }
    }
    return tried ? status : refuse(function);
}
