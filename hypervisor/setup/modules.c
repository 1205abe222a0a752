/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/setup.h"

#include "hypervisor/base/string.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/load.h"

_Static_assert(LOAD_MODULES == BOOT_MAX_MODULES, "all that the loader can bring");

void modules_keep(const struct boot_info *boot)
{
    for (uint32_t i = 0; i < boot->module_count && i < LOAD_MODULES; i++) {
        const struct boot_module *from = &boot->modules[i];
        (void)text_copy(load_modules.module[i].name, sizeof load_modules.module[i].name,
                        from->name);
        load_modules.module[i].size = from->size;
        load_modules.module[i].bytes =
            from->size != 0 ? map_firmware(from->base, from->size) : NULL;
        load_modules.count = i + 1;
    }
}
