/* SPDX-License-Identifier: MIT */
#include "boot/efi/elf.h"

#include "hypervisor/base/string.h"

/* ELF-64 Object File Format, figures 3 and 7. */
struct elf_header {
    uint8_t identity[16];          /* 0 */
    uint16_t type;                 /* 16 */
    uint16_t machine;              /* 18 */
    uint32_t version;              /* 20 */
    uint64_t entry;                /* 24 */
    uint64_t program_headers;      /* 32: file offset */
    uint64_t section_headers;      /* 40 */
    uint32_t flags;                /* 48 */
    uint16_t size;                 /* 52 */
    uint16_t program_header_size;  /* 54 */
    uint16_t program_header_count; /* 56 */
    uint16_t section_header_size;  /* 58 */
    uint16_t section_header_count; /* 60 */
    uint16_t section_names;        /* 62 */
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF-64 header");
_Static_assert(offsetof(struct elf_header, program_headers) == 32, "ELF-64 header");

struct program_header {
    uint32_t type;        /* 0 */
    uint32_t flags;       /* 4 */
    uint64_t offset;      /* 8 */
    uint64_t virtual;     /* 16 */
    uint64_t physical;    /* 24 */
    uint64_t file_size;   /* 32 */
    uint64_t memory_size; /* 40 */
    uint64_t alignment;   /* 48 */
};
_Static_assert(sizeof(struct program_header) == 56, "ELF-64 program header");

#define IDENTITY_CLASS_64      2
#define IDENTITY_LITTLE_ENDIAN 1
#define TYPE_EXECUTABLE        2
#define MACHINE_X86_64         62
#define SEGMENT_LOAD           1
#define FLAG_EXECUTE           1u
#define FLAG_WRITE             2u

static enum status refuse(struct elf_image *image, const char *problem, uint64_t value)
{
    image->problem = problem;
    image->value = value;
    return STATUS_INVALID;
}

static enum status check_header(const struct elf_header *header, size_t size,
                                struct elf_image *image)
{
    if (memcmp(header->identity, "\177ELF", 4) != 0)
        return refuse(image, "no ELF file: the first byte is", header->identity[0]);
    if (header->identity[4] != IDENTITY_CLASS_64 || header->identity[5] != IDENTITY_LITTLE_ENDIAN)
        return refuse(image, "not a 64-bit little-endian ELF file: class is", header->identity[4]);
    if (header->type != TYPE_EXECUTABLE)
        return refuse(image, "not an executable at a fixed address: e_type is", header->type);
    if (header->machine != MACHINE_X86_64)
        return refuse(image, "not for x86-64: e_machine is", header->machine);
    if (header->program_header_size != sizeof(struct program_header))
        return refuse(image, "e_phentsize is not 56 but", header->program_header_size);
    if (header->program_headers > size ||
        header->program_header_count >
            (size - header->program_headers) / sizeof(struct program_header))
        return refuse(image, "the file ends before its program headers: e_phoff is",
                      header->program_headers);
    return STATUS_OK;
}

static enum status check_segment(const struct program_header *header, size_t size,
                                 struct elf_image *image)
{
    if (image->segment_count == ELF_MAX_SEGMENTS)
        return refuse(image, "more segments than", ELF_MAX_SEGMENTS);
    if (!IS_ALIGNED(header->virtual, PAGE_SIZE))
        return refuse(image, "segment is not page aligned: p_vaddr is", header->virtual);
    if (header->file_size > header->memory_size)
        return refuse(image, "segment has more bytes in the file than in memory: p_filesz is",
                      header->file_size);
    if (header->offset > size || header->file_size > size - header->offset)
        return refuse(image, "the file ends before its segment: p_offset is", header->offset);
    if ((header->flags & FLAG_WRITE) != 0 && (header->flags & FLAG_EXECUTE) != 0)
        return refuse(image, "segment is writable and executable: p_vaddr is", header->virtual);
    if (image->segment_count == 0) {
        if (!IS_ALIGNED(header->virtual, PAGE_2M))
            return refuse(image, "first segment is not 2 MiB aligned: p_vaddr is", header->virtual);
        image->base = header->virtual;
    }
    uint64_t offset = header->virtual - image->base;
    if (header->virtual < image->base + image->size)
        return refuse(image, "segments overlap or do not ascend: p_vaddr is", header->virtual);
    if (offset > ELF_MAX_IMAGE || header->memory_size > ELF_MAX_IMAGE - offset ||
        header->virtual > UINT64_MAX - ELF_MAX_IMAGE)
        return refuse(image, "the image is larger than 64M: p_memsz is", header->memory_size);
    image->size = ALIGN_UP(offset + header->memory_size, PAGE_SIZE);
    image->segments[image->segment_count++] = (struct elf_segment){
        .virtual = header->virtual,
        .file_offset = header->offset,
        .file_size = header->file_size,
        .memory_size = header->memory_size,
        .writable = (header->flags & FLAG_WRITE) != 0,
        .executable = (header->flags & FLAG_EXECUTE) != 0,
    };
    return STATUS_OK;
}

static bool is_executable(const struct elf_image *image, uint64_t address)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if (segment->executable && address >= segment->virtual &&
            address - segment->virtual < segment->file_size)
            return true;
    }
    return false;
}

enum status elf_check(const void *bytes, size_t size, struct elf_image *image)
{
    struct elf_header header;
    memset(image, 0, sizeof *image);
    if (size < sizeof header)
        return refuse(image, "the file is shorter than an ELF header, its bytes are", size);
    memcpy(&header, bytes, sizeof header);
    enum status status = check_header(&header, size, image);
    for (uint32_t i = 0; status == STATUS_OK && i < header.program_header_count; i++) {
        struct program_header segment;
        memcpy(&segment, (const uint8_t *)bytes + header.program_headers + i * sizeof segment,
               sizeof segment);
        if (segment.type == SEGMENT_LOAD && segment.memory_size != 0)
            status = check_segment(&segment, size, image);
    }
    if (status != STATUS_OK)
        return status;
    if (!is_executable(image, header.entry))
        return refuse(image, "the entry point is in no executable segment: e_entry is",
                      header.entry);
    image->entry = header.entry;
    return STATUS_OK;
}
