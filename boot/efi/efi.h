/* SPDX-License-Identifier: MIT */
/*
 * The EFI application: what its files share. Each step returns an EFI status; when one fails, it
 * has already said why on the console, and everything allocated is given back by memory_release().
 */
#pragma once

#include <efi.h>

#include "boot/boot_info.h"
#include "boot/efi/elf.h"

extern EFI_SYSTEM_TABLE *efi_system;
extern EFI_HANDLE efi_image;

/* --- console.c --- */
void console_print(const char *text);
/* For a key, or so long. */
void console_wait(unsigned seconds);
void say(const char *format, ...) PRINTF_LIKE(1, 2);
/* "Bulkhead cannot start: ...", then waits for a key or ten seconds. Returns `status`. */
EFI_STATUS refuse(EFI_STATUS status, const char *format, ...) PRINTF_LIKE(2, 3);

/* --- memory.c --- */
/* Zeroed pages below `limit` (bytes), listed in the final map with the given type. 0: none. */
UINT64 memory_allocate(UINTN pages, UINT64 limit, enum boot_memory_type type);
/* The same with a start at a multiple of 2 MiB. */
UINT64 memory_allocate_2m(UINTN pages, enum boot_memory_type type);
/* A page for code, below 4 GiB; code_page.h makes it executable. 0: none. */
UINT64 memory_allocate_code(void);
/* Exactly those pages, with what is in them: false when they are not free. */
bool memory_allocate_at(UINT64 base, UINTN pages, enum boot_memory_type type);
void memory_release(void);
/* Fills info->ranges from the firmware's map as it is now. */
EFI_STATUS memory_read_map(struct boot_info *info);
/* Leaves boot services; info->ranges become the final map. After success no service may be called,
 * after a failure none but this one has an effect. */
EFI_STATUS memory_exit_boot_services(struct boot_info *info);

/* --- files.c --- */
/* Opens the volume, or the network card, that this application was loaded from. */
EFI_STATUS files_open(void);
void files_close(void);
bool files_exist(const char *name);
/* Reads \bulkhead\NAME whole into pages of its own. EFI_NOT_FOUND without a word when it is not
 * there; other errors are given in *problem. With a sealed application (verify.h)
 * EFI_ACCESS_DENIED: it was not signed, and is as good as not there; EFI_SECURITY_VIOLATION: it is
 * not as it was signed, and nothing will be started. */
EFI_STATUS files_read(const char *name, UINT64 *base, UINT64 *size, const char **problem);

/* --- write.c --- */
/* Makes \bulkhead\NAME anew, empty, in place of an old one. */
EFI_STATUS write_create(const char *name, EFI_FILE_HANDLE *file);
/* What a status of write_create(), or of the file's own functions, means for a reader. */
const char *write_problem(EFI_STATUS status);
/* Makes the file \bulkhead\NAME hold exactly these bytes. A file that does already is not written.
 * On an error, of which *problem says what it is, no part of the file is left. */
EFI_STATUS write_file(const char *name, const void *bytes, UINTN size, const char **problem);
/* Makes the folder \bulkhead\NAME if it is not there. Errors show when files are put into it. */
void write_folder(const char *name);
/* The last bytes of a file, at most `room`; 0 when it cannot be read. */
UINTN write_read_end(const char *name, char *room, UINTN size);

/* --- last_log.c --- */
/* Takes the memory that the last run's log is in. The first thing of all: nothing may be allocated
 * before, or it might be there. */
void last_log_take(void);
/* Saves that log as \bulkhead\last.log, clears its memory for this run's and fills info->log. */
void last_log_save(struct boot_info *info);

/* --- erst.c --- */
/* The log's words in the record that a crash left in firmware's store, at most `*size` bytes; false
 * when there is none. */
bool erst_read(UINT64 *words, UINTN *size);
/* Takes that record out; false when the store refuses. After erst_read(). */
bool erst_clear(void);

/* --- platform.c --- */
UINT64 platform_rsdp(void);

/* --- graphics.c --- */
/* The screen: what the console is shown on, else the first that can be drawn on, those that a
 * monitor is known to be at first. Without one, framebuffer->problem says why, and so does the
 * console. */
void graphics_find(struct boot_framebuffer *framebuffer);

/* --- root_bridges.c --- */
/* Fills info->roots and info->root_windows as far as firmware tells. */
void platform_root_bridges(struct boot_info *info);

/* --- load.c --- */
/* Chooses and reads the configuration and the images it names; what is missing is left to the
 * hypervisor to report. */
void load_scenario(struct boot_info *info);
/* Loads bulkhead.elf and describes it in `image`; info->image_base and image_size are set. */
EFI_STATUS load_hypervisor(struct boot_info *info, struct elf_image *image);

/* --- tables.c, jump.asm --- */
/* Builds the page tables that boot_info.h promises; *root receives the PML4, below 4 GiB. `jump` is
 * the page that the switch happens in. */
EFI_STATUS tables_build(const struct boot_info *info, const struct elf_image *image, UINT64 jump,
                        UINT64 *root);
/* The code of the switch, copied to a page of its own and called there, with jump_parameters filled
 * in first: the page can be read-only then. All addresses but `entry` lie below 4 GiB. */
extern const uint8_t jump_start[], jump_end[], jump_parameters[];
struct jump_parameters {
    uint64_t entry;            /* 0: where the hypervisor begins, virtual */
    uint32_t continue_address; /* 8: jump_continue in that page */
    uint16_t continue_segment; /* 12 */
    uint16_t reserved;         /* 14 */
    uint16_t pad[3];           /* 16 */
    uint16_t table_limit;      /* 22: of the descriptor table */
    uint64_t table_base;       /* 24: jump_table in that page */
};
_Static_assert(offsetof(struct jump_parameters, table_base) == 24, "shared with jump.asm");
extern const uint8_t jump_continue[], jump_table[];
typedef void __attribute__((sysv_abi)) jump_function(struct boot_info *info, uint64_t root,
                                                     uint64_t page);
