/* SPDX-License-Identifier: MIT */
/*
 * Why the CPU refused a VM entry, from a log with vmx.vmcs lines, and those in which boot tells
 * what the CPU wants (vmx.fixed, vmx.allowed):
 *   build/entry <LOG
 * Prints a line for each VMCS that breaks a rule of SDM 3C 27.2 or 27.3.1: the first rule. Exit
 * status 1 when the log has no VMCS.
 */
#include <stdio.h>
#include <string.h>

#include "tests/tools/vmx_view.h"

#define CORES 64

static struct vmx_view views[CORES];
static unsigned explained, dumps;

static void forget(struct vmx_view *view)
{
    memset(view->value, 0, sizeof view->value);
    memset(view->known, 0, sizeof view->known);
    view->complete = false;
}

static void explain(const struct vmx_view *view, unsigned core)
{
    char text[300];
    dumps++;
    if (!vmx_controls_fault(view, text, sizeof text) &&
        !vmx_host_state_fault(view, text, sizeof text)) {
        struct vmx_guest_view guest = vmx_view_guest(view);
        const char *fault = vmx_guest_state_fault(&guest);
        if (fault == NULL && !vmx_host_state_useless(view, text, sizeof text))
            return;
        if (fault != NULL)
            snprintf(text, sizeof text, "%s (guest state, SDM 3C 27.3.1)", fault);
    }
    printf("core %u: %s\n", core, text);
    explained++;
}

int main(void)
{
    static char line[4096];
    for (size_t i = 0; i < CORES; i++)
        vmx_view_clear(&views[i]);
    while (fgets(line, sizeof line, stdin) != NULL) {
        for (size_t i = 0; i < CORES && strstr(line, "vmx.") != NULL; i++)
            (void)vmx_view_read_cpu(&views[i], line);
        unsigned core = vmx_line_core(line);
        if (core < CORES && vmx_view_read_fields(&views[core], line) && views[core].complete) {
            explain(&views[core], core);
            forget(&views[core]);
        }
    }
    if (dumps != 0 && explained == 0)
        puts("no rule that is checked here is broken: the log may lack boot's vmx.fixed and "
             "vmx.allowed");
    return dumps != 0 ? 0 : 1;
}
