/* SPDX-License-Identifier: MIT */
#include "boot/efi/efi.h"

#include "boot/efi/menu.h"
#include "boot/efi/network.h"
#include "boot/efi/preflight.h"
#include "boot/efi/seal.h"
#include "boot/efi/verify.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "hypervisor/config/parse.h"

#define DEFAULT_SCENARIO "sriov.conf"

static EFI_GUID loaded_image_guid = LOADED_IMAGE_PROTOCOL;

static void remark(struct boot_info *info, const char *name, const char *problem)
{
    if (info->message[0] == '\0')
        format_text(info->message, sizeof info->message, "efi: \\bulkhead\\%s %s", name, problem);
}

/* Boot managers put anything into the load options, binary data too: only printable UTF-16 counts.
 */
static void read_options(char *text, size_t room)
{
    EFI_LOADED_IMAGE *loaded = NULL;
    text[0] = '\0';
    if (efi_system->BootServices->HandleProtocol(efi_image, &loaded_image_guid, (void **)&loaded) !=
            EFI_SUCCESS ||
        loaded->LoadOptions == NULL)
        return;
    const CHAR16 *options = loaded->LoadOptions;
    size_t length = loaded->LoadOptionsSize / sizeof *options;
    size_t used = 0;
    for (size_t i = 0; i < length && options[i] != 0; i++) {
        if (options[i] < 0x20 || options[i] > 0x7e || used + 1 == room) {
            text[0] = '\0';
            return;
        }
        text[used++] = (char)options[i];
        text[used] = '\0';
    }
}

/* Copies the last word of `text` that ends in .conf; the shell puts the application's name first.
 */
static bool find_scenario(const char *text, char name[BOOT_NAME_SIZE])
{
    bool found = false;
    for (size_t at = 0; text[at] != '\0';) {
        size_t end = at;
        while (text[end] != '\0' && text[end] != ' ')
            end++;
        if (end - at > 5 && end - at < BOOT_NAME_SIZE && memcmp(text + end - 5, ".conf", 5) == 0) {
            memcpy(name, text + at, end - at);
            name[end - at] = '\0';
            found = true;
        }
        at = text[end] == ' ' ? end + 1 : end;
    }
    return found;
}

/* A file such as \bulkhead\default holds the name of a configuration file, with blanks or newlines
 * around it. */
static bool read_default(const char *file, char name[BOOT_NAME_SIZE])
{
    UINT64 base, size;
    const char *problem;
    if (files_read(file, &base, &size, &problem) != EFI_SUCCESS)
        return false;
    const char *text = (const char *)(UINTN)base;
    size_t start = 0, length = 0;
    while (start < size && (unsigned char)text[start] <= ' ')
        start++;
    while (start + length < size && (unsigned char)text[start + length] > ' ')
        length++;
    if (length == 0 || length >= BOOT_NAME_SIZE)
        return false;
    memcpy(name, text + start, length);
    name[length] = '\0';
    return true;
}

/* A machine that was started over the network may have a file of its own. */
static bool find_default(char name[BOOT_NAME_SIZE])
{
    char own[BOOT_NAME_SIZE];
    return (network_default(own, sizeof own) && read_default(own, name)) ||
           read_default("default", name);
}

static void choose_scenario(struct boot_info *info)
{
    char *name = info->config_name;
    bool look = false;
    read_options(info->command_line, sizeof info->command_line);
    /* What was signed as the default is not for whoever starts the application to change. */
    if (verify_is_sealed() && find_default(name))
        return;
    if (find_scenario(info->command_line, name) || (!verify_is_sealed() && find_default(name)) ||
        menu_choose(name, BOOT_NAME_SIZE, &look)) {
        if (look)
            text_copy(info->command_line, sizeof info->command_line, PREFLIGHT_OPTION);
        return;
    }
    text_copy(name, BOOT_NAME_SIZE, DEFAULT_SCENARIO);
}

static void load_module(struct boot_info *info, const char *name)
{
    for (uint32_t i = 0; i < info->module_count; i++) {
        if (text_equal(info->modules[i].name, name))
            return;
    }
    if (info->module_count == BOOT_MAX_MODULES) {
        remark(info, name, "is one image more than fit");
        return;
    }
    struct boot_module *module = &info->modules[info->module_count];
    UINT64 base, size;
    const char *problem;
    EFI_STATUS status = files_read(name, &base, &size, &problem);
    if (status == EFI_SUCCESS) {
        module->base = base;
        module->size = size;
        text_copy(module->name, sizeof module->name, name);
        info->module_count++;
    } else if (status != EFI_NOT_FOUND) {
        remark(info, name, problem);
    }
}

/* The hypervisor parses the same text again and reports what is wrong with it. */
static void ignore_complaint(void *context, struct config_place place, const char *message)
{
    (void)context;
    (void)place;
    (void)message;
}

void load_scenario(struct boot_info *info)
{
    static struct config config;
    choose_scenario(info);
    if (files_exist("batch"))
        info->flags |= BOOT_FLAG_BATCH;

    UINT64 base, size;
    const char *problem;
    if (files_read(info->config_name, &base, &size, &problem) != EFI_SUCCESS) {
        remark(info, info->config_name, problem);
        return;
    }
    info->config_base = base;
    info->config_size = size;
    enum status parsed =
        config_parse((const char *)(UINTN)base, (size_t)size, &config, ignore_complaint, NULL);
    (void)parsed; /* the guests that are sound are in the structure either way */
    for (uint32_t i = 0; i < config.guest_count; i++) {
        load_module(info, config.guests[i].image);
        if (config.guests[i].initrd[0] != '\0')
            load_module(info, config.guests[i].initrd);
    }
}

EFI_STATUS load_hypervisor(struct boot_info *info, struct elf_image *image)
{
    UINT64 file, size;
    const char *problem;
    EFI_STATUS status = files_read(HYPERVISOR_FILE, &file, &size, &problem);
    if (status == EFI_SECURITY_VIOLATION)
        return verify_result();
    if (status != EFI_SUCCESS)
        return refuse(status, "\\bulkhead\\" HYPERVISOR_FILE " %s (status 0x%lx)", problem, status);
    if (elf_check((const void *)(UINTN)file, (size_t)size, image) != STATUS_OK)
        return refuse(EFI_LOAD_ERROR, "\\bulkhead\\" HYPERVISOR_FILE ": %s 0x%lx", image->problem,
                      image->value);
    if (image->base != IMAGE_BASE)
        return refuse(EFI_LOAD_ERROR,
                      "\\bulkhead\\" HYPERVISOR_FILE " is linked at 0x%lx, not at 0x%lx",
                      image->base, IMAGE_BASE);
    info->image_size = image->size;
    info->image_base = memory_allocate_2m((UINTN)(image->size / PAGE_SIZE), BOOT_MEMORY_IMAGE);
    if (info->image_base == 0)
        return refuse(EFI_OUT_OF_RESOURCES, "no %lu KiB of memory for the hypervisor",
                      (image->size / 1024));
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        memcpy((void *)(UINTN)(info->image_base + (segment->virtual - image->base)),
               (const void *)(UINTN)(file + segment->file_offset), (size_t)segment->file_size);
    }
    return EFI_SUCCESS;
}
