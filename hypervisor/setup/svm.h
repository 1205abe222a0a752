/* SPDX-License-Identifier: MIT */
/* What the files that bring SVM up share. */
#pragma once

#include "hypervisor/setup/vcpu.h"
#include "hypervisor/vcpu/svm/svm.h"

extern const struct vcpu_setup svm_setup;

/* --- svm_bitmaps.c: permission maps that all vCPUs share (APM 2 15.10, 15.11) --- */
#define SVM_MSRPM_PAGES 2
#define SVM_IOPM_PAGES  3
void svm_bitmaps_build(uint8_t *msrpm, uint8_t *iopm);

/* --- svm_vmcb.c --- */
/* Intercepts, maps, nested paging. Addresses are physical. */
void svm_vmcb_init(struct vmcb *vmcb, uint64_t msrpm, uint64_t iopm, uint64_t nested_cr3);
