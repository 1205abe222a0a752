/* Function level reset (PCIe 6.6.2; Advanced Features ECN for conventional functions). */
#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_space.h"

#define PENDING_TIME MILLISECONDS(1000) /* longer than any default completion timeout */
#define RESET_TIME   MILLISECONDS(100)
#define ANSWER_TIME  MILLISECONDS(1000)

enum method { METHOD_NONE, METHOD_PCIE, METHOD_AF };

static enum method method_of(const struct pci_function *function)
{
    if (function->cap_pcie != 0 &&
        (pci_read32(function->rid, function->cap_pcie + PCIE_DEVICE_CAP) & PCIE_DEVICE_CAP_FLR) !=
            0)
        return METHOD_PCIE;
    uint8_t both = (uint8_t)(AF_CAPABILITIES_TP | AF_CAPABILITIES_FLR);
    if (function->cap_af != 0 &&
        (pci_read8(function->rid, function->cap_af + AF_CAPABILITIES) & both) == both)
        return METHOD_AF;
    return METHOD_NONE;
}

static bool pending(const struct pci_function *function, enum method method)
{
    if (method == METHOD_PCIE)
        return (pci_read16(function->rid, function->cap_pcie + PCIE_DEVICE_STATUS) &
                PCIE_DEVICE_STATUS_PENDING) != 0;
    return (pci_read8(function->rid, function->cap_af + AF_STATUS) & AF_STATUS_PENDING) != 0;
}

/* The identity registers of a VF read all ones in any case; its capability list does not. */
static bool answers(const struct pci_function *function)
{
    if (pci_read16(function->rid, PCI_COMMAND) == 0xffff)
        return false;
    return function->is_vf ? pci_capability_find(function->rid, PCI_CAP_PCIE) == function->cap_pcie
                           : pci_read16(function->rid, PCI_VENDOR_ID) == function->vendor;
}

/* Device Control 2 came with version 2 of the capability. */
static bool has_control2(const struct pci_function *function)
{
    return function->cap_pcie != 0 &&
           function->cap_pcie + PCIE_DEVICE_CONTROL2 + 2 <= PCI_LEGACY_SIZE &&
           (pci_read16(function->rid, function->cap_pcie + PCIE_CAPABILITIES) & 0xf) >= 2;
}

static void save(const struct pci_function *function, struct pci_reset *saved)
{
    rid_t rid = function->rid;
    *saved = (struct pci_reset){
        .rom = pci_read32(rid, PCI_ROM),
        .command = pci_read16(rid, PCI_COMMAND),
        .cache_line = pci_read8(rid, PCI_CACHE_LINE),
        .interrupt_line = pci_read8(rid, PCI_INTERRUPT_LINE),
    };
    for (unsigned i = 0; i < PCI_BARS; i++)
        saved->bar[i] = pci_read32(rid, PCI_BAR0 + 4 * i);
    if (function->cap_pcie == 0)
        return;
    saved->device_control = pci_read16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL);
    saved->link_control = pci_read16(rid, function->cap_pcie + PCIE_LINK_CONTROL);
    if (has_control2(function))
        saved->device_control2 = pci_read16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL2);
}

/* BARs first, decoding after them, bus mastering not at all. */
static void restore(const struct pci_function *function, const struct pci_reset *saved)
{
    rid_t rid = function->rid;
    if (!function->is_vf) {
        for (unsigned i = 0; i < PCI_BARS; i++)
            pci_config_write(rid, PCI_BAR0 + 4 * i, 4, saved->bar[i]);
        pci_config_write(rid, PCI_ROM, 4, saved->rom);
        pci_config_write(rid, PCI_CACHE_LINE, 1, saved->cache_line);
        pci_config_write(rid, PCI_INTERRUPT_LINE, 1, saved->interrupt_line);
    }
    if (function->cap_pcie != 0) {
        pci_config_write(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 2,
                         saved->device_control &
                             (uint32_t) ~(PCIE_DEVICE_CONTROL_FLR | PCIE_DEVICE_CONTROL_PHANTOM));
        pci_config_write(rid, function->cap_pcie + PCIE_LINK_CONTROL, 2, saved->link_control);
        if (has_control2(function))
            pci_config_write(rid, function->cap_pcie + PCIE_DEVICE_CONTROL2, 2,
                             saved->device_control2);
    }
    acs_enable(function);
    pci_config_write(rid, PCI_COMMAND, 2, saved->command & (uint32_t)~PCI_COMMAND_BUS_MASTER);
}

static enum status fail(const struct pci_function *function, enum status status,
                        const char *message)
{
    log_event("pci.reset", "rid=%s status=%s message=\"%s\"", rid_text(function->rid).text,
              status_name(status), message);
    return status;
}

/* Resetting a PF would take its VFs away from under their owners. */
static bool has_vfs(const struct pci_function *pf)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (function->is_vf && function->pf == pf)
            return true;
    return false;
}

enum status pci_reset_start(const struct pci_function *function, struct pci_reset *reset)
{
    enum method method = method_of(function);
    if (function->is_bridge || method == METHOD_NONE)
        return fail(function, STATUS_UNSUPPORTED,
                    "no function level reset; what one owner left in it would reach the next");
    if (has_vfs(function))
        return fail(function, STATUS_BUSY, "the PF has VFs; disable them first");
    save(function, reset);
    pci_bus_master(function, false);
    if (!WAIT_UNTIL(!pending(function, method), PENDING_TIME))
        log_event("pci.reset", "rid=%s message=\"requests are still pending; reset all the same\"",
                  rid_text(function->rid).text);
    if (method == METHOD_PCIE)
        pci_update16(function->rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 0,
                     PCIE_DEVICE_CONTROL_FLR);
    else
        pci_config_write(function->rid, function->cap_af + AF_CONTROL, 1, (uint32_t)AF_CONTROL_FLR);
    reset->ready = deadline_in(RESET_TIME);
    return STATUS_OK;
}

enum status pci_reset_finish(const struct pci_function *function, const struct pci_reset *reset)
{
    while (!deadline_passed(reset->ready))
        clock_relax();
    enum method method = method_of(function);
    if (!WAIT_UNTIL(answers(function), ANSWER_TIME))
        return fail(function, STATUS_TIMEOUT, "the function does not answer after its reset");
    restore(function, reset);
    if (!WAIT_UNTIL(!pending(function, method), PENDING_TIME))
        return fail(function, STATUS_TIMEOUT, "requests are pending even after the reset");
    return STATUS_OK;
}

enum status pci_function_reset(const struct pci_function *function)
{
    struct pci_reset reset;
    enum status status = pci_reset_start(function, &reset);
    return status == STATUS_OK ? pci_reset_finish(function, &reset) : status;
}
