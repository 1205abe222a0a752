/* SPDX-License-Identifier: MIT */
#include "guest/start/image.h"

#include "hypervisor/base/string.h"

#define ELF_CLASS_32        1
#define ELF_CLASS_64        2
#define ELF_LITTLE_ENDIAN   1
#define ELF_MACHINE_386     3
#define ELF_MACHINE_X64     62
#define ELF_PT_LOAD         1
#define ELF_PT_NOTE         4
#define NOTE_PHYS32_ENTRY   18 /* XEN_ELFNOTE_PHYS32_ENTRY */
#define MAX_PROGRAM_HEADERS 64

struct elf32_header {
    uint8_t ident[16];  /* 0x00 */
    uint16_t type;      /* 0x10 */
    uint16_t machine;   /* 0x12 */
    uint32_t version;   /* 0x14 */
    uint32_t entry;     /* 0x18 */
    uint32_t phoff;     /* 0x1c */
    uint32_t shoff;     /* 0x20 */
    uint32_t flags;     /* 0x24 */
    uint16_t ehsize;    /* 0x28 */
    uint16_t phentsize; /* 0x2a */
    uint16_t phnum;     /* 0x2c */
    uint16_t rest[3];   /* 0x2e */
};
_Static_assert(sizeof(struct elf32_header) == 52, "ELF 1.2");

struct elf64_header {
    uint8_t ident[16];  /* 0x00 */
    uint16_t type;      /* 0x10 */
    uint16_t machine;   /* 0x12 */
    uint32_t version;   /* 0x14 */
    uint64_t entry;     /* 0x18 */
    uint64_t phoff;     /* 0x20 */
    uint64_t shoff;     /* 0x28 */
    uint32_t flags;     /* 0x30 */
    uint16_t ehsize;    /* 0x34 */
    uint16_t phentsize; /* 0x36 */
    uint16_t phnum;     /* 0x38 */
    uint16_t rest[3];   /* 0x3a */
};
_Static_assert(sizeof(struct elf64_header) == 64, "ELF-64 1.5");

struct elf32_program {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
_Static_assert(sizeof(struct elf32_program) == 32, "ELF 1.2");

struct elf64_program {
    uint32_t type, flags;                                /* 0x00 */
    uint64_t offset, vaddr, paddr, filesz, memsz, align; /* 0x08 */
};
_Static_assert(sizeof(struct elf64_program) == 56, "ELF-64 1.5");

struct note {
    uint32_t name_size, descriptor_size, type;
};

/* The 32- and 64-bit formats brought to one. */
struct program {
    uint32_t type;
    uint64_t offset, virtual_address, address, file_size, memory_size;
};

struct file {
    const uint8_t *bytes;
    size_t size;
    bool is_64bit;
    uint64_t entry, phoff;
    uint16_t phnum, phentsize;
};

enum status image_fail(struct image *image, enum status status, uint64_t offset, uint64_t value,
                       const char *problem)
{
    image->problem = problem;
    image->problem_offset = offset;
    image->problem_value = value;
    return status;
}

static bool is_elf(const uint8_t *bytes, size_t size)
{
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};
    return size >= sizeof(struct elf32_header) && memcmp(bytes, magic, sizeof magic) == 0;
}

static enum status read_header(struct file *file, struct image *image)
{
    struct elf64_header header64;
    struct elf32_header header32;
    if (file->bytes[5] != ELF_LITTLE_ENDIAN)
        return image_fail(image, STATUS_UNSUPPORTED, 5, file->bytes[5],
                          "not a little-endian ELF file");
    uint16_t machine;
    switch (file->bytes[4]) {
    case ELF_CLASS_32:
        memcpy(&header32, file->bytes, sizeof header32);
        file->entry = header32.entry;
        file->phoff = header32.phoff;
        file->phnum = header32.phnum;
        file->phentsize = header32.phentsize;
        machine = header32.machine;
        break;
    case ELF_CLASS_64:
        if (file->size < sizeof header64)
            return image_fail(image, STATUS_INVALID, 0, file->size, "the ELF header is cut off");
        memcpy(&header64, file->bytes, sizeof header64);
        file->is_64bit = true;
        file->entry = header64.entry;
        file->phoff = header64.phoff;
        file->phnum = header64.phnum;
        file->phentsize = header64.phentsize;
        machine = header64.machine;
        break;
    default:
        return image_fail(image, STATUS_INVALID, 4, file->bytes[4], "unknown ELF class");
    }
    if (machine != ELF_MACHINE_386 && machine != ELF_MACHINE_X64)
        return image_fail(image, STATUS_UNSUPPORTED, 0x12, machine,
                          "an ELF file for another processor");
    size_t entry = file->is_64bit ? sizeof(struct elf64_program) : sizeof(struct elf32_program);
    if (file->phentsize != entry)
        return image_fail(image, STATUS_INVALID, file->is_64bit ? 0x36 : 0x2a, file->phentsize,
                          "program headers of an unknown size");
    if (file->phnum == 0 || file->phnum > MAX_PROGRAM_HEADERS)
        return image_fail(image, STATUS_INVALID, file->is_64bit ? 0x38 : 0x2c, file->phnum,
                          "no program headers, or more than 64");
    if (file->phoff > file->size || (uint64_t)file->phnum * entry > file->size - file->phoff)
        return image_fail(image, STATUS_INVALID, file->is_64bit ? 0x20 : 0x1c, file->phoff,
                          "program headers beyond the end of the file");
    return STATUS_OK;
}

static struct program read_program(const struct file *file, unsigned index)
{
    const uint8_t *bytes = file->bytes + file->phoff + (size_t)index * file->phentsize;
    if (file->is_64bit) {
        struct elf64_program program;
        memcpy(&program, bytes, sizeof program);
        return (struct program){program.type,  program.offset, program.vaddr,
                                program.paddr, program.filesz, program.memsz};
    }
    struct elf32_program program;
    memcpy(&program, bytes, sizeof program);
    return (struct program){program.type,  program.offset, program.vaddr,
                            program.paddr, program.filesz, program.memsz};
}

/* ELF notes: name and descriptor padded to 4 bytes. */
static bool find_entry(const struct file *file, const struct program *program, uint32_t *entry)
{
    const uint8_t *bytes = file->bytes + program->offset;
    uint64_t left = program->file_size;
    while (left >= sizeof(struct note)) {
        struct note note;
        memcpy(&note, bytes, sizeof note);
        uint64_t name = ALIGN_UP((uint64_t)note.name_size, UINT64_C(4));
        uint64_t descriptor = ALIGN_UP((uint64_t)note.descriptor_size, UINT64_C(4));
        if (name + descriptor > left - sizeof note)
            return false;
        if (note.type == NOTE_PHYS32_ENTRY && note.name_size == 4 && note.descriptor_size >= 4 &&
            memcmp(bytes + sizeof note, "Xen", 4) == 0) {
            memcpy(entry, bytes + sizeof note + name, sizeof *entry);
            return true;
        }
        bytes += sizeof note + name + descriptor;
        left -= sizeof note + name + descriptor;
    }
    return false;
}

enum status image_add_segment(struct image *image, const struct image_segment *segment,
                              uint64_t offset, const struct image_limits *limits)
{
    uint64_t address = segment->address, size = segment->memory_size;
    if (size == 0)
        return STATUS_OK;
    if (segment->file_size > size)
        return image_fail(image, STATUS_INVALID, offset, segment->file_size,
                          "a segment has more bytes in the file than in memory");
    if (size > limits->memory || address > limits->memory - size)
        return image_fail(image, STATUS_INVALID, offset, address,
                          "a segment lies beyond the guest's memory; give it more memory");
    uint64_t end = address + size;
    if (address < limits->reserved_end && end > limits->reserved_base)
        return image_fail(
            image, STATUS_INVALID, offset, address,
            "a segment overlaps 0xe0000-0xfffff, where the guest's tables are placed");
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *other = &image->segments[i];
        if (address < other->address + other->memory_size && end > other->address)
            return image_fail(image, STATUS_INVALID, offset, address, "segments overlap");
    }
    if (image->segment_count == IMAGE_MAX_SEGMENTS)
        return image_fail(image, STATUS_FULL, offset, image->segment_count,
                          "more than 16 segments");
    image->segments[image->segment_count++] = *segment;
    return STATUS_OK;
}

static bool entry_is_loaded(const struct image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++)
        if (image->entry >= image->segments[i].address &&
            image->entry - image->segments[i].address < image->segments[i].file_size)
            return true;
    return false;
}

/* Loads what an ELF file says; *pvh_entry: the image's entry comes from a PVH note. Without one it
 * is the file's own, which is a virtual address. */
static enum status parse_elf(struct file *file, const struct image_limits *limits,
                             struct image *image, bool *pvh_entry)
{
    uint32_t entry = 0;
    enum status status = read_header(file, image);
    *pvh_entry = false;
    for (unsigned index = 0; status == STATUS_OK && index < file->phnum; index++) {
        struct program program = read_program(file, index);
        uint64_t offset = file->phoff + (uint64_t)index * file->phentsize;
        if (program.type != ELF_PT_LOAD && program.type != ELF_PT_NOTE)
            continue;
        if (program.file_size > file->size || program.offset > file->size - program.file_size)
            return image_fail(image, STATUS_INVALID, offset, program.offset,
                              "a segment lies beyond the end of the file");
        if (program.type == ELF_PT_NOTE) {
            *pvh_entry = *pvh_entry || find_entry(file, &program, &entry);
            continue;
        }
        if (file->entry >= program.virtual_address &&
            file->entry - program.virtual_address < program.memory_size)
            image->entry = (uint32_t)(program.address + (file->entry - program.virtual_address));
        status = image_add_segment(image,
                                   &(struct image_segment){program.address, program.offset,
                                                           program.file_size, program.memory_size},
                                   offset, limits);
    }
    if (*pvh_entry)
        image->entry = entry;
    return status;
}

enum status image_parse(const void *bytes, size_t size, uint64_t memory, uint64_t reserved_base,
                        uint64_t reserved_end, struct image *image)
{
    const struct image_limits limits = {memory, reserved_base, reserved_end};
    struct file file = {.bytes = bytes, .size = size};
    uint64_t header;
    bool elf = is_elf(bytes, size), pvh = false;
    *image = (struct image){0};
    if (image_is_linux(bytes, size))
        return image_parse_linux(bytes, size, memory, image);
    enum status status = elf ? parse_elf(&file, &limits, image, &pvh) : STATUS_OK;
    if (status == STATUS_OK && !pvh) {
        if (image_find_multiboot(bytes, size, &header))
            status = image_parse_multiboot(bytes, size, header, &limits, elf, image);
        else if (elf)
            return image_fail(image, STATUS_UNSUPPORTED, 0, 0,
                              "no PVH entry (XEN_ELFNOTE_PHYS32_ENTRY) and no Multiboot header");
        else
            return image_fail(image, STATUS_INVALID, 0, size,
                              "neither an ELF file nor a Linux (bzImage) or Multiboot kernel");
    }
    if (status == STATUS_OK && !entry_is_loaded(image))
        return image_fail(image, STATUS_INVALID, 0, image->entry, "the entry is in no segment");
    return status;
}
