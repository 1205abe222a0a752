/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/config/config.c hypervisor/config/config_keys.c
// SOURCES: hypervisor/config/config_owners.c hypervisor/config/config_words.c
// SOURCES: hypervisor/config/config_cores.c hypervisor/config/config_console.c
/* Any bytes as a configuration: nothing is read or written outside, and what comes out keeps the
 * promises of config.h. */
#include <string.h>

#include "hypervisor/config/parse.h"
#include "tests/fuzz/fuzz.h"

static void complain(void *context, struct config_place place, const char *message)
{
    unsigned *count = context;
    (*count)++;
    fuzz_check(place.line > 0 && place.column > 0);
    for (const char *c = message; *c != '\0'; c++)
        fuzz_check(*c >= ' ' && *c < 0x7f);
}

static void check_guest(const struct config *config, const struct config_guest *guest)
{
    fuzz_check(memchr(guest->name, '\0', sizeof guest->name) != NULL && guest->name[0] != '\0');
    fuzz_check(memchr(guest->image, '\0', sizeof guest->image) != NULL && guest->image[0] != '\0');
    fuzz_check(memchr(guest->args, '\0', sizeof guest->args) != NULL);
    fuzz_check(strpbrk(guest->image, "/\\:") == NULL);
    fuzz_check(guest->memory != 0 && IS_ALIGNED(guest->memory, PAGE_2M) &&
               guest->memory <= GIB(510));
    fuzz_check(guest->cpus >= 1 && guest->cpus <= 64);
    fuzz_check(guest->core_count == 0 || guest->core_count == guest->cpus);
    for (uint32_t i = 0; i < guest->core_count; i++) {
        fuzz_check(guest->cores[i] != 0);
        for (uint32_t other = 0; other < i; other++)
            fuzz_check(guest->cores[i] != guest->cores[other]);
    }
    fuzz_check(guest->device_count <= CONFIG_MAX_DEVICES);
    for (uint32_t i = 0; i < guest->device_count; i++) {
        const struct config_device *device = &guest->devices[i];
        fuzz_check(device->nic < config->nic_count);
        fuzz_check(device->whole || device->vf < config->nics[device->nic].vfs);
    }
}

/* The owner that a card names exists, and nobody else has the card whole, nor the owner a VF. */
static void check_nic(const struct config *config, uint32_t index)
{
    const struct config_nic *nic = &config->nics[index];
    fuzz_check(nic->driver == DRIVER_OURS || nic->vfs != 0);
    if (nic->driver != DRIVER_GUEST || nic->owner == CONFIG_NO_GUEST)
        return;
    fuzz_check(nic->owner < config->guest_count);
    unsigned whole = 0;
    for (uint32_t i = 0; i < config->guest_count; i++)
        for (uint32_t n = 0; n < config->guests[i].device_count; n++) {
            const struct config_device *device = &config->guests[i].devices[n];
            if (device->nic != index)
                continue;
            fuzz_check(device->whole == (i == nic->owner));
            whole += device->whole;
        }
    fuzz_check(whole == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    unsigned complaints = 0;
    enum status status = config_parse((const char *)data, size, &config, complain, &complaints);
    fuzz_check((status == STATUS_OK) == (config.errors == 0) &&
               (complaints == 0) == (config.errors == 0));
    fuzz_check(config.nic_count <= CONFIG_MAX_NICS && config.guest_count <= CONFIG_MAX_GUESTS);
    for (uint32_t i = 0; i < config.guest_count; i++)
        check_guest(&config, &config.guests[i]);
    for (uint32_t i = 0; i < config.nic_count; i++)
        check_nic(&config, i);
    return 0;
}
