/* SPDX-License-Identifier: MIT */
/* What the control core does once the guests run. */
#include "hypervisor/monitor/control_loop.h"

#include "hypervisor/audit/audit.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/verdict.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/guest_console.h"
#include "hypervisor/monitor/monitor.h"
#include "hypervisor/monitor/nmi.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/interrupts.h"
#include "hypervisor/x86/machine_check.h"
#include "hypervisor/x86/power.h"

/* Guests have set up their devices by then. */
#define SETTLING_MICROSECONDS MILLISECONDS(500)

/* The prompt waits for the guests' start, but not for one with memory without end. */
#define START_MICROSECONDS MILLISECONDS(10000)

/* QEMU's isa-debug-exit: process status = value * 2 + 1. */
#define DEBUG_EXIT_OK     0x10
#define DEBUG_EXIT_FAILED 0x11

/* Interrupts only end the control loop's wait; the loop then looks at everything. */
static void wake(void *context)
{
    (void)context;
}

/* Once the guests that were started at boot have ended: the audit again, then the verdict. */
static void conclude(bool batch, bool config_sound)
{
    bool clean = audit_enforce() && !audit_failed();
    guest_console_drain();
    bool ok = guests_verdict(clean, config_sound);
    if (batch)
        machine_power_off(ok ? DEBUG_EXIT_OK : DEBUG_EXIT_FAILED);
}

static void drop_boot_code(uint64_t image_base)
{
    uint64_t bytes = address_space_drop_boot(image_base);
    iommu_regions_withhold(image_base, bytes);
    log_event("boot.dropped", "bytes=%lu message=\"%s\"", bytes,
              bytes != 0 ? "what runs only at boot is overwritten, unmapped and free memory"
                         : "what runs only at boot could not be given back; it stays unused");
}

void control_loop(uint64_t image_base, bool batch, bool config_sound)
{
    drop_boot_code(image_base);
    (void)!audit_enforce();
    guests_start_all();

    bool prompted = false, concluded = false, audited = false;
    unsigned changes = guests_changes();
    struct deadline settled, started = deadline_in(START_MICROSECONDS);
    interrupt_register(VECTOR_WAKE, wake, NULL);
    interrupt_register(VECTOR_TIMER, wake, NULL);
    for (;;) {
        faults_answer();
        guests_service();
        machine_check_report(false);
        nmi_report();
        log_service();
        monitor_service();
        console_service();
        if (!prompted && (!guests_starting() || deadline_passed(started))) {
            prompted = true;
            audited = guests_all_ended();
            settled = deadline_in(SETTLING_MICROSECONDS);
            monitor_start(!batch);
        }
        /* Once more with the guests' interrupts set up: until then there is little to see. */
        if (prompted && !audited && !guests_all_ended() && deadline_passed(settled)) {
            audited = true;
            (void)!audit_enforce();
        }
        if (!concluded && guests_all_ended()) {
            concluded = true;
            changes = guests_changes();
            conclude(batch, config_sound);
        } else if (changes != guests_changes()) {
            changes = guests_changes();
            (void)!audit_enforce();
        }
        cpu_wait();
    }
}
