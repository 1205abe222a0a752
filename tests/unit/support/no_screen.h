/* SPDX-License-Identifier: MIT */
/* A screen that takes anything: for tests of what else the console has. */
#pragma once

#include "drivers/framebuffer/framebuffer.h"
#include "hypervisor/setup/framebuffer.h"

#define NOTHING(function)                                                                          \
    function                                                                                       \
    {                                                                                              \
    }
NOTHING(void framebuffer_write(const char *text, size_t size))
NOTHING(void framebuffer_turn(void))
NOTHING(void framebuffer_flush(void))
enum status framebuffer_init(const struct boot_info *info, const char **message)
{
    *message = "as the test says";
    return info->framebuffer.width != 0 ? STATUS_OK : STATUS_INVALID;
}
NOTHING(void framebuffer_hide(void))
enum status framebuffer_map(void)
{
    return STATUS_OK;
}
NOTHING(void framebuffer_settle(void))
