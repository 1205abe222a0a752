/* SPDX-License-Identifier: MIT */
/* What a root bridge decodes, as the firmware that programmed it says (UEFI 14.2,
 * EFI_PCI_ROOT_BRIDGE_IO_PROTOCOL.Configuration()). */
#include "boot/preflight/preflight.h"

#include "hypervisor/acpi/bytes.h"
#include "hypervisor/base/log.h"

/* QWORD address space descriptor (ACPI 6.5, 6.4.3.5.1) */
#define DESCRIPTOR        0x8au
#define DESCRIPTOR_SIZE   46u
#define RESOURCE          3u
#define SPECIFIC          5u
#define MINIMUM           14u
#define MAXIMUM           22u
#define LENGTH            38u
#define RESOURCE_MEMORY   0u
#define RESOURCE_IO       1u
#define RESOURCE_BUS      2u
#define SPECIFIC_PREFETCH 0x06u
#define MAX_DESCRIPTORS   64u

void preflight_apertures(unsigned bridge, uint16_t segment, const uint8_t *bytes, size_t size,
                         struct preflight_roots *roots)
{
    static const char *const kinds[] = {"memory", "io", "bus"};
    for (unsigned i = 0; i < MAX_DESCRIPTORS && size >= DESCRIPTOR_SIZE && bytes[0] == DESCRIPTOR;
         i++, bytes += DESCRIPTOR_SIZE, size -= DESCRIPTOR_SIZE) {
        uint8_t kind = bytes[RESOURCE];
        uint64_t base = read64(bytes + MINIMUM), limit = read64(bytes + MAXIMUM);
        uint64_t length = read64(bytes + LENGTH);
        if (kind > RESOURCE_BUS || length == 0)
            continue;
        bool sound =
            base <= limit && limit - base == length - 1 && (kind != RESOURCE_BUS || limit <= 0xff);
        log_event("pci.aperture", "root=%u segment=%u kind=%s base=0x%lx limit=0x%lx prefetch=%s%s",
                  bridge, segment, kinds[kind], base, limit,
                  yes_no(kind == RESOURCE_MEMORY &&
                         (bytes[SPECIFIC] & SPECIFIC_PREFETCH) == SPECIFIC_PREFETCH),
                  sound ? ""
                        : " message=\"base, limit and length contradict each other; not "
                          "used\"");
        if (sound && kind == RESOURCE_BUS && roots->count < PREFLIGHT_ROOTS)
            roots->root[roots->count++] =
                (struct preflight_root){segment, (uint8_t)base, (uint8_t)limit};
    }
}
