/* SPDX-License-Identifier: MIT */
/*
 * AMD-Vi (AMD document 48882, section 3.4): Bulkhead does not drive it, but says so, and switches
 * off what firmware has left on: the unit would go on reading tables, and writing its logs, in
 * memory that is given to guests. No DMA passes unchecked by that, because no function masters the
 * bus (boot/pci/silence.c).
 */
#include "hypervisor/setup/amd_iommu.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/pci/rid.h"

#define REGISTERS_SIZE 0x4000u
#define CONTROL        0x0018u
#define CONTROL_ENABLE BIT(0)
/* Event, PPR and GA logs and their interrupts, and the command buffer. */
#define CONTROL_QUEUES                                                                             \
    (BIT(2) | BIT(3) | BIT(4) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(28) | BIT(29))
#define STATUS         0x2020u
#define STATUS_RUNNING (BIT(3) | BIT(4) | BIT(7)) /* event log, command buffer, PPR log */
#define WAIT           MILLISECONDS(500)

static bool switch_off(uintptr_t registers, uint64_t control)
{
    mmio_write64(registers + CONTROL, control & ~CONTROL_QUEUES);
    bool stopped = WAIT_UNTIL((mmio_read64(registers + STATUS) & STATUS_RUNNING) == 0, WAIT);
    mmio_write64(registers + CONTROL, control & ~(CONTROL_QUEUES | CONTROL_ENABLE));
    return WAIT_UNTIL((mmio_read64(registers + CONTROL) & CONTROL_ENABLE) == 0, WAIT) && stopped;
}

static bool is_quiet(const struct ivrs_unit *unit)
{
    uintptr_t registers = map_device(unit->base, REGISTERS_SIZE);
    uint64_t control = registers == 0 ? 0 : mmio_read64(registers + CONTROL);
    bool answers = registers != 0 && control != UINT64_MAX;
    bool on = answers && (control & (CONTROL_ENABLE | CONTROL_QUEUES)) != 0;
    bool quiet = !on || switch_off(registers, control);
    log_event("iommu.amd", "base=%#lx rid=%s state=%s message=\"%s\"", unit->base,
              rid_text((rid_t)unit->segment << 16 | unit->rid).text,
              !answers ? "absent"
              : !on    ? "off"
              : quiet  ? "switched-off"
                       : "on",
              !answers ? "no AMD-Vi unit answers where the IVRS table has one"
              : !on    ? "an AMD-Vi unit, which is not used"
              : quiet  ? "firmware left this AMD-Vi unit on; it is off now, as no device masters "
                         "the bus"
                       : "firmware left this AMD-Vi unit on, and it does not go off: it may write "
                         "to memory that is in use; switch the IOMMU off in the firmware set-up");
    if (registers != 0)
        unmap(registers, REGISTERS_SIZE);
    return quiet;
}

bool amd_iommu_quiet(const struct ivrs *ivrs)
{
    bool quiet = true;
    for (uint32_t i = 0; i < ivrs->unit_count; i++)
        quiet = is_quiet(&ivrs->unit[i]) && quiet;
    return quiet;
}
