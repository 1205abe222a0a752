/* SPDX-License-Identifier: MIT */
/*
 * Reads a configuration the way the hypervisor and the EFI application do, with their parser:
 *   build/config FILE           what is wrong with it, as file:line:column: message
 *   build/config --json FILE    the same, and what it says, as JSON on standard output
 * FILE is - for standard input. Exit status 1 when there is any complaint, 2 when the file cannot
 * be read. tests/tools/check_config.py, `make check-config`, is for people.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/config/parse.h"

#define MAX_BYTES (1u << 20)

static void complain(void *context, struct config_place place, const char *message)
{
    const char *file = context;
    fprintf(stderr, "%s:%u:%u: %s\n", file, place.line, place.column, message);
}

static const char *yes(bool value)
{
    return value ? "true" : "false";
}

static void string(const char *name, const char *text, const char *after)
{
    printf("\"%s\": \"", name);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    printf("\"%s", after);
}

static void place(const char *name, struct config_place at, const char *after)
{
    printf("\"%s\": [%u, %u]%s", name, at.line, at.column, after);
}

static void print_nic(const struct config_nic *nic)
{
    string("name", nic->name, ", ");
    place("at", nic->place, ", ");
    printf("\"disk\": %s, \"vfs\": %u, \"unsafe_controllers\": %s, ", yes(nic->disk), nic->vfs,
           yes(nic->unsafe_controllers));
    static const char *const drivers[] = {
        [DRIVER_OURS] = "ours", [DRIVER_NONE] = "none", [DRIVER_GUEST] = "guest"};
    string("driver", drivers[nic->driver], ", ");
    if (nic->driver == DRIVER_GUEST) {
        string("owner", nic->owner_name, ", ");
        string("owner_lost", nic->owner_lost == OWNER_LOST_RESET ? "reset" : "quarantine", ", ");
    }
    if (nic->by_id)
        printf("\"device\": \"%04x:%04x\"", nic->vendor, nic->device);
    else
        printf("\"device\": \"%04x:%02x:%02x.%x\"", nic->rid >> 16, nic->rid >> 8 & 0xff,
               nic->rid >> 3 & 0x1f, nic->rid & 7);
}

static void print_device(const struct config *config, const struct config_device *device)
{
    string("nic", config->nics[device->nic].name, ", ");
    place("at", device->place, "");
    if (!device->whole)
        printf(", \"vf\": %u", device->vf);
}

static void print_guest(const struct config *config, const struct config_guest *guest)
{
    string("name", guest->name, ", ");
    place("at", guest->place, ", ");
    string("image", guest->image, ", ");
    place("image_at", guest->image_place, ", ");
    string("initrd", guest->initrd, ", ");
    place("initrd_at", guest->initrd_place, ", ");
    string("args", guest->args, ", ");
    printf("\"memory\": %" PRIu64 ", \"cpus\": %u, \"cores\": [", guest->memory, guest->cpus);
    for (uint32_t i = 0; i < guest->core_count; i++)
        printf("%s%u", i > 0 ? ", " : "", guest->cores[i]);
    printf("], \"devices\": [");
    for (uint32_t i = 0; i < guest->device_count; i++) {
        printf("%s{", i == 0 ? "" : ", ");
        print_device(config, &guest->devices[i]);
        printf("}");
    }
    printf("], \"console_input\": %s", yes(guest->console_input));
}

static void print(const struct config *config)
{
    printf("{\"errors\": %u, \"unsafe_interrupts\": %s, \"smt\": \"%s\", \"nics\": [",
           config->errors, yes(config->unsafe_interrupts), config->smt_shared ? "shared" : "apart");
    for (uint32_t i = 0; i < config->nic_count; i++) {
        printf("%s{", i == 0 ? "" : ", ");
        print_nic(&config->nics[i]);
        printf("}");
    }
    printf("], \"guests\": [");
    for (uint32_t i = 0; i < config->guest_count; i++) {
        printf("%s{", i == 0 ? "" : ", ");
        print_guest(config, &config->guests[i]);
        printf("}");
    }
    printf("]}\n");
}

int main(int count, char *arguments[])
{
    static char text[MAX_BYTES];
    static struct config config;
    bool json = count == 3 && strcmp(arguments[1], "--json") == 0;
    if (count != 2 && !json) {
        fprintf(stderr, "usage: %s [--json] FILE\n", arguments[0]);
        return 2;
    }
    char *name = arguments[count - 1];
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    size_t size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    if (file == NULL || ferror(file)) {
        fprintf(stderr, "%s: cannot be read: %s\n", name, strerror(errno));
        return 2;
    }
    if (size == sizeof text) {
        fprintf(stderr, "%s: has 1 MiB or more, which no configuration has\n", name);
        return 2;
    }
    enum status status = config_parse(text, size, &config, complain, name);
    if (json)
        print(&config);
    return status == STATUS_OK ? 0 : 1;
}
