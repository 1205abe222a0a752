/* SPDX-License-Identifier: MIT */
/*
 * The local APIC, always in x2APIC mode where the CPU has it (SDM 3A 11.12), else through its MMIO
 * page. Only the hypervisor's own use: a guest owns the APIC of its core directly.
 */
#pragma once

#include "hypervisor/base/core.h"

uint32_t apic_id(void);
void apic_end_of_interrupt(void);
/* Raw ICR command to a physical destination. False when a pending xAPIC command never finished. */
MUST_CHECK bool apic_send(uint32_t destination, uint32_t command);
#define APIC_COMMAND_NMI           0x4400u
#define APIC_COMMAND_FIXED(vector) (0x4000u | (vector))
/* After a guest: masks every LVT but the thermal sensor's where firmware handles it, stops the
 * timer, retires what is in service and pending (bounded), so that the next owner starts from the
 * power-on state. From then on the task priority holds back vectors 16 to 31: legal for a guest's
 * devices and siblings (SDM 3A 11.5.2), but the hypervisor's handlers would take one that arrives
 * late for the exception of that number. */
void apic_quiesce(void);
/* Before a guest: drops what arrived since apic_quiesce() and lets every vector through. */
void apic_open(void);
