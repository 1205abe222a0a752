/* SPDX-License-Identifier: MIT */
/*
 * The one contract between whoever loads Bulkhead and hypervisor_entry().
 *
 * State at entry (both loaders establish it):
 *   - 64-bit mode, one core running, interrupts off, direction flag clear;
 *   - paging on: every segment of bulkhead.elf is mapped at its linked virtual address with the
 *     rights of its program header (no page is writable and executable), and all memory ranges of
 *     the map below, the framebuffer and the first 4 GiB are identity-mapped, writable, not
 *     executable;
 *   - EFER.NXE and CR0.WP set;
 *   - RDI holds the address (identity-mapped, page aligned) of a struct boot_info.
 * The entry point switches to a stack of its own before anything else.
 */
#pragma once

#include "hypervisor/base/core.h"

/* Where bulkhead.elf is linked. */
#define IMAGE_BASE UINT64_C(0xffffffff80000000)

#define BOOT_INFO_MAGIC   UINT64_C(0x31444145484b4c42) /* "BLKHEAD1" */
#define BOOT_MAX_RANGES   512
#define BOOT_MAX_MODULES  128
#define BOOT_NAME_SIZE    64
#define BOOT_COMMAND_SIZE 256
#define BOOT_MAX_USB      16

enum boot_memory_type {
    BOOT_MEMORY_RESERVED = 0, /* firmware's, or unknown: never touched */
    BOOT_MEMORY_USABLE = 1,   /* free, boot services' memory included */
    BOOT_MEMORY_ACPI = 2,     /* ACPI tables (reclaimable by us only after parsing) */
    BOOT_MEMORY_NVS = 3,      /* ACPI NVS, EFI run-time services */
    BOOT_MEMORY_MMIO = 4,     /* memory-mapped I/O that the firmware declares */
    BOOT_MEMORY_LOADER = 5,   /* this structure, the loader's page tables, modules, config text */
    BOOT_MEMORY_IMAGE = 6,    /* bulkhead.elf as loaded */
    BOOT_MEMORY_SPECIAL = 7,  /* free, but meant for a specific purpose: used last */
};

struct boot_memory_range {
    uint64_t base; /* bytes, page aligned */
    uint64_t size; /* bytes, multiple of 4 KiB */
    uint32_t type; /* enum boot_memory_type */
    uint32_t reserved;
};

struct boot_module {
    uint64_t base;             /* page aligned physical address */
    uint64_t size;             /* bytes */
    char name[BOOT_NAME_SIZE]; /* as the configuration's image keys name it, e.g. "ping.elf" */
};

enum boot_framebuffer_format {
    BOOT_FRAMEBUFFER_NONE = 0,
    BOOT_FRAMEBUFFER_BGRX = 1,  /* 32 bits a pixel, blue in the low byte */
    BOOT_FRAMEBUFFER_RGBX = 2,  /* 32 bits a pixel, red in the low byte */
    BOOT_FRAMEBUFFER_MASKS = 3, /* 32 bits a pixel, anything else */
};

struct boot_framebuffer {
    uint64_t base;             /* physical address */
    uint64_t size;             /* bytes */
    uint32_t width;            /* pixels */
    uint32_t height;           /* pixels */
    uint32_t stride;           /* bytes from one line to the next */
    uint32_t format;           /* enum boot_framebuffer_format */
    uint32_t red, green, blue; /* the bits of each in a pixel */
    char problem[84];          /* why there is none, or what is odd about this one; "" */
};

/* A PCI root bridge, as firmware's driver describes it (PI 1.7, volume 5; UEFI 14.2). */
struct boot_root {
    uint16_t segment;
    uint8_t first_bus, last_bus; /* in use: firmware may forward more */
    uint32_t reserved;
};

enum boot_window_flags {
    BOOT_WINDOW_PREFETCHABLE = 1u << 0,
    BOOT_WINDOW_TRANSLATED = 1u << 1, /* devices see other addresses than cores */
    BOOT_WINDOW_CONTRADICTORY = 1u
                                << 2, /* its length is not that from its first to its last byte */
};

/* Memory that a root bridge forwards. Many firmwares give the part that they have assigned;
 * `reach` is the memory-mapped I/O around it that they have not said of another root bridge. */
struct boot_root_window {
    uint64_t base, size;             /* bytes */
    uint64_t reach_base, reach_size; /* bytes; size 0: not known */
    uint32_t root;                   /* index into roots */
    uint32_t flags;                  /* enum boot_window_flags */
};

#define BOOT_MAX_ROOTS        64
#define BOOT_MAX_ROOT_WINDOWS 256

/* What came of asking firmware for a USB controller (boot/pci/usb.h). */
enum boot_usb_result {
    BOOT_USB_WAITING,   /* found, and not asked for yet */
    BOOT_USB_TAKEN,     /* ours; it is halted */
    BOOT_USB_UNUSED,    /* its registers are switched off: nobody uses it */
    BOOT_USB_STUCK,     /* firmware did not let go within a second; it is halted all the same */
    BOOT_USB_UNREACHED, /* its registers are out of the loader's reach, or do not answer */
};

struct boot_usb {
    uint16_t rid;
    uint8_t interface; /* of the class code: 0x00 UHCI, 0x10 OHCI, 0x20 EHCI, 0x30 xHCI */
    uint8_t result;    /* enum boot_usb_result */
};

/* The log that outlives a reset: memory for this run's, and what became of the last run's. */
struct boot_log {
    uint64_t
        base; /* page aligned physical address, LOG_KEPT_SIZE bytes, zeroed; 0: there is none */
    uint64_t saved;    /* bytes written to \bulkhead\last.log; 0: none */
    uint32_t lines;    /* of the last run that were found sound */
    uint32_t missing;  /* lines between them that were not */
    uint32_t crashed;  /* whether one of them is cpu.exception */
    char from[12];     /* where they were found: "memory" or "erst" */
    char message[144]; /* what could not be done, or "" */
};

enum boot_flags {
    BOOT_FLAG_BATCH = 1u << 0,    /* power off once the guests have ended */
    BOOT_FLAG_VERIFIED = 1u << 1, /* all that was loaded is as it was signed (boot/efi/verify.h) */
    BOOT_FLAG_SECURE_BOOT = 1u << 2, /* the firmware says that it verified the loader */
};

struct boot_info {
    uint64_t magic;       /* BOOT_INFO_MAGIC */
    uint32_t size;        /* sizeof(struct boot_info) */
    uint32_t flags;       /* enum boot_flags */
    char loader[32];      /* "efi" or "multiboot2", for the log */
    uint64_t rsdp;        /* physical address of the ACPI RSDP, 0 if none was found */
    uint64_t image_base;  /* physical address of the image's first byte, 2 MiB aligned */
    uint64_t image_size;  /* bytes from the first to past the last segment */
    uint64_t entry_tsc;   /* TSC when the loader handed over */
    uint64_t config_base; /* configuration text, physical; size 0 if there is none */
    uint64_t config_size; /* bytes */
    char config_name[BOOT_NAME_SIZE];     /* e.g. "sriov.conf" */
    char command_line[BOOT_COMMAND_SIZE]; /* what followed the image's name, or "" */
    char message[BOOT_COMMAND_SIZE];      /* the loader's complaint to pass on to the log, or "" */
    struct boot_framebuffer framebuffer;
    uint32_t range_count;
    uint32_t module_count;
    struct boot_memory_range ranges[BOOT_MAX_RANGES]; /* sorted by base, not overlapping */
    struct boot_module modules[BOOT_MAX_MODULES];
    /* PCI functions whose bus mastering the loader switched off: a bit for each requester id. */
    uint64_t silenced[65536 / 64];
    /* None when the loader cannot ask (multiboot2). */
    uint32_t root_count;
    uint32_t root_window_count;
    struct boot_root roots[BOOT_MAX_ROOTS];
    struct boot_root_window root_windows[BOOT_MAX_ROOT_WINDOWS];
    uint32_t usb_count;
    struct boot_usb usb[BOOT_MAX_USB];
    struct boot_log log;
};

/* False when another version of the loader wrote it: then nothing else in it means anything. */
static inline bool boot_info_sound(const struct boot_info *info)
{
    return info->magic == BOOT_INFO_MAGIC && info->size == sizeof *info;
}

_Static_assert(sizeof(struct boot_memory_range) == 24, "boot_memory_range is shared with NASM");
_Static_assert(offsetof(struct boot_info, rsdp) == 48, "boot_info is shared with NASM");
_Static_assert(offsetof(struct boot_info, entry_tsc) == 72, "boot_info is shared with NASM");
