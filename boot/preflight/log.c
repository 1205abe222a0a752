/* SPDX-License-Identifier: MIT */
/* The log of the EFI application is its report. */
#include "hypervisor/base/log.h"

#include "boot/preflight/report.h"

void log_event(const char *event, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report_add(event, format, arguments);
    va_end(arguments);
}
