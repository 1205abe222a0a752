/* SPDX-License-Identifier: MIT */
#include "hypervisor/guest/crash.h"

#include "hypervisor/assign/guest.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/x86/crash_store.h"

#define FAULTS 8

void crash_report(void)
{
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        for (unsigned v = 0; v < guest_at(i)->cpu_count; v++)
            vcpu_log_exits(guest_at(i)->vcpus[v], log_panic);
    const struct fault_record *record;
    for (unsigned i = 0; i < FAULTS && (record = fault_record(i)) != NULL; i++)
        log_panic("crash.fault", "at=%lu rid=%s guest=%s address=%#lx access=%s reason=%#x",
                  record->at_microseconds, rid_text(record->fault.rid).text, record->guest,
                  record->fault.address, record->fault.write ? "write" : "read",
                  record->fault.reason);
    crash_store_write();
}
