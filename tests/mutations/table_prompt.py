# SPDX-License-Identifier: MIT
"""Mutations of what the prompt says; see table.py."""

from .kinds import Edit, Mutation, Unit, failed

NAMES = "hypervisor/monitor/names.c"
DECODE = "hypervisor/monitor/decode.c"
MAP = "hypervisor/monitor/commands_map.c"

PROMPT_MUTATIONS = (
    Mutation("number-not-said", "a number without 0x is shown as it was understood",
             (Edit(NAMES, "    else if (*value > 9 && !is_hexadecimal(text))", "    else if (*value > 9 && *text == '\\0')"),),
             (Unit("test_names", failed("test_numbers_are_said")),), quick=True),
    Mutation("number-overflows", "a number of more than 64 bits is none",
             (Edit(NAMES, "        if (*value > (limit - digit) / base)\n            return false;\n", ""),),
             (Unit("test_names", failed("test_numbers")),)),
    Mutation("dash-is-a-device", "a function without a name is not found by one",
             (Edit(NAMES, ' && !text_equal(text, "-")', ""),),
             (Unit("test_names", failed("test_devices")),)),
    Mutation("why-without-master", "why says first that a function may not send at all",
             (Edit(DECODE, "    if (function != NULL && !decode_masters(function))\n", "    if (function != NULL && decode_masters(function))\n"),),
             (Unit("test_decode", failed("test_why")),)),
    Mutation("walk-takes-reads-for-writes", "why knows what may be read from what may be written",
             (Edit(DECODE, "        look.write = (rights & PAGE_WRITE) != 0 ? 0 : REASON_WRITE;", "        look.write = (rights & PAGE_READ) != 0 ? 0 : REASON_WRITE;"),),
             (Unit("test_decode", failed("test_why")),)),
    Mutation("interrupt-from-anybody", "walk irq says whose source is not verified",
             (Edit(DECODE, "checks[entry->validation]", 'checks[entry->validation != 0 ? entry->validation : 1]'),),
             (Unit("test_decode", failed("test_interrupts")),)),
    Mutation("map-joins-rights", "pages with other rights are another record of map",
             (Edit(MAP, " && walk.rights == rights)", ")"),),
             (Unit("test_map", failed("what_belongs_together")),), quick=True),
    Mutation("map-of-nothing", "what map cannot read it does not show as memory",
             (Edit(MAP, "walk.present ? walk.page_size : 0;", "walk.page_size;"),),
             (Unit("test_map", failed("a_table_that_cannot_be_read")),)),
    Mutation("tree-without-vfs", "VFs are below their PF in devices",
             (Edit("hypervisor/setup/words_devices.c", "return function->is_vf ? function->pf : function->bridge;", "return function->bridge;"),),
             (Unit("test_words", failed("the_tree")),)),
    Mutation("violation-of-another-invariant", "audit -v counts a violation where it belongs",
             (Edit("hypervisor/audit/audit_report.c", "    audit_check(audit, invariant)->violated++;", '    audit_check(audit, "I1")->violated++;'),),
             (Unit("test_audit_pf", failed("what_a_pf_driver_finds_is_a_violation")),)),
)
