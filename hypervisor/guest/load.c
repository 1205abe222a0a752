#include "hypervisor/guest/load.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/image.h"
#include "hypervisor/guest/tables.h"
#include "hypervisor/memory/address_space.h"

/* Images stay mapped, read-only: a restart loads them again. */
static struct {
    struct boot_module module;
    const void *bytes;
} modules[BOOT_MAX_MODULES];
static unsigned module_count;

void load_set_modules(const struct boot_info *boot)
{
    for (uint32_t i = 0; i < boot->module_count && i < BOOT_MAX_MODULES; i++) {
        const struct boot_module *module = &boot->modules[i];
        modules[module_count].module = *module;
        modules[module_count].bytes =
            module->size != 0 ? map_firmware(module->base, module->size) : NULL;
        module_count++;
    }
}

static const void *find(const char *name, uint64_t *size)
{
    for (unsigned i = 0; i < module_count; i++)
        if (text_equal(modules[i].module.name, name)) {
            *size = modules[i].module.size;
            return modules[i].bytes;
        }
    return NULL;
}

static enum status refuse(const struct guest *guest, enum status status, const char *message)
{
    log_event("guest.refused", "guest=%s image=%s line=%u column=%u message=\"%s\"", guest->name,
              guest->config->image, guest->config->image_place.line,
              guest->config->image_place.column, message);
    return status;
}

static enum status parse(const struct guest *guest, struct image *image, const uint8_t **bytes)
{
    uint64_t size = 0;
    *bytes = find(guest->config->image, &size);
    if (*bytes == NULL)
        return refuse(guest, STATUS_NOT_FOUND,
                      "the loader found no such file; put it beside the configuration or mend the "
                      "name");
    enum status status =
        image_parse(*bytes, size, guest->memory_size, GUEST_TABLES_BASE, GUEST_TABLES_END, image);
    if (status != STATUS_OK)
        log_event("guest.refused",
                  "guest=%s image=%s line=%u column=%u offset=%#llx value=%#llx message=\"%s\"",
                  guest->name, guest->config->image, guest->config->image_place.line,
                  guest->config->image_place.column, (unsigned long long)image->problem_offset,
                  (unsigned long long)image->problem_value,
                  image->problem != NULL ? image->problem : status_name(status));
    return status;
}

enum status load_check(const struct guest *guest)
{
    struct image image;
    const uint8_t *bytes;
    return parse(guest, &image, &bytes);
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
            *address = guest->memory_base;
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
                used += format_text(line + used, size - used, "%#llx", (unsigned long long)address);
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

enum status load_scrub(struct guest *guest)
{
    uint8_t *memory = window_open(guest->memory_base, guest->memory_size);
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    memset(memory, 0, guest->memory_size);
    window_close();
    guest->memory_clean = true;
    return STATUS_OK;
}

static enum status fill(const struct guest *guest, uint8_t *memory, struct vcpu_state *start)
{
    struct image image;
    const uint8_t *bytes;
    char line[1024];
    uint32_t apic_ids[GUEST_MAX_CPUS];
    uint32_t start_info;

    enum status status = parse(guest, &image, &bytes);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < image.segment_count; i++)
        memcpy(memory + image.segments[i].address, bytes + image.segments[i].file_offset,
               image.segments[i].file_size);
    if (!expand(guest->config->args, line, sizeof line))
        return refuse(guest, STATUS_FULL, "the expanded arguments are longer than 1023 bytes");
    for (unsigned cpu = 0; cpu < guest->cpu_count; cpu++)
        apic_ids[cpu] = guest->vcpus[cpu]->apic_id;
    const struct guest_tables_input input = {
        .memory_size = guest->memory_size,
        .command_line = line,
        .cpu_count = guest->cpu_count,
        .apic_ids = apic_ids,
        .ecam_base = GUEST_ECAM_BASE,
    };
    status = guest_tables_write(memory + GUEST_TABLES_BASE, GUEST_TABLES_END - GUEST_TABLES_BASE,
                                &input, &start_info);
    if (status != STATUS_OK)
        return refuse(guest, status, "its tables do not fit into 128 KiB");
    vcpu_state_pvh(start, image.entry);
    guest->vcpus[0]->registers[GUEST_RBX] = start_info;
    return STATUS_OK;
}

enum status load_guest(struct guest *guest, struct vcpu_state *start)
{
    if (!guest->memory_clean && load_scrub(guest) != STATUS_OK)
        return refuse(guest, STATUS_NO_MEMORY, "its memory cannot be mapped for scrubbing");
    uint8_t *memory = window_open(guest->memory_base, guest->memory_size);
    if (memory == NULL)
        return refuse(guest, STATUS_NO_MEMORY, "its memory cannot be mapped for loading");
    guest->memory_clean = false;
    memset(guest->vcpus[0]->registers, 0, sizeof guest->vcpus[0]->registers);
    enum status status = fill(guest, memory, start);
    window_close();
    return status;
}
