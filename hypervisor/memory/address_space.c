#include "hypervisor/memory/address_space.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/base/lock.h"
#include "hypervisor/memory/page_table.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/registers.h"

#define LEVELS        4u
#define LARGE_LEAF    2u              /* 2 MiB: every 64-bit processor has them */
#define REGION_SIZE   (512 * PAGE_1G) /* one top-level entry */
#define OWN_PAGES_END GIB(4)          /* pages.h */
#define CR3_ADDRESS   BITS(51, 12)

/* Where the linker put the image (linker.ld); first what runs only at boot. */
extern const char image_start[], image_boot_text_end[];
extern const char image_boot_rodata_start[], image_boot_rodata_end[];
extern const char image_boot_data_start[], image_boot_data_end[];
extern const char image_text_start[], image_text_end[];
extern const char image_rodata_start[], image_rodata_end[];
extern const char image_data_start[], image_data_end[];
extern const char boot_stack_guard[];

/* The boot core's tables. Every other root repeats its top-level entries but the window's, and
 * these entries exist before the first other root does: what is mapped later appears on all cores.
 */
static struct page_table shared;
static struct lock lock;
static uint64_t next_device = DEVICE_MAP_BASE;
static uint64_t next_stack = STACK_MAP_BASE;
static uint64_t trampoline = UINT64_MAX; /* its page, while it is mapped */

static struct core {
    uint64_t cr3;
    uint64_t *top; /* the 4-level root */
    struct page_table window;
    uint64_t window_base, window_size; /* physical; size 0: closed */
    unsigned window_users;
} cores[CPU_MAX];

/* The bits that the walker uses. */
static uint64_t input_of(uint64_t address)
{
    return address & BITS(47, 0);
}

static unsigned top_index(uint64_t address)
{
    return (unsigned)FIELD(address, 47, 39);
}

static enum status map_shared(uint64_t address, uint64_t physical, uint64_t size, unsigned rights)
{
    return page_table_map(&shared, input_of(address), physical, size, rights);
}

enum status direct_map_add(uint64_t physical, uint64_t size)
{
    if (shared.root == NULL)
        return STATUS_OK; /* the first chunk, which address_space_init() maps */
    return map_shared(DIRECT_MAP_BASE + physical, physical, size, PAGE_READ | PAGE_WRITE);
}

static enum status map_image(const struct boot_info *boot)
{
    const struct {
        const char *start, *end;
        unsigned rights;
    } parts[] = {
        {image_start, image_boot_text_end, PAGE_READ | PAGE_EXECUTE},
        {image_boot_rodata_start, image_boot_rodata_end, PAGE_READ},
        {image_boot_data_start, image_boot_data_end, PAGE_READ | PAGE_WRITE},
        {image_text_start, image_text_end, PAGE_READ | PAGE_EXECUTE},
        {image_rodata_start, image_rodata_end, PAGE_READ},
        {image_data_start, boot_stack_guard, PAGE_READ | PAGE_WRITE},
        {boot_stack_guard + PAGE_SIZE, image_data_end, PAGE_READ | PAGE_WRITE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint64_t start = (uintptr_t)parts[i].start;
        uint64_t size = ALIGN_UP((uintptr_t)parts[i].end - start, PAGE_SIZE);
        uint64_t physical = start - (uintptr_t)image_start + boot->image_base;
        enum status status = map_shared(start, physical, size, parts[i].rights);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The top-level entries of all shared regions, and the lower tables that the direct map needs so
 * that it can grow without taking a page. */
static enum status create_regions(void)
{
    enum status status =
        page_table_populate(&shared, input_of(DIRECT_MAP_BASE), OWN_PAGES_END, LARGE_LEAF);
    static const uint64_t regions[] = {0, DEVICE_MAP_BASE, STACK_MAP_BASE};
    for (size_t i = 0; i < ARRAY_SIZE(regions) && status == STATUS_OK; i++)
        status = page_table_populate(&shared, input_of(regions[i]), PAGE_SIZE, LEVELS - 1);
    for (size_t i = 0; status == STATUS_OK && pages_chunk(i) != 0; i++) {
        struct page_walk walk;
        page_table_walk(&shared, input_of(DIRECT_MAP_BASE) + pages_chunk(i), &walk);
        if (!walk.present)
            status = direct_map_add(pages_chunk(i), PAGE_2M);
    }
    return status;
}

/* Firmware may have chosen 5 levels, which 64-bit mode cannot leave: one more table on top then. */
static uint64_t create_top(void)
{
    if ((cr4_read() & CR4_LA57) == 0)
        return physical_address(shared.root);
    uint64_t *top = pages_allocate(1);
    if (top == NULL)
        return 0;
    top[0] = shared.format->table(physical_address(shared.root));
    top[511] = top[0];
    return physical_address(top);
}

enum status address_space_init(const struct boot_info *boot)
{
    uint64_t size = (uintptr_t)image_data_end - (uintptr_t)image_start;
    enum status status = pages_init(boot->image_base, (uintptr_t)image_start, size);
    if (status == STATUS_OK)
        status = page_table_create(&shared, &page_format_host, LEVELS, LARGE_LEAF, false);
    if (status == STATUS_OK)
        status = create_regions();
    if (status == STATUS_OK)
        status = map_image(boot);
    uint64_t cr3 = status == STATUS_OK ? create_top() : 0;
    if (cr3 == 0) {
        log_event("memory.refused",
                  "status=%s image=0x%llx message=\"no tables for the "
                  "hypervisor's own address space: 2 MiB of usable memory below 4 GiB are needed\"",
                  status_name(status), (unsigned long long)boot->image_base);
        return status == STATUS_OK ? STATUS_NO_MEMORY : status;
    }
    /* Global entries of the loader's or firmware's tables must not survive the switch. */
    cr4_write(cr4_read() & ~CR4_PGE);
    cr3_write(cr3);
    uint64_t root = physical_address(shared.root);
    pages_use_direct_map();
    shared.root = virtual_address(root);
    cores[0] = (struct core){.cr3 = cr3, .top = shared.root};
    return STATUS_OK;
}

uint64_t address_space_create_core(unsigned core)
{
    if (core == 0 || core >= CPU_MAX || shared.root == NULL)
        return 0;
    if (cores[core].top == NULL) {
        uint64_t *top = pages_allocate(1);
        if (top == NULL)
            return 0;
        memcpy(top, shared.root, PAGE_SIZE);
        top[top_index(WINDOW_BASE)] = 0;
        cores[core] = (struct core){.cr3 = physical_address(top), .top = top};
    }
    return cores[core].cr3;
}

uint64_t address_space_root(void)
{
    uint64_t root = cr3_read() & CR3_ADDRESS;
    if ((cr4_read() & CR4_LA57) == 0)
        return root;
    const uint64_t *top = virtual_address(root);
    return top != NULL ? top[511] & shared.format->address_mask : 0;
}

enum status trampoline_map(uint64_t physical)
{
    if (physical >= MIB(1))
        return STATUS_INVALID;
    lock_take(&lock);
    enum status status = map_shared(physical, physical, PAGE_SIZE, PAGE_READ | PAGE_EXECUTE);
    trampoline = physical;
    lock_give(&lock);
    return status;
}

/* --- regions that only grow --- */

/* One past the last physical address: a page-table entry with a higher one faults (SDM 3A 4.1.4),
 * and addresses in firmware's tables may be anything. */
static uint64_t physical_end(void)
{
    uint32_t bits =
        cpuid(0x80000000u, 0).eax >= 0x80000008u ? cpuid(0x80000008u, 0).eax & 0xff : 36;
    return BIT(MIN(bits, 52u));
}

static uintptr_t map_on_demand(uint64_t physical, uint64_t size, unsigned rights)
{
    const uint64_t first = ALIGN_DOWN(physical, PAGE_SIZE), end = physical_end();
    if (size == 0 || physical >= end || size > REGION_SIZE || size > end - physical)
        return 0;
    uint64_t bytes = ALIGN_UP(physical + size, PAGE_SIZE) - first;
    lock_take(&lock);
    uint64_t address = next_device;
    /* In step with the physical address, so that large windows (ECAM) take large pages. */
    if (bytes >= PAGE_2M)
        address = ALIGN_UP(address, PAGE_2M) + first % PAGE_2M;
    enum status status = STATUS_FULL;
    if (address + bytes <= DEVICE_MAP_BASE + REGION_SIZE) {
        next_device = address + bytes;
        status = map_shared(address, first, bytes, rights);
        if (status != STATUS_OK && page_table_unmap(&shared, input_of(address), bytes) != STATUS_OK)
            status = STATUS_NO_MEMORY;
    }
    lock_give(&lock);
    if (status != STATUS_OK) {
        log_event("memory.refused",
                  "physical=0x%llx size=0x%llx status=%s message=\"cannot be "
                  "mapped for the hypervisor: too little memory is left for its tables\"",
                  (unsigned long long)physical, (unsigned long long)size, status_name(status));
        return 0;
    }
    return address + physical % PAGE_SIZE;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    return map_on_demand(physical, size, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
}

const void *map_firmware(uint64_t physical, uint64_t size)
{
    return (const void *)map_on_demand(physical, size, PAGE_READ);
}

static void unmap_shared(uint64_t address, uint64_t size)
{
    lock_take(&lock);
    enum status status = page_table_unmap(&shared, input_of(address), size);
    lock_give(&lock);
    cr3_write(cr3_read());
    if (status != STATUS_OK)
        log_event("memory.refused",
                  "address=0x%llx size=0x%llx status=%s message=\"stays mapped "
                  "for the hypervisor\"",
                  (unsigned long long)address, (unsigned long long)size, status_name(status));
}

void unmap(uintptr_t address, uint64_t size)
{
    if (address < DEVICE_MAP_BASE || address >= next_device || size > next_device - address)
        return;
    uint64_t first = ALIGN_DOWN(address, PAGE_SIZE);
    unmap_shared(first, ALIGN_UP(address + size, PAGE_SIZE) - first);
}

void trampoline_unmap(uint64_t physical)
{
    if (physical < MIB(1))
        unmap_shared(physical, PAGE_SIZE);
    trampoline = UINT64_MAX;
}

uintptr_t stack_create(size_t pages)
{
    void *memory = pages_allocate(pages);
    if (memory == NULL)
        return 0;
    lock_take(&lock);
    uint64_t bottom = next_stack + PAGE_SIZE;
    uint64_t top = bottom + pages * PAGE_SIZE;
    enum status status = STATUS_FULL;
    if (top + PAGE_SIZE <= STACK_MAP_BASE + REGION_SIZE) {
        next_stack = top;
        status =
            map_shared(bottom, physical_address(memory), pages * PAGE_SIZE, PAGE_READ | PAGE_WRITE);
    }
    lock_give(&lock);
    /* On failure the pages stay taken: a part of them may be mapped. */
    return status == STATUS_OK ? top : 0;
}

bool stack_is_guard(uintptr_t address)
{
    if (address - (uintptr_t)boot_stack_guard < PAGE_SIZE)
        return true;
    if (address < STACK_MAP_BASE || address >= next_stack + PAGE_SIZE)
        return false;
    struct page_walk walk;
    page_table_walk(&shared, input_of(address), &walk);
    return !walk.present;
}

/* --- the window --- */

static struct core *own_window(void)
{
    uint64_t cr3 = cr3_read() & CR3_ADDRESS;
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (cores[i].top != NULL && cores[i].cr3 == cr3)
            return &cores[i];
    return NULL;
}

static void close_window(struct core *core)
{
    __atomic_store_n(&core->top[top_index(WINDOW_BASE)], 0, __ATOMIC_RELEASE);
    cr3_write(core->cr3);
    page_table_destroy(&core->window);
    core->window_size = 0;
    core->window_users = 0;
}

void *window_open(uint64_t physical, uint64_t size)
{
    struct core *core = own_window();
    owner_t owner = frames_owner(physical);
    uint64_t first = ALIGN_DOWN(physical, PAGE_SIZE);
    if (core == NULL || size == 0 || size > REGION_SIZE - PAGE_2M ||
        (owner != OWNER_HYPERVISOR && !OWNER_IS_GUEST(owner)) ||
        !frames_owned_by(physical, size, owner)) {
        log_event("memory.refused",
                  "physical=0x%llx size=0x%llx owner=\"%s\" message=\"the window "
                  "shows memory of one guest only\"",
                  (unsigned long long)physical, (unsigned long long)size, frames_owner_kind(owner));
        return NULL;
    }
    uint64_t bytes = ALIGN_UP(physical + size, PAGE_SIZE) - first;
    uint64_t input = first % PAGE_2M; /* in step with the physical address: large pages */
    if (first >= core->window_base && first - core->window_base < core->window_size &&
        bytes <= core->window_size - (first - core->window_base)) {
        core->window_users++;
        return (void *)(uintptr_t)(WINDOW_BASE + core->window_base % PAGE_2M + physical -
                                   core->window_base);
    }

    close_window(core);
    enum status status =
        page_table_create(&core->window, &page_format_host, LEVELS - 1, LARGE_LEAF, false);
    if (status == STATUS_OK)
        status = page_table_map(&core->window, input, first, bytes, PAGE_READ | PAGE_WRITE);
    if (status != STATUS_OK) {
        page_table_destroy(&core->window);
        return NULL;
    }
    uint64_t entry = shared.format->table(physical_address(core->window.root));
    __atomic_store_n(&core->top[top_index(WINDOW_BASE)], entry, __ATOMIC_RELEASE);
    core->window_base = first;
    core->window_size = bytes;
    core->window_users = 1;
    return (void *)(uintptr_t)(WINDOW_BASE + input + physical % PAGE_SIZE);
}

void window_close(void)
{
    struct core *core = own_window();
    if (core == NULL || core->window_users == 0)
        return;
    if (--core->window_users == 0)
        close_window(core);
}

/* --- the part of the image that runs only at boot --- */

/* Other cores flush their TLBs when they open a window, before they run a guest. */
uint64_t address_space_drop_boot(uint64_t physical)
{
    uint64_t size = (uintptr_t)image_text_start - (uintptr_t)image_start;
    void *bytes = window_open(physical, size);
    if (bytes == NULL)
        return 0;
    memset(bytes, 0xcc, size); /* INT3: whoever still gets there is told apart from a crash */
    window_close();
    unmap_shared((uintptr_t)image_start, size);
    pages_shrink_image(size);
    return frames_transfer(physical, size, OWNER_HYPERVISOR, OWNER_NOBODY) == STATUS_OK ? size : 0;
}

bool address_space_may_execute(uint64_t address)
{
    uint64_t size = ALIGN_UP((uintptr_t)image_text_end - (uintptr_t)image_text_start, PAGE_SIZE);
    return address - input_of((uintptr_t)image_text_start) < size ||
           ALIGN_DOWN(address, PAGE_SIZE) == trampoline;
}
