/* SPDX-License-Identifier: MIT */
/*
 * Why the CPU refused a guest's state, from a log with vmx.vmcs and vmx.fixed lines:
 *   build/entry <LOG
 * Prints a line for each such guest: the first rule of SDM 3C 27.3.1 that it breaks. Exit status 1
 * when the log has none.
 */
#include <stdio.h>
#include <string.h>

#include "tests/tools/vmx_check.h"

int main(void)
{
    static char line[4096];
    struct vmx_guest_view view = {0};
    int status = 1;
    while (fgets(line, sizeof line, stdin) != NULL)
        if (vmx_view_read_line(&view, line) && strstr(line, "vmx.fixed ") != NULL) {
            const char *fault = vmx_guest_state_fault(&view);
            puts(fault != NULL ? fault : "a rule that is not among those checked here");
            view = (struct vmx_guest_view){0};
            status = 0;
        }
    return status;
}
