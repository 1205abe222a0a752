# SPDX-License-Identifier: MIT
"""Mutations of who shares a physical core, and of what is cleared there; see table.py."""

from . import scenarios
from .kinds import Edit, Mutation, System, Unit, failed

AFFINITY = "hypervisor/setup/affinity.c"
APIC = "hypervisor/x86/apic.c"
BARRIER = "hypervisor/vcpu/barrier.c"
RUN = "hypervisor/vcpu/run.c"
SPECULATION = "hypervisor/setup/speculation.c"
TOPOLOGY = "hypervisor/setup/topology.c"

CPU_MUTATIONS = (
    Mutation("beside-another-guest", "no two guests have threads of one physical core",
             (Edit(AFFINITY, "return owner != NULL && owner != guest;", "return owner == &control_core && owner != guest;"),),
             (Unit("test_guests_threads", failed("no_two_guests_on_a_core")),
              System(scenarios.threads, r"two and one have threads of one core")), quick=True),
    Mutation("beside-the-control-core", "no guest has a thread of the control core's physical core",
             (Edit(AFFINITY, "    reserve_physical(0, &control_core);\n", ""),),
             (Unit("test_guests_threads", failed("cores_by_name")),
              System(scenarios.threads, r"one and the hypervisor have threads of one core")), quick=True),
    Mutation("named-beside-another-guest", "a core that a guest names is looked at like any other",
             (Edit(AFFINITY, "        if (is_withheld(cpu, guest))\n", "        if (is_withheld(cpu, guest) && guest == NULL)\n"),),
             (Unit("test_guests_threads", failed("cores_by_name")),), quick=True),
    Mutation("bad-section-permits", "a [system] section with an error permits nothing",
             (Edit("hypervisor/config/config.c", "if (parser->failed && section == SECTION_SYSTEM)",
                   "if (parser->failed && section == SECTION_NONE)"),),
             (Unit("test_config", failed("test_keys")),), quick=True),
    Mutation("contradictions-believed", "a core whose CPUID contradicts itself may be any core's thread",
             (Edit(TOPOLOGY, "    core->bits = (uint8_t)MAX((unsigned)core->bits, bits);\n", ""),),
             (Unit("test_topology", failed("levels_out_of_order")),), quick=True),
    Mutation("one-id-believed", "an APIC id that CPUID, MADT and APIC do not agree about is not believed",
             (Edit(TOPOLOGY, "    if (listed != apic_id)\n", "    if (listed != apic_id && listed == 0)\n"),),
             (Unit("test_topology", failed("an_apic_of_another_id")),), quick=True),
    Mutation("barrier-before-left-out", "what a core's last owner left is cleared before the next one comes",
             (Edit(RUN, "    core_barrier();\n    /* Also", "    /* Also"),),
             (Unit("test_vcpu_run", failed("test_a_barrier_between_owners")),), quick=True),
    Mutation("barrier-behind-left-out", "what a guest left in a core is cleared when it has gone",
             (Edit(RUN, "    core_barrier();\n    apic_quiesce();", "    apic_quiesce();"),),
             (Unit("test_vcpu_run", failed("test_a_barrier_between_owners")),), quick=True),
    Mutation("cache-not-flushed", "the first data cache is emptied between owners",
             (Edit(BARRIER, "(void)!msr_write_safe(MSR_FLUSH_CMD, 1);", "core_barriers.cache = true;"),),
             (Unit("test_vcpu_run", failed("test_a_barrier_between_owners")),), quick=True),
    Mutation("predictors-not-cleared", "an IBPB stands between owners",
             (Edit(BARRIER, "(void)!msr_write_safe(MSR_PRED_CMD, 1);", "core_barriers.predictors = true;"),),
             (Unit("test_vcpu_run", failed("test_a_barrier_between_owners")),), quick=True),
    Mutation("entries-unguarded", "what a CPU needs where threads have several owners is done at each entry",
             (Edit(SPECULATION, ".buffers = buffers_leak && cpu->verw,", ".buffers = false,"),),
             (Unit("test_speculation", failed("at_entries")),), quick=True),
    Mutation("thermal-entry-masked", "firmware's thermal handler keeps its sensors",
             (Edit(APIC, "        apic_write(APIC_LVT_THERMAL, apic_mode.thermal);",
                   "        apic_mode.thermal &= ~APIC_LVT_MASKED;"),),
             (Unit("test_apic", failed("firmwares_thermal_entry")),), quick=True),
)
