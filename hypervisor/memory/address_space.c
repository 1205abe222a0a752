/* SPDX-License-Identifier: MIT */
#include "hypervisor/memory/address_space_internal.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/x86/registers.h"

#define CR3_ADDRESS BITS(51, 12)

/* linker.ld; what runs only at boot lies before the text */
extern const char image_start[], image_text_start[], image_text_end[], boot_stack_guard[];

struct address_space address_space = {
    .next_device = DEVICE_MAP_BASE, .next_stack = STACK_MAP_BASE, .trampoline = UINT64_MAX};

enum status address_space_map(uint64_t address, uint64_t physical, uint64_t size, unsigned rights)
{
    return page_table_map(&address_space.shared, input_of(address), physical, size, rights);
}

enum status direct_map_add(uint64_t physical, uint64_t size)
{
    if (address_space.shared.root == NULL)
        return STATUS_OK; /* the first chunk, which address_space_init() maps */
    return address_space_map(DIRECT_MAP_BASE + physical, physical, size, PAGE_READ | PAGE_WRITE);
}

uint64_t address_space_root(void)
{
    uint64_t root = cr3_read() & CR3_ADDRESS;
    if ((cr4_read() & CR4_LA57) == 0)
        return root;
    const uint64_t *top = virtual_address(root);
    return top != NULL ? top[511] & PAGE_ENTRY_ADDRESS : 0;
}

/* --- regions that only grow --- */

uintptr_t address_space_map_on_demand(uint64_t physical, uint64_t size, unsigned rights)
{
    const uint64_t first = ALIGN_DOWN(physical, PAGE_SIZE), end = address_space.physical_end;
    if (size == 0 || physical >= end || size > REGION_SIZE || size > end - physical)
        return 0;
    uint64_t bytes = ALIGN_UP(physical + size, PAGE_SIZE) - first;
    lock_take(&address_space.lock);
    uint64_t address = address_space.next_device;
    /* In step with the physical address, so that large windows (ECAM) take large pages. */
    if (bytes >= PAGE_2M)
        address = ALIGN_UP(address, PAGE_2M) + first % PAGE_2M;
    enum status status = STATUS_FULL;
    if (address + bytes <= DEVICE_MAP_BASE + REGION_SIZE) {
        address_space.next_device = address + bytes;
        status = address_space_map(address, first, bytes, rights);
        if (status != STATUS_OK &&
            page_table_unmap(&address_space.shared, input_of(address), bytes) != STATUS_OK)
            status = STATUS_NO_MEMORY;
    }
    lock_give(&address_space.lock);
    if (status != STATUS_OK) {
        log_event("memory.refused",
                  "physical=0x%lx size=0x%lx status=%s message=\"cannot be mapped for the "
                  "hypervisor: too little memory is left for its tables\"",
                  physical, size, status_name(status));
        return 0;
    }
    return address + physical % PAGE_SIZE;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return address_space_map_on_demand(physical, size, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
}

void address_space_unmap(uint64_t address, uint64_t size)
{
    lock_take(&address_space.lock);
    enum status status = page_table_unmap(&address_space.shared, input_of(address), size);
    lock_give(&address_space.lock);
    cr3_write(cr3_read());
    if (status != STATUS_OK)
        log_event("memory.refused",
                  "address=0x%lx size=0x%lx status=%s message=\"stays mapped for the hypervisor\"",
                  address, size, status_name(status));
}

bool stack_is_guard(uintptr_t address)
{
    if (address - (uintptr_t)boot_stack_guard < PAGE_SIZE)
        return true;
    if (address < STACK_MAP_BASE || address >= address_space.next_stack + PAGE_SIZE)
        return false;
    struct page_walk walk;
    page_table_walk(&address_space.shared, input_of(address), &walk);
    return !walk.present;
}

/* --- the window --- */

static struct core_space *own_window(void)
{
    uint64_t cr3 = cr3_read() & CR3_ADDRESS;
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (address_space.cores[i].top != NULL && address_space.cores[i].cr3 == cr3)
            return &address_space.cores[i];
    return NULL;
}

static void close_window(struct core_space *core)
{
    __atomic_store_n(&core->top[top_index(WINDOW_BASE)], 0, __ATOMIC_RELEASE);
    cr3_write(core->cr3);
    page_table_destroy(&core->window);
}

void *window_open(const struct memory_piece *pieces, unsigned count)
{
    struct core_space *core = own_window();
    owner_t owner = frames_owner(pieces[0].physical);
    bool shown = core != NULL && (owner == OWNER_HYPERVISOR || OWNER_IS_GUEST(owner));
    for (unsigned i = 0; i < count; i++)
        shown = shown && frames_owned_by(pieces[i].physical, pieces[i].size, owner);
    if (!shown) {
        log_event("memory.refused",
                  "physical=0x%lx size=0x%lx owner=%s message=\"the window shows memory of one "
                  "guest only\"",
                  pieces[0].physical, pieces[0].size, owner_kind(owner));
        return NULL;
    }
    close_window(core);
    enum status status = page_table_create(&core->window, &page_format_host, LEVELS - 1,
                                           address_space.window_leaf, false);
    for (unsigned i = 0; i < count && status == STATUS_OK; i++)
        status = page_table_map(&core->window, pieces[i].at, pieces[i].physical, pieces[i].size,
                                PAGE_READ | PAGE_WRITE);
    if (status != STATUS_OK) {
        page_table_destroy(&core->window);
        return NULL;
    }
    uint64_t entry = address_space.shared.format->table(physical_address(core->window.root));
    __atomic_store_n(&core->top[top_index(WINDOW_BASE)], entry, __ATOMIC_RELEASE);
    return (void *)(uintptr_t)WINDOW_BASE;
}

void window_close(void)
{
    struct core_space *core = own_window();
    if (core != NULL && core->window.root != NULL)
        close_window(core);
}

/* --- the parts of the image that go --- */

/* Other cores flush their TLBs when they open a window, before they run a guest. */
uint64_t address_space_drop(uint64_t physical, uintptr_t address, uint64_t size)
{
    const struct memory_piece part = {0, physical, size};
    void *bytes = window_open(&part, 1);
    if (bytes == NULL)
        return 0;
    memset(bytes, 0xcc, size); /* INT3: whoever still gets there is told apart from a crash */
    window_close();
    address_space_unmap(address, size);
    return frames_transfer(physical, size, OWNER_HYPERVISOR, OWNER_NOBODY) == STATUS_OK ? size : 0;
}

uint64_t address_space_drop_boot(uint64_t physical)
{
    return address_space_drop(physical, (uintptr_t)image_start,
                              (uintptr_t)image_text_start - (uintptr_t)image_start);
}

bool address_space_may_execute(uint64_t address, uint64_t physical)
{
    uint64_t size = ALIGN_UP((uintptr_t)image_text_end - (uintptr_t)image_text_start, PAGE_SIZE);
    return (address - input_of((uintptr_t)image_text_start) < size &&
            frames_owner(physical) == OWNER_HYPERVISOR) ||
           ALIGN_DOWN(address, PAGE_SIZE) == address_space.trampoline;
}
