/* SPDX-License-Identifier: MIT */
/* bzImage: the setup header of the Linux x86 boot protocol (The Linux/x86 Boot Protocol, "The
 * real-mode kernel header"). The kernel's own decompressor is entered in 64-bit mode. */
#include "hypervisor/base/string.h"
#include "guest/start/image.h"

#define SECTOR           512u
#define BOOT_FLAG        0xaa55u
#define HEADER_MAGIC     0x53726448u /* "HdrS" */
#define VERSION_MINIMUM  0x020cu     /* xloadflags */
#define LOADED_HIGH      0x01u
#define XLF_KERNEL_64    0x01u
#define ENTRY_64_OFFSET  0x200u
#define INITRD_MAX_UNSET 0x37ffffffu
#define SETUP_MAX        0x290u /* where the boot parameters' next field begins */

struct setup_header {
    uint8_t setup_sects;           /* 0x1f1 */
    uint16_t root_flags;           /* 0x1f2 */
    uint32_t syssize;              /* 0x1f4 */
    uint16_t ram_size;             /* 0x1f8 */
    uint16_t vid_mode;             /* 0x1fa */
    uint16_t root_dev;             /* 0x1fc */
    uint16_t boot_flag;            /* 0x1fe */
    uint8_t jump[2];               /* 0x200: the second byte is the header's length from 0x202 */
    uint32_t magic;                /* 0x202 */
    uint16_t version;              /* 0x206 */
    uint32_t realmode_swtch;       /* 0x208 */
    uint16_t start_sys;            /* 0x20c */
    uint16_t kernel_version;       /* 0x20e */
    uint8_t type_of_loader;        /* 0x210 */
    uint8_t loadflags;             /* 0x211 */
    uint16_t setup_move_size;      /* 0x212 */
    uint32_t code32_start;         /* 0x214 */
    uint32_t ramdisk_image;        /* 0x218 */
    uint32_t ramdisk_size;         /* 0x21c */
    uint32_t bootsect_kludge;      /* 0x220 */
    uint16_t heap_end_ptr;         /* 0x224 */
    uint8_t ext_loader_ver;        /* 0x226 */
    uint8_t ext_loader_type;       /* 0x227 */
    uint32_t cmd_line_ptr;         /* 0x228 */
    uint32_t initrd_addr_max;      /* 0x22c */
    uint32_t kernel_alignment;     /* 0x230 */
    uint8_t relocatable_kernel;    /* 0x234 */
    uint8_t min_alignment;         /* 0x235 */
    uint16_t xloadflags;           /* 0x236 */
    uint32_t cmdline_size;         /* 0x238 */
    uint32_t hardware_subarch;     /* 0x23c */
    uint64_t hardware_subarch_dat; /* 0x240 */
    uint32_t payload_offset;       /* 0x248 */
    uint32_t payload_length;       /* 0x24c */
    uint64_t setup_data;           /* 0x250 */
    uint64_t pref_address;         /* 0x258 */
    uint32_t init_size;            /* 0x260 */
} PACKED;
_Static_assert(offsetof(struct setup_header, magic) == 0x202 - IMAGE_SETUP_HEADER, "boot protocol");
_Static_assert(offsetof(struct setup_header, xloadflags) == 0x236 - IMAGE_SETUP_HEADER, "");
_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - IMAGE_SETUP_HEADER, "");
_Static_assert(sizeof(struct setup_header) == 0x264 - IMAGE_SETUP_HEADER, "boot protocol 2.12");

bool image_is_linux(const uint8_t *bytes, size_t size)
{
    uint32_t magic;
    if (size < 0x206)
        return false;
    memcpy(&magic, bytes + 0x202, sizeof magic);
    return magic == HEADER_MAGIC;
}

static enum status check_header(const struct setup_header *header, struct image *image)
{
    if (header->boot_flag != BOOT_FLAG)
        return image_fail(image, STATUS_INVALID, 0x1fe, header->boot_flag,
                          "a Linux kernel without the boot flag 0xaa55");
    if (header->version < VERSION_MINIMUM)
        return image_fail(image, STATUS_UNSUPPORTED, 0x206, header->version,
                          "a Linux kernel with a boot protocol older than 2.12 (Linux 3.8)");
    if ((header->loadflags & LOADED_HIGH) == 0)
        return image_fail(image, STATUS_UNSUPPORTED, 0x211, header->loadflags,
                          "a zImage, which is loaded low; build a bzImage");
    if ((header->xloadflags & XLF_KERNEL_64) == 0)
        return image_fail(image, STATUS_UNSUPPORTED, 0x236, header->xloadflags,
                          "a Linux kernel without a 64-bit entry (XLF_KERNEL_64)");
    return STATUS_OK;
}

enum status image_parse_linux(const uint8_t *bytes, size_t size, uint64_t memory,
                              struct image *image)
{
    struct setup_header header;
    if (size < IMAGE_SETUP_HEADER + sizeof header)
        return image_fail(image, STATUS_INVALID, 0, size, "the setup header is cut off");
    memcpy(&header, bytes + IMAGE_SETUP_HEADER, sizeof header);
    enum status status = check_header(&header, image);
    if (status != STATUS_OK)
        return status;

    uint64_t offset = ((header.setup_sects != 0 ? header.setup_sects : 4u) + UINT64_C(1)) * SECTOR;
    uint32_t setup_end = 0x202u + header.jump[1];
    if (setup_end < IMAGE_SETUP_HEADER + sizeof header || setup_end > SETUP_MAX ||
        setup_end > offset)
        return image_fail(image, STATUS_INVALID, 0x201, header.jump[1],
                          "a setup header of an impossible length");
    if (offset + ENTRY_64_OFFSET >= size)
        return image_fail(image, STATUS_INVALID, 0x1f1, header.setup_sects,
                          "the kernel behind the set-up sectors is cut off");
    uint64_t file_size = size - offset;
    uint64_t memory_size = MAX((uint64_t)header.init_size, file_size);
    if (header.pref_address < MIB(1) || header.pref_address > UINT32_MAX)
        return image_fail(image, STATUS_UNSUPPORTED, 0x258, header.pref_address,
                          "the kernel wants to be loaded below 1 MiB or above 4 GiB");
    if (memory_size > memory || header.pref_address > memory - memory_size)
        return image_fail(image, STATUS_NO_MEMORY, 0x260, header.pref_address + memory_size,
                          "the kernel needs the guest's memory up to this address to start; give "
                          "it more memory");
    image->kind = IMAGE_LINUX;
    image->entry = (uint32_t)header.pref_address + ENTRY_64_OFFSET;
    image->segment_count = 1;
    image->segments[0] =
        (struct image_segment){header.pref_address, offset, file_size, memory_size};
    image->setup_size = setup_end - IMAGE_SETUP_HEADER;
    image->initrd_limit =
        (header.initrd_addr_max != 0 ? header.initrd_addr_max : INITRD_MAX_UNSET) + UINT64_C(1);
    return STATUS_OK;
}
