/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/vmx/vmx.h"

struct vmx_capabilities vmx_capabilities;
struct vmx_controls vmx_controls;
/* In the image, so that a core can enter VMX operation without an allocation that may fail. */
uint8_t vmx_on_regions[CPU_MAX][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint8_t vmx_msr_bitmap[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint8_t vmx_io_bitmaps[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
