/* SPDX-License-Identifier: MIT */
/* Called by the entry point with the boot stack; never returns. */
#pragma once

#include "boot/boot_info.h"

NO_RETURN void hypervisor_main(const struct boot_info *loaders);
