/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/vmx/vmx.h"

struct vmx_capabilities vmx_capabilities;
struct vmx_controls vmx_controls;
uint8_t vmx_msr_bitmap[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint8_t vmx_io_bitmaps[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
