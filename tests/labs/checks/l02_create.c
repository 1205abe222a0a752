/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/vmx.c hypervisor/setup/vmx_controls.c
// SOURCES: hypervisor/setup/vmx_errata.c hypervisor/vcpu/vmx/vcpu.c hypervisor/vcpu/vmx/vmcs.c
// SOURCES: hypervisor/vcpu/vmx/state.c hypervisor/vcpu/vmx/exit.c hypervisor/vcpu/vmx/dump.c
// SOURCES: hypervisor/vcpu/vmx/shared.c hypervisor/vcpu/selected.c hypervisor/vcpu/state.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/x86/descriptors.c hypervisor/base/status.c tests/unit/model/vmx_core.c
// SOURCES: tests/unit/model/vmx_core_trap.c tests/tools/vmx_rules.c tests/tools/vmx_view.c
// SOURCES: tests/tools/vmx_check.c tests/tools/vmcs_names.c
/* L2, step 2: a vCPU gets its VMCS. */
#include "tests/labs/checks/vmx_bench.h"

void lab_check(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        in_operation(&kinds[i]);
        vcpu.control_page = NULL;
        asking("create()");
        enum status status = vmx_setup.create(&vcpu);
        expect(status == STATUS_OK, "create() returns %s", status_name(status));
        expect(vcpu.control_page != NULL,
               "create() returns STATUS_OK, and vcpu->control_page is NULL: nobody finds the VMCS");
        load("with the VMCS that create() has made");
        vmx_setup.destroy(&vcpu);
    }
    in_operation(&kinds[0]);
    vcpu.control_page = NULL;
    host_pages_limit(0);
    asking("create() without memory");
    enum status status = vmx_setup.create(&vcpu);
    host_pages_limit(SIZE_MAX);
    expect(status == STATUS_NO_MEMORY, "no page is left: create() returns %s instead of %s",
           status_name(status), status_name(STATUS_NO_MEMORY));
    expect(vcpu.control_page == NULL, "no page is left, and vcpu->control_page is not NULL");
}
