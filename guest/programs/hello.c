/* SPDX-License-Identifier: MIT */
/* Says hello, takes a few timer interrupts, lists its devices and exits with `status`. */
#include "guest/runtime/runtime.h"

#define VECTOR_TIMER 0x41

static volatile unsigned ticks;

static void tick(void)
{
    ticks = ticks + 1;
}

int guest_main(void)
{
    struct pci_device device;
    unsigned wanted = (unsigned)argument_number("ticks", 10);
    print("hello from core with APIC id %u, %llu MiB of memory\n", own_apic_id(),
          (unsigned long long)(memory_size() >> 20));
    for (unsigned index = 0; pci_device(index, &device); index++)
        print("device 00:%02x.0 %04x:%04x\n", device.slot, device.vendor, device.device);
    interrupt_handle(VECTOR_TIMER, tick);
    timer_once(VECTOR_TIMER, 1000); /* measures the timer */
    interrupt_wait();
    event(1);
    while (ticks < wanted + 1) {
        timer_once(VECTOR_TIMER, 1000);
        interrupt_wait();
    }
    event(2);
    print("%u timer interrupts\n", ticks - 1);
    return (int)argument_number("status", 0);
}
