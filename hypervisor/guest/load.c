#include "hypervisor/guest/load.h"

#include "hypervisor/x86/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/guest/image.h"
#include "hypervisor/guest/tables.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"

#define MULTIBOOT_LOADED 0x2badb002u /* Multiboot 3.2 */

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

/* What comes with the image. */
struct payload {
    const void *bytes;
    uint64_t size;
    uint64_t address; /* guest-physical */
};

static enum status refuse(const struct guest *guest, enum status status, const char *message)
{
    log_event("guest.refused", "guest=%s image=%s line=%u column=%u message=\"%s\"", guest->name,
              guest->config->image, guest->config->image_place.line,
              guest->config->image_place.column, message);
    return status;
}

/* Below the highest address the kernel allows, as far up as the guest's memory goes. */
static enum status place_initrd(const struct guest *guest, const struct image *image,
                                struct payload *payload)
{
    const struct config_guest *config = guest->config;
    *payload = (struct payload){0};
    if (config->initrd[0] == '\0')
        return STATUS_OK;
    enum status status = STATUS_OK;
    const char *problem = NULL;
    payload->bytes = find(config->initrd, &payload->size);
    uint64_t end = MIN(guest->memory_size, image->initrd_limit);
    /* Above the tables, too: a Multiboot kernel may end below them. */
    uint64_t kernel_end = GUEST_TABLES_END;
    for (uint32_t i = 0; i < image->segment_count; i++)
        kernel_end = MAX(kernel_end, image->segments[i].address + image->segments[i].memory_size);
    if (image->initrd_limit == 0) {
        status = STATUS_UNSUPPORTED;
        problem = "only a Linux kernel takes an initial RAM disk, and a Multiboot kernel a module; "
                  "remove the initrd key";
    } else if (payload->bytes == NULL) {
        status = STATUS_NOT_FOUND;
        problem = "the loader found no such initrd; put it beside the configuration or mend the "
                  "name";
    } else if (payload->size > end || ALIGN_DOWN(end - payload->size, PAGE_SIZE) < kernel_end) {
        status = STATUS_NO_MEMORY;
        problem = "the initrd does not fit behind the kernel; give the guest more memory";
    }
    if (status == STATUS_OK) {
        payload->address = ALIGN_DOWN(end - payload->size, PAGE_SIZE);
        return STATUS_OK;
    }
    log_event("guest.refused",
              "guest=%s initrd=%s line=%u column=%u size=%llu memory=%s message=\"%s\"",
              guest->name, config->initrd, config->initrd_place.line, config->initrd_place.column,
              (unsigned long long)payload->size, size_text(guest->memory_size).text, problem);
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

enum status load_check(const struct guest *guest, enum image_kind *kind)
{
    struct image image = {.kind = IMAGE_PVH};
    struct payload initrd;
    const uint8_t *bytes;
    enum status status = parse(guest, &image, &bytes);
    if (status == STATUS_OK)
        status = place_initrd(guest, &image, &initrd);
    *kind = image.kind;
    return status;
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
    /* A request that does not snoop would read what was there before. */
    if (iommu_enabled() && !iommu_snoops())
        cache_flush_range(memory, guest->memory_size);
    window_close();
    guest->memory_clean = true;
    return STATUS_OK;
}

/* By custom the first word is the file's name. */
static bool multiboot_command_line(const struct config_guest *config, char *line, size_t size)
{
    size_t used = format_text(line, size, "%s ", config->image);
    return used < size && expand(config->args, line + used, size - used);
}

/* What Linux cannot measure in a machine without PIT, HPET and PM timer, and CPUID does not always
 * tell. A later word of the user's own wins. */
static bool linux_command_line(const char *arguments, char *line, size_t size)
{
    size_t used = format_text(line, size, "tsc_early_khz=%llu x2apic_phys ",
                              (unsigned long long)clock_tsc_khz());
    return used < size && expand(arguments, line + used, size - used);
}

static bool command_line(const struct config_guest *config, enum image_kind kind, char *line,
                         size_t size)
{
    switch (kind) {
    case IMAGE_LINUX:
        return linux_command_line(config->args, line, size);
    case IMAGE_MULTIBOOT:
        return multiboot_command_line(config, line, size);
    case IMAGE_PVH:
        break;
    }
    return expand(config->args, line, size);
}

static void copy_image(const struct image *image, const uint8_t *bytes, uint8_t *memory)
{
    for (uint32_t i = 0; i < image->segment_count; i++)
        memcpy(memory + image->segments[i].address, bytes + image->segments[i].file_offset,
               image->segments[i].file_size);
}

static void set_start(struct guest *guest, const struct image *image,
                      const struct guest_tables_output *tables, struct vcpu_state *start)
{
    uint64_t *registers = guest->vcpus[0]->registers;
    if (image->kind == IMAGE_LINUX) {
        vcpu_state_linux(start, image->entry, tables->page_tables, tables->gdt, tables->gdt_limit);
        registers[GUEST_RSI] = tables->start_info;
    } else {
        /* Multiboot 3.2 leaves the processor as PVH does. */
        vcpu_state_pvh(start, image->entry);
        registers[GUEST_RBX] = tables->start_info;
        registers[GUEST_RAX] = image->kind == IMAGE_MULTIBOOT ? MULTIBOOT_LOADED : 0;
    }
}

static enum status fill(struct guest *guest, uint8_t *memory, struct vcpu_state *start)
{
    struct image image;
    struct payload initrd;
    const uint8_t *bytes;
    char line[1024];
    uint32_t apic_ids[GUEST_MAX_CPUS];
    struct guest_tables_output tables;

    enum status status = parse(guest, &image, &bytes);
    if (status == STATUS_OK)
        status = place_initrd(guest, &image, &initrd);
    if (status != STATUS_OK)
        return status;
    copy_image(&image, bytes, memory);
    if (initrd.size != 0)
        memcpy(memory + initrd.address, initrd.bytes, initrd.size);
    if (!command_line(guest->config, image.kind, line, sizeof line))
        return refuse(guest, STATUS_FULL, "the expanded arguments are longer than 1023 bytes");
    for (unsigned cpu = 0; cpu < guest->cpu_count; cpu++)
        apic_ids[cpu] = guest->vcpus[cpu]->apic_id;
    const struct guest_linux_boot linux_boot = {
        .setup = bytes + IMAGE_SETUP_HEADER,
        .setup_size = image.setup_size,
        .initrd_base = initrd.address,
        .initrd_size = initrd.size,
    };
    const struct guest_multiboot multiboot = {
        .module_base = initrd.address,
        .module_size = initrd.size,
        .module_name = guest->config->initrd,
    };
    const struct guest_tables_input input = {
        .memory_size = guest->memory_size,
        .command_line = line,
        .cpu_count = guest->cpu_count,
        .apic_ids = apic_ids,
        .ecam_base = GUEST_ECAM_BASE,
        .ports = guest->serial != NULL,
        .linux_boot = image.kind == IMAGE_LINUX ? &linux_boot : NULL,
        .multiboot = image.kind == IMAGE_MULTIBOOT ? &multiboot : NULL,
    };
    status = guest_tables_write(memory + GUEST_TABLES_BASE, GUEST_TABLES_END - GUEST_TABLES_BASE,
                                &input, &tables);
    if (status != STATUS_OK)
        return refuse(guest, status, "its tables do not fit into 128 KiB");
    set_start(guest, &image, &tables, start);
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
