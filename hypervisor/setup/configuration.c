/* SPDX-License-Identifier: MIT */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/config/parse.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/setup/setup.h"

static void complain(void *context, struct config_place place, const char *message)
{
    const struct boot_info *boot = context;
    char text[256];
    quote_text(text, sizeof text, message, strlen(message));
    log_event("config.error", "file=%s line=%u column=%u message=\"%s\"", boot->config_name,
              place.line, place.column, text);
}

void configuration_read(const struct boot_info *boot, struct config *config)
{
    const char *text =
        boot->config_size != 0 ? map_firmware(boot->config_base, boot->config_size) : NULL;
    if (text == NULL) {
        log_event("config.error",
                  "file=%s line=0 column=0 message=\"the loader brought no configuration; put it "
                  "beside bulkhead.elf on the boot medium\"",
                  boot->config_name);
        return;
    }
    enum status status = config_parse(text, boot->config_size, config, complain, (void *)boot);
    log_event("config.read", "file=%s nics=%u guests=%u errors=%u status=%s", boot->config_name,
              config->nic_count, config->guest_count, config->errors, status_name(status));
}
