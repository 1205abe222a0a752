/* SPDX-License-Identifier: MIT */
/* What goes into a guest's memory at each start: found, checked and written down once. */
#include "hypervisor/setup/load.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/load.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/x86/clock.h"

struct load_modules load_modules;

static const void *find(const char *name, uint64_t *size)
{
    for (unsigned i = 0; i < load_modules.count; i++)
        if (text_equal(load_modules.module[i].name, name)) {
            *size = load_modules.module[i].size;
            return load_modules.module[i].bytes;
        }
    return NULL;
}

/* The files that go into the guest's memory, and where: the initial RAM disk at its end, the image
 * below. */
struct payload {
    const void *image, *initrd;
    uint64_t image_base, image_size, initrd_base, initrd_size;
};

static enum status place(const struct guest *guest, struct payload *payload)
{
    const struct config_guest *config = guest->config;
    *payload = (struct payload){0};
    payload->image = find(config->image, &payload->image_size);
    if (payload->image == NULL)
        return load_refuse_image(
            guest, STATUS_NOT_FOUND,
            "the loader found no such file; put it beside the configuration or mend the name");
    if (config->initrd[0] != '\0') {
        payload->initrd = find(config->initrd, &payload->initrd_size);
        if (payload->initrd == NULL)
            return load_refuse_initrd(
                guest, STATUS_NOT_FOUND, payload->initrd_size,
                "the loader found no such initrd; put it beside the configuration "
                "or mend the name");
    }
    uint64_t memory_size = MIN(guest->memory_size, GUEST_LOW_END);
    uint64_t room = memory_size - ABI_START_END;
    if (payload->initrd_size > room)
        return load_refuse_initrd(
            guest, STATUS_NO_MEMORY, payload->initrd_size,
            "the initrd does not fit behind the kernel; give the guest more memory");
    payload->initrd_base = ALIGN_DOWN(memory_size - payload->initrd_size, PAGE_SIZE);
    if (payload->initrd_base < ABI_START_END ||
        payload->image_size > payload->initrd_base - ABI_START_END)
        return load_refuse_image(
            guest, STATUS_NO_MEMORY,
            "the files do not fit into the guest's memory; give it more memory");
    payload->image_base = ALIGN_DOWN(payload->initrd_base - payload->image_size, PAGE_SIZE);
    return STATUS_OK;
}

enum status load_check(const struct guest *guest)
{
    struct payload payload;
    return place(guest, &payload);
}

/* "@memory(NAME)": where a guest's memory (or the hypervisor's image) lies in host-physical
 * memory. Scenarios that attack need a target; nothing is protected by keeping it secret. */
static bool memory_of(const char *name, size_t length, uint64_t *address)
{
    static const char hypervisor[] = "hypervisor";
    if (length == sizeof hypervisor - 1 && memcmp(name, hypervisor, length) == 0) {
        *address = physical_address(hypervisor);
        return true;
    }
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        if (guest->memory_size != 0 && strlen(guest->name) == length &&
            memcmp(guest->name, name, length) == 0) {
            *address = guest->pieces[0].physical;
            return true;
        }
    }
    return false;
}

static bool expand(const char *text, char *line, size_t size)
{
    static const char key[] = "@memory(";
    size_t used = 0;
    while (*text != '\0') {
        if (text_begins(text, key)) {
            const char *name = text + sizeof key - 1;
            size_t length = 0;
            uint64_t address;
            while (name[length] != '\0' && name[length] != ')')
                length++;
            if (name[length] == ')' && memory_of(name, length, &address)) {
                used += format_text(line + used, size - used, "%#lx", address);
                if (used >= size)
                    return false;
                text = name + length + 1;
                continue;
            }
        }
        if (used + 1 >= size)
            return false;
        line[used++] = *text++;
    }
    line[used] = '\0';
    return true;
}

enum status load_prepare(struct guest *guest)
{
    struct payload payload;
    enum status status = place(guest, &payload);
    if (status != STATUS_OK)
        return status;
    struct abi_start *start = guest->start;
    uint64_t low = MIN(guest->memory_size, GUEST_LOW_END);
    *start = (struct abi_start){
        .memory_size = low,
        .high_size = guest->memory_size - low,
        .bar_base = guest->bar_windows[1].base,
        .bar_end = guest->bar_windows[1].end,
        .image_base = payload.image_base,
        .image_size = payload.image_size,
        .initrd_base = payload.initrd_base,
        .initrd_size = payload.initrd_size,
        .tsc_khz = clock_tsc_khz(),
        .cpu_count = guest->cpu_count,
    };
    for (unsigned cpu = 0; cpu < guest->cpu_count; cpu++)
        start->apic_ids[cpu] = guest->vcpus[cpu]->apic_id;
    (void)text_copy(start->image_name, sizeof start->image_name, guest->config->image);
    (void)text_copy(start->initrd_name, sizeof start->initrd_name, guest->config->initrd);
    guest->image = payload.image;
    guest->initrd = payload.initrd;
    return expand(guest->config->args, start->arguments, sizeof start->arguments)
               ? STATUS_OK
               : load_refuse_image(guest, STATUS_FULL,
                                   "the expanded arguments are longer than 1023 bytes");
}
