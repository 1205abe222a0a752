/* SPDX-License-Identifier: MIT */
/* Kernels of the Multiboot Specification 0.6.96: a header in the first 8 KiB of a file that is an
 * ELF file, or says itself where it is to be loaded (3.1). */
#include "hypervisor/base/string.h"
#include "guest/start/image.h"

#define SEARCHED         8192u
#define HEADER_MAGIC     0x1badb002u
#define FLAG_ALIGN       BIT(0) /* modules on page boundaries */
#define FLAG_MEMORY      BIT(1)
#define FLAG_VIDEO       BIT(2)
#define FLAGS_REQUIRED   BITS(15, 0) /* refused when not understood; those above may be ignored */
#define FLAGS_UNDERSTOOD (FLAG_ALIGN | FLAG_MEMORY)
#define FLAG_ADDRESSES   BIT(16)

struct multiboot_header {
    uint32_t magic;    /* 0x00 */
    uint32_t flags;    /* 0x04 */
    uint32_t checksum; /* 0x08: the sum of the three is 0 */
} PACKED;
_Static_assert(sizeof(struct multiboot_header) == 12, "Multiboot 3.1.1");

/* Behind it, with FLAG_ADDRESSES. */
struct multiboot_addresses {
    uint32_t header;   /* 0x0c: where the header itself lies */
    uint32_t load;     /* 0x10 */
    uint32_t load_end; /* 0x14: 0: with the end of the file */
    uint32_t bss_end;  /* 0x18: 0: none */
    uint32_t entry;    /* 0x1c */
} PACKED;
_Static_assert(sizeof(struct multiboot_addresses) == 20, "Multiboot 3.1.1");

bool image_find_multiboot(const uint8_t *bytes, size_t size, uint64_t *offset)
{
    struct multiboot_header header;
    for (size_t at = 0; at < SEARCHED && size >= sizeof header && at <= size - sizeof header;
         at += 4) {
        if (bytes[at] != (uint8_t)HEADER_MAGIC)
            continue;
        memcpy(&header, bytes + at, sizeof header);
        if (header.magic == HEADER_MAGIC && header.magic + header.flags + header.checksum == 0) {
            *offset = at;
            return true;
        }
    }
    return false;
}

/* The segment that the address fields describe (Multiboot 3.1.3). */
static enum status load_by_addresses(const uint8_t *bytes, size_t size, uint64_t offset,
                                     const struct image_limits *limits, struct image *image)
{
    struct multiboot_addresses fields;
    uint64_t at = offset + sizeof(struct multiboot_header);
    if (at + sizeof fields > size)
        return image_fail(image, STATUS_INVALID, at, size, "the Multiboot header is cut off");
    memcpy(&fields, bytes + at, sizeof fields);
    if (fields.load > fields.header || fields.header - fields.load > offset)
        return image_fail(image, STATUS_INVALID, at + 4, fields.load,
                          "the Multiboot load address is not where the file's bytes would lie");
    uint64_t first = offset - (fields.header - fields.load);
    uint64_t file_size = size - first;
    if (fields.load_end != 0) {
        if (fields.load_end <= fields.load || fields.load_end - fields.load > file_size)
            return image_fail(image, STATUS_INVALID, at + 8, fields.load_end,
                              "the Multiboot load end lies before the load address or behind the "
                              "end of the file");
        file_size = fields.load_end - fields.load;
    }
    if (fields.bss_end != 0 && fields.bss_end < fields.load + file_size)
        return image_fail(image, STATUS_INVALID, at + 12, fields.bss_end,
                          "the Multiboot bss ends before it begins");
    image->segment_count = 0;
    image->entry = fields.entry;
    uint64_t memory_size = fields.bss_end != 0 ? fields.bss_end - fields.load : file_size;
    return image_add_segment(
        image, &(struct image_segment){fields.load, first, file_size, memory_size}, at + 4, limits);
}

enum status image_parse_multiboot(const uint8_t *bytes, size_t size, uint64_t offset,
                                  const struct image_limits *limits, bool is_elf,
                                  struct image *image)
{
    struct multiboot_header header;
    memcpy(&header, bytes + offset, sizeof header);
    uint32_t unknown = header.flags & FLAGS_REQUIRED & ~(uint32_t)FLAGS_UNDERSTOOD;
    if ((unknown & FLAG_VIDEO) != 0)
        return image_fail(image, STATUS_UNSUPPORTED, offset + 4, header.flags,
                          "a Multiboot kernel that cannot do without a video mode (flag 2)");
    if (unknown != 0)
        return image_fail(
            image, STATUS_UNSUPPORTED, offset + 4, header.flags,
            "a Multiboot kernel that requires what version 1 does not define (flags 3 "
            "to 15)");
    image->kind = IMAGE_MULTIBOOT;
    image->initrd_limit = UINT64_C(1) << 32;
    if ((header.flags & FLAG_ADDRESSES) != 0)
        return load_by_addresses(bytes, size, offset, limits, image);
    return is_elf
               ? STATUS_OK
               : image_fail(image, STATUS_INVALID, offset + 4, header.flags,
                            "a Multiboot kernel that is not an ELF file and does not say where it "
                            "is to be loaded (flag 16)");
}
