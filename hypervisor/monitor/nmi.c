/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/nmi.h"

#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/x86/cpu.h"

/* NMI status and control, on every chipset since the PC/AT. */
#define PORT_NMI      0x61
#define NMI_BUS_ERROR 0x80u /* SERR# */
#define NMI_CHANNEL   0x40u /* IOCHK# */
#define NMI_OFF       0x0cu /* both; off and on again takes the next */
#define NMI_KEPT      0x03u /* the speaker's */
#define LOGGED_ALONE  16

static uint32_t reported;

void nmi_report(void)
{
    uint32_t count = cpu_at(0)->nmi_count;
    if (count == reported)
        return;
    reported = count;
    uint8_t status = port_read8(PORT_NMI);
    if ((status & (NMI_BUS_ERROR | NMI_CHANNEL)) != 0) {
        port_write8(PORT_NMI, (status & NMI_KEPT) | NMI_OFF);
        port_write8(PORT_NMI, status & NMI_KEPT);
    }
    if (log_is_due(count, LOGGED_ALONE))
        log_event("nmi.external", "count=%u status=%#x message=\"%s; guests are not told\"", count,
                  status,
                  (status & NMI_BUS_ERROR) != 0 ? "a PCI device or bridge reports an error (SERR#)"
                  : (status & NMI_CHANNEL) != 0
                      ? "an expansion card or the memory reports an error (IOCHK#)"
                      : "an NMI button, a watchdog or a management controller");
}
