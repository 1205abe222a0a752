/* SPDX-License-Identifier: MIT */
#include "guest/start/start.h"

#include "hypervisor/base/string.h"

static bool refuse(struct abi_refusal *refusal, enum abi_refused what, const char *message)
{
    refusal->what = what;
    (void)text_copy(refusal->message, sizeof refusal->message, message);
    return false;
}

static bool parse(const uint8_t *memory, const struct abi_start *start, struct image *image,
                  struct abi_refusal *refusal)
{
    enum status status =
        image_parse(memory + start->image_base, start->image_size, start->memory_size,
                    GUEST_TABLES_BASE, GUEST_TABLES_END, image);
    if (status == STATUS_OK)
        return true;
    refusal->offset = image->problem_offset;
    refusal->value = image->problem_value;
    return refuse(refusal, ABI_REFUSED_IMAGE,
                  image->problem != NULL ? image->problem : "the image is not understood");
}

/* Below the highest address the kernel allows, as far up as the guest's memory goes. */
static bool place_initrd(const struct abi_start *start, const struct image *image,
                         uint64_t *address, struct abi_refusal *refusal)
{
    *address = 0;
    if (start->initrd_name[0] == '\0')
        return true;
    uint64_t end = MIN(start->memory_size, image->initrd_limit), size = start->initrd_size;
    /* Above the tables, too: a Multiboot kernel may end below them. */
    uint64_t kernel_end = GUEST_TABLES_END;
    for (uint32_t i = 0; i < image->segment_count; i++)
        kernel_end = MAX(kernel_end, image->segments[i].address + image->segments[i].memory_size);
    if (image->initrd_limit == 0)
        return refuse(refusal, ABI_REFUSED_INITRD,
                      "only a Linux kernel takes an initial RAM disk, and a Multiboot kernel a "
                      "module; remove the initrd key");
    if (size > end || ALIGN_DOWN(end - size, PAGE_SIZE) < kernel_end)
        return refuse(refusal, ABI_REFUSED_INITRD,
                      "the initrd does not fit behind the kernel; give the guest more memory");
    *address = ALIGN_DOWN(end - size, PAGE_SIZE);
    return true;
}

static bool append(char *line, const char *text)
{
    size_t used = strlen(line);
    return text_copy(line + used, ABI_START_ARGUMENTS - used, text);
}

static bool append_number(char *line, uint64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return append(line, digits + at);
}

static bool command_line(const struct abi_start *start, enum image_kind kind, char *line)
{
    bool fits = true;
    line[0] = '\0';
    switch (kind) {
    case IMAGE_LINUX:
        /* What Linux cannot measure in a machine without PIT, HPET and PM timer, and CPUID does not
         * always tell. A later word of the user's own wins. */
        fits = append(line, "tsc_early_khz=") && append_number(line, start->tsc_khz) &&
               append(line, " x2apic_phys ");
        break;
    case IMAGE_MULTIBOOT: /* by custom the first word is the file's name */
        fits = append(line, start->image_name) && append(line, " ");
        break;
    case IMAGE_PVH:
        break;
    }
    return fits && append(line, start->arguments);
}

static bool write_tables(uint8_t *memory, const struct abi_start *start, const struct image *image,
                         uint64_t initrd, struct guest_tables_output *output,
                         struct abi_refusal *refusal)
{
    char line[ABI_START_ARGUMENTS];
    if (!command_line(start, image->kind, line))
        return refuse(refusal, ABI_REFUSED_OTHER,
                      "the expanded arguments are longer than 1023 bytes");
    const struct guest_linux_boot linux_boot = {
        .setup = memory + start->image_base + IMAGE_SETUP_HEADER,
        .setup_size = image->setup_size,
        .initrd_base = initrd,
        .initrd_size = start->initrd_size,
    };
    const struct guest_multiboot multiboot = {
        .module_base = initrd,
        .module_size = start->initrd_size,
        .module_name = start->initrd_name,
    };
    const struct guest_tables_input input = {
        .memory_size = start->memory_size,
        .high_size = start->high_size,
        .bar_base = start->bar_base,
        .bar_end = start->bar_end,
        .command_line = line,
        .cpu_count = start->cpu_count,
        .apic_ids = start->apic_ids,
        .ecam_base = GUEST_ECAM_BASE,
        .ports = image->kind != IMAGE_PVH,
        .linux_boot = image->kind == IMAGE_LINUX ? &linux_boot : NULL,
        .multiboot = image->kind == IMAGE_MULTIBOOT ? &multiboot : NULL,
    };
    if (guest_tables_write(memory + GUEST_TABLES_BASE, ABI_START_BLOCK - GUEST_TABLES_BASE, &input,
                           output) != STATUS_OK)
        return refuse(refusal, ABI_REFUSED_OTHER, "its tables do not fit into 64 KiB");
    return true;
}

struct range {
    uint64_t base, size;
};

static bool overlap(struct range a, struct range b)
{
    return a.size != 0 && b.size != 0 && a.base < b.base + b.size && b.base < a.base + a.size;
}

/* In the order of the file, in which what is moved down never overwrites what is still to be moved,
 * unless a segment lies higher in memory than its own bytes do. */
static bool move_segments(uint8_t *memory, const struct abi_start *start, const struct image *image,
                          struct abi_refusal *refusal)
{
    bool moved[IMAGE_MAX_SEGMENTS] = {false};
    const struct image_segment *segments = image->segments;
    for (uint32_t count = 0; count < image->segment_count; count++) {
        uint32_t next = 0;
        while (moved[next])
            next++;
        for (uint32_t i = next + 1; i < image->segment_count; i++)
            if (!moved[i] && segments[i].file_offset < segments[next].file_offset)
                next = i;
        moved[next] = true;
        const struct range target = {segments[next].address, segments[next].file_size};
        for (uint32_t i = 0; i < image->segment_count; i++) {
            const struct range bytes = {start->image_base + segments[i].file_offset,
                                        segments[i].file_size};
            if (!moved[i] && overlap(target, bytes))
                return refuse(refusal, ABI_REFUSED_OTHER,
                              "the image and its file do not fit into the guest's memory at the "
                              "same time; give it more memory");
        }
        memmove(memory + target.base, memory + start->image_base + segments[next].file_offset,
                target.size);
    }
    return true;
}

/* Zeros from `at` to `end`, but for what is to stay. */
static void clear(uint8_t *memory, uint64_t at, uint64_t end, const struct range *stay,
                  size_t count)
{
    while (at < end) {
        uint64_t next = end, behind = at;
        for (size_t i = 0; i < count; i++) {
            if (at >= stay[i].base && at - stay[i].base < stay[i].size)
                behind = stay[i].base + stay[i].size;
            else if (stay[i].size != 0 && stay[i].base > at)
                next = MIN(next, stay[i].base);
        }
        if (behind == at) {
            memset(memory + at, 0, next - at);
            behind = next;
        }
        at = behind;
    }
}

bool start_load(uint8_t *memory, const struct abi_start *start, struct start_result *result,
                struct abi_refusal *refusal)
{
    struct image image;
    struct range stay[IMAGE_MAX_SEGMENTS + 1];
    uint64_t initrd;
    /* The tables first: moving may overwrite the image's header. */
    if (!parse(memory, start, &image, refusal) || !place_initrd(start, &image, &initrd, refusal) ||
        !write_tables(memory, start, &image, initrd, &result->tables, refusal) ||
        !move_segments(memory, start, &image, refusal))
        return false;
    /* Last, as it ends above every segment and never moves up. */
    memmove(memory + initrd, memory + start->initrd_base, start->initrd_size);
    for (uint32_t i = 0; i < image.segment_count; i++)
        stay[i] = (struct range){image.segments[i].address, image.segments[i].file_size};
    stay[image.segment_count] = (struct range){initrd, start->initrd_size};
    clear(memory, start->image_base, start->initrd_base + start->initrd_size, stay,
          image.segment_count + 1);
    result->kind = image.kind;
    result->entry = image.entry;
    return true;
}
