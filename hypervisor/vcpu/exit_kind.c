/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/exit.h"

const char *exit_kind_name(enum exit_kind kind)
{
    static const char *const names[EXIT_KINDS] = {
        [EXIT_NMI] = "nmi",
        [EXIT_CPUID] = "cpuid",
        [EXIT_MSR_READ] = "msr-read",
        [EXIT_MSR_WRITE] = "msr-write",
        [EXIT_IO] = "io",
        [EXIT_MEMORY] = "memory",
        [EXIT_HYPERCALL] = "hypercall",
        [EXIT_EXCEPTION] = "exception",
        [EXIT_TRIPLE_FAULT] = "triple-fault",
        [EXIT_INIT] = "init",
        [EXIT_SIPI] = "sipi",
        [EXIT_HLT] = "hlt",
        [EXIT_XSETBV] = "xsetbv",
        [EXIT_INVD] = "invd",
        [EXIT_CONTROL_REGISTER] = "control-register",
        [EXIT_UNDEFINED] = "undefined",
        [EXIT_TASK_SWITCH] = "task-switch",
        [EXIT_ENTRY_FAILURE] = "entry-failure",
        [EXIT_OTHER] = "other",
    };
    return (size_t)kind < EXIT_KINDS ? names[kind] : "unknown";
}
