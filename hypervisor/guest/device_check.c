/*
 * Checks of a function that hold for every guest: registers that are not its own alone, and memory
 * inside it that outlives the guest.
 */
#include "hypervisor/guest/device.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

/* Intel's functions with a BAR behind which the flash lies that the option ROM is in, for writing,
 * too (82576 datasheet 9.4.11; 82574 9.1.4). */
static const uint16_t flash_devices[] = {
    0x105e, 0x105f, 0x1060, 0x107d, 0x107e, 0x107f, 0x10b9,         /* 82571, 82572 */
    0x108b, 0x108c, 0x109a,                                         /* 82573 */
    0x10d3, 0x10f6, 0x150c,                                         /* 82574, 82583 */
    0x10c9, 0x10e6, 0x10e7, 0x10e8, 0x150a, 0x150d, 0x1518, 0x1526, /* 82576 */
};

/* BAR 1. With 64-bit BARs that is the upper half of BAR 0, and the NVM decides where the flash is:
 * it may be any but BAR 0 and the MSI-X table's. */
static bool may_be_flash(const struct pci_function *function, unsigned number)
{
    struct msix_layout msix;
    if (!function->bar[0].is_64bit)
        return number == 1;
    return number != 0 && !function->bar[number].io &&
           (msix_layout_read(function, &msix) != STATUS_OK || number != msix.table_bar);
}

bool device_bar_is_flash(const struct pci_function *function, unsigned number)
{
    for (size_t i = 0; !function->is_vf && i < ARRAY_SIZE(flash_devices); i++)
        if (function->vendor == 0x8086 && function->device == flash_devices[i])
            return may_be_flash(function, number);
    return false;
}

static bool accepts_flash(const struct guest *guest, const struct pci_function *function)
{
    for (uint32_t i = 0; i < guest->config->flash_count; i++)
        if (nic_function(guest->config->accept_flash[i]) == function)
            return true;
    return false;
}

static enum status refuse(const struct guest *guest, const struct pci_function *function,
                          const char *message)
{
    log_event("device.refused", "guest=%s device=%s status=denied message=\"%s\"", guest->name,
              rid_text(function->rid).text, message);
    return STATUS_DENIED;
}

enum status device_check_registers(const struct guest *guest, const struct pci_function *function)
{
    if (function->misplaced)
        return refuse(guest, function,
                      "its registers lie where others answer, or where no bridge sends its "
                      "accesses (pci.refused above says which and what to do)");
    if (pci_bars_hold(function))
        return STATUS_OK;
    return refuse(guest, function,
                  "a BAR of it is not where it was when the function was found: something moved it "
                  "past the hypervisor, over registers of others perhaps; only a reboot makes it "
                  "usable");
}

enum status device_check_flash(const struct guest *guest, const struct pci_function *function)
{
    if (function->is_vf || accepts_flash(guest, function))
        return STATUS_OK;
    log_event("device.refused",
              "guest=%s device=%s status=denied message=\"a whole function brings its flash and "
              "EEPROM along: what the guest writes there stays, and may run before the hypervisor "
              "at the next boot (option ROM); give a VF instead or, to trust this guest with the "
              "machine, write accept_flash = %s in its section\"",
              guest->name, rid_text(function->rid).text, nic_name(function));
    return STATUS_DENIED;
}
