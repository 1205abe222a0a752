# SPDX-License-Identifier: MIT
"""L11: a PF driver for a second device: NVMe with virtualization enhancements."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

OPEN, ADMIN, SHARES, SECONDARY = ("drivers/nvme/setup/nvme_open.c", "drivers/nvme/nvme_admin.c",
                                  "drivers/nvme/setup/nvme_shares.c", "drivers/nvme/nvme_secondary.c")
QUEUES, ONE, SHARED, ONLINE = Host("l11_queues"), Host("l11_secondary"), Host("l11_shares"), Host("l11_online")
EACH = {"queues": 3, "vectors": 2}  # of QEMU's controller for each VF (tests/machine/qemu_command.py)


def vfs_of(seed: int) -> int:
    return 2 + seed % 4


def config(seed: int) -> str:
    """alpha has the last VF, beta the first one."""
    return ("# A controller with SR-IOV, and two guests on secondary controllers of it.\n\n"
            f"[disk store]\ndevice = 1b36:0010\nvfs    = {vfs_of(seed)}\nunsafe_controllers = yes\n\n" +
            "\n".join(f"[guest {name}]\nimage  = hello.elf\nmemory = {8 + 8 * ((seed + i) % 2)}M\ndevice = store.vf{vf}\nargs   = ticks=20\nexpect = exit 0\n"
                      for i, (name, vf) in enumerate((("alpha", vfs_of(seed) - 1), ("beta", 0)))))


def of(run, event: str) -> list:
    return [line for line in run.events if line.event == event]


def each_is_online(run) -> str | None:
    """Once at boot, and again for each start of a guest."""
    started = next(iter(of(run, "nvme.started")), None)
    if started is None:
        return None
    for key, each in EACH.items():
        if started.number(key) != each:
            return (f"each VF gets {started[key]} {key} (nvme.started); the controller has {each * started.number('vfs')} flexible ones, "
                    f"which {started['vfs']} VFs share: {each} each")
    vfs = of(run, "nvme.vf")
    for line in vfs:
        if (line.number("controller"), line.number("namespace")) != (line.number("vf") + 1, line.number("vf") + 1):
            return (f"VF {line['vf']} has controller {line['controller']} and namespace {line['namespace']} (nvme.vf); "
                    f"QEMU's list gives {line.number('vf') + 1}, and namespaces follow the same order")
    if len(vfs) != started.number("vfs"):
        return f"{len(vfs)} of {started['vfs']} VFs came online (nvme.vf)"
    for line in of(run, "nvme.vf_failed"):
        return f"VF {line['vf']}: {line['message']} ({line['status']})"
    ends = [line for line in of(run, "guest.stopped") if line.get("reason") == "exit"]
    seen = [line for line in of(run, "guest.output") if "device 00:" in line.get("text", "")]
    if len(ends) >= 2 and len(seen) < len(ends):
        return f"{len(ends)} guests ended, but only {len(seen)} have seen their device (guest.output)"
    return None


LAB = Lab(
    name="L11", title="NVMe: a PF driver for a second device", hours=9, config=config,
    steps=(
        Step(1, OPEN, "enable", "(void)controller;\nreturn STATUS_UNSUPPORTED;",
             "Stop the controller (CC.EN 0) and wait until CSTS.RDY follows (becomes(), enable_time()). Both queues are then "
             "empty: set tail, head, last_id, and the phase tag of the first round. Mask all interrupts (INTMS); write both "
             "sizes to AQA, and the addresses to ASQ and ACQ (write_address(), nvme_page_address()). Write CC with the entries' "
             "sizes and EN, and wait again. If CSTS.RDY does not follow, refuse with STATUS_TIMEOUT: \"it does not stop "
             "(CSTS.RDY stays 1)\", \"it does not start (CSTS.RDY stays 0)\". NVMe Base 2.0, 3.1.3.5 to 3.1.3.10, 3.5.1.", (Host("l11_enable"),)),
        Step(2, ADMIN, "submit", "(void)controller;\n(void)command;",
             "Copy the command into the submission queue's entry `tail`, advance the tail (NVME_ENTRIES entries), and tell the "
             "controller through its doorbell, after a memory_fence(). NVMe Base 2.0, 3.3.1, 3.3.3.1.", (QUEUES,)),
        Step(3, ADMIN, "complete", "(void)controller;\n(void)answer;\nreturn false;",
             "Wait, at most COMMAND_TIME, until the completion queue's entry `head` is new: its phase tag is controller->phase. "
             "Copy it, after a fence; advance the head, and invert the phase when the head comes back to 0; tell the controller "
             "through the other doorbell, `stride` bytes behind the first. Return false without an answer. NVMe Base 2.0, 3.3.1, "
             "3.3.3.2.", (QUEUES,)),
        Step(4, SECONDARY, "nvme_find_secondary", "(void)controller;\n(void)vf;\nreturn 0;",
             "In the Secondary Controller List (data page, nvme_data16()), find the entry whose VFN is that VF's and whose PCID "
             "is this controller's id, and return its offset, or 0. NUMID, one byte, says how many entries there are, at most "
             "127. NVMe Base 2.0, 5.17.2.16.", (ONE,)),
        Step(5, SECONDARY, "nvme_manage", "(void)controller;\n(void)action;\n(void)resource;\n(void)id;\n(void)count;\nreturn STATUS_UNSUPPORTED;",
             "Send one Virtualization Management command: CDW10 has the action, the resource type from bit 8 on and the "
             "controller from bit 16 on; CDW11 has the count; NSID is 0. After an assignment (8h), bits 15:0 of the result say "
             "how many were assigned; refuse another count with STATUS_DEVICE (\"a secondary controller got other resources than "
             "were assigned to it\"). NVMe Base 2.0, 5.39.", (ONE,)),
        Step(6, SHARES, "share", "(void)controller;\n(void)block;\n(void)least;\nreturn 2;",
             "Return each VF's share from the data page's block for queues or interrupts: the total (32 bits) divided by the "
             "number of VFs, at most what one VF may have, rounded down to a multiple of the granularity if that is above 1. "
             "Return 0 if the share is less than `least`. NVMe Base 2.0, 5.17.2.15.", (SHARED,)),
        Step(7, SHARES, "free_resources", "bool held;\nreturn read_resources(controller, &held);",
             "Call read_resources(); if the primary controller holds nothing, that is all. Otherwise it allocates itself 0 "
             "queues and 0 interrupts (1h, its own id), is closed (nvme_close(), even if 1h was refused), is reset and opened "
             "again (reset_and_open()), and its resources are read again. If it still holds any, refuse with STATUS_DEVICE "
             "(\"the primary controller does not give up its flexible resources\"). It stays open if all of this succeeded. "
             "After a failure, nothing else is done. NVMe Base 2.0, 8.26.1, 5.39.", (SHARED,)),
        Step(8, SECONDARY, "nvme_take_offline", "(void)controller;\n(void)vf;\nreturn STATUS_UNSUPPORTED;",
             "From now on nobody may rely on the VF (vf->online). Take its secondary controller offline (7h) and, if that "
             "succeeds, take all namespaces from it (nvme_detach_from()). NVMe Base 2.0, 8.26.3.", (ONLINE,)),
        Step(9, SECONDARY, "check_online", "(void)controller;\n(void)index;\nreturn STATUS_OK;",
             "Read the Secondary Controller List again: the VF's entry must be there, with the controller's id, online (SCS, bit "
             "0), and with as many queues and interrupts as were assigned. Otherwise STATUS_DEVICE: \"a secondary controller is "
             "not online with what it was given\". NVMe Base 2.0, 5.17.2.16.", (ONLINE,)),
        Step(10, SECONDARY, "nvme_bring_online", "(void)controller;\n(void)index;\nreturn STATUS_UNSUPPORTED;",
             "From any state: take the controller offline, assign queues and interrupts (8h), bring it online (9h), compare the "
             "list (check_online()), attach the namespace (nvme_attach()). Stop at the first failure. vf->online says whether "
             "everything succeeded. NVMe Base 2.0, 8.26.1 to 8.26.3.", (ONLINE,)),
    ),
    whole=(Machine("tcg", "lab", each_is_online, (("guest.stopped", "alpha", lambda run: "start alpha"),)),),
    units=("test_nvme", "test_nvme_hostile", "test_nvme_namespaces"),
    questions=(
        Question("controllers", "What is the id of alpha's secondary controller? (device.assigned, nvme.vf)",
                 lambda run: next(line["controller"] for line in of(run, "nvme.vf") if line.number("vf") == len(of(run, "nvme.vf")) - 1)),
        Question("alpha-vf", "What is the requester id of alpha's VF? (device.assigned)",
                 lambda run: next(line["rid"] for line in of(run, "device.assigned") if line["guest"] == "alpha")),
        Question("vectors", "How many MSI-X vectors does it have? (device.assigned)",
                 lambda run: next(line["vectors"] for line in of(run, "device.assigned") if line["guest"] == "alpha")),
    ),
    mistakes=(
        Mistake("not-stopped-first", 1, (Edit(OPEN, "    nvme_write(controller, NVME_CC, 0);\n    if (!becomes(controller, false, time))\n        return nvme_refuse(controller, STATUS_TIMEOUT, \"it does not stop (CSTS.RDY stays 1)\");\n", ""),),
                r"one that firmware left enabled: the controller minds: register 0x24 is written while CC\.EN is 1"),
        Mistake("stop-not-awaited", 1, (Edit(OPEN, "    if (!becomes(controller, false, time))\n        return nvme_refuse(controller, STATUS_TIMEOUT, \"it does not stop (CSTS.RDY stays 1)\");\n", ""),),
                r"CC\.EN becomes 1 while CSTS\.RDY is 1; the controller has not stopped yet \(3\.1\.3\.5\)"),
        Mistake("start-not-awaited", 1, (Edit(OPEN, "    if (!becomes(controller, true, time))\n        return nvme_refuse(controller, STATUS_TIMEOUT, \"it does not start (CSTS.RDY stays 0)\");\n", ""),),
                r"nvme_open\(\) says ok while CSTS\.RDY is 0"),
        Mistake("sizes-not-zero-based", 1, (Edit(OPEN, "(NVME_ENTRIES - 1) << 16 | (NVME_ENTRIES - 1));", "NVME_ENTRIES << 16 | NVME_ENTRIES);"),),
                r"ASQS \(bits 11:0\) 32 and ACQS \(27:16\) 32 give 33 and 33 entries, and both queues have 32; sizes are 0-based \(3\.1\.3\.8\)"),
        Mistake("completion-size-forgotten", 1, (Edit(OPEN, "(NVME_ENTRIES - 1) << 16 | (NVME_ENTRIES - 1));", "NVME_ENTRIES - 1);"),),
                r"ACQS \(27:16\) 0 give 32 and 1 entries"),
        Mistake("queues-swapped", 1, (Edit(OPEN, "    write_address(controller, NVME_ASQ, nvme_page_address(NVME_PAGE_SUBMISSION));\n    write_address(controller, NVME_ACQ, nvme_page_address(NVME_PAGE_COMPLETION));", "    write_address(controller, NVME_ACQ, nvme_page_address(NVME_PAGE_SUBMISSION));\n    write_address(controller, NVME_ASQ, nvme_page_address(NVME_PAGE_COMPLETION));"),),
                r"the pages lie at 0x\w+ and 0x\w+ in the PF's domain \(3\.1\.3\.9"),
        Mistake("physical-address", 1, (Edit(OPEN, "NVME_ASQ, nvme_page_address(NVME_PAGE_SUBMISSION));", "NVME_ASQ, NVME_PAGE_SUBMISSION * PAGE_SIZE + PAGE_SIZE);"),),
                r"ASQ is 0x1000 and ACQ 0x\w+; the pages lie at"),
        Mistake("enabled-before-the-queues", 1, (Edit(OPEN, "    nvme_write(controller, NVME_INTMS, UINT32_MAX);\n", "    nvme_write(controller, NVME_INTMS, UINT32_MAX);\n    nvme_write(controller, NVME_CC, NVME_CC_ENTRY_SIZES | NVME_CC_ENABLE);\n"),),
                r"CC\.EN becomes 1 with AQA 0, ASQ 0, ACQ 0; all three are set before \(3\.5\.1\)"),
        Mistake("entry-sizes-forgotten", 1, (Edit(OPEN, "NVME_CC, NVME_CC_ENTRY_SIZES | NVME_CC_ENABLE);", "NVME_CC, NVME_CC_ENABLE);"),),
                r"CC is 0x1 and 0x460001 is expected: IOCQES 4"),
        Mistake("interrupts-not-masked", 1, (Edit(OPEN, "    nvme_write(controller, NVME_INTMS, UINT32_MAX);\n", ""),), r"with INTMS 0; completions are looked for"),
        Mistake("phase-of-nobody", 1, (Edit(OPEN, "    controller->phase = 1;\n", "    controller->phase = 0;\n"),),
                r"phase is 0; the queue's memory is 0, and the controller writes phase tag 1 in its first round"),
        Mistake("indices-left", 1, (Edit(OPEN, "    controller->tail = controller->head = controller->last_id = 0;\n", ""),),
                r"tail 5, head 7, last_id 9 are left from before"),
        Mistake("gives-up-at-once", 1, (Edit(OPEN, "    uint64_t time = enable_time(controller);\n    nvme_write", "    uint64_t time = MILLISECONDS(20);\n    nvme_write"),),
                r"given up after \d+ ms, and CAP\.TO gives the controller 1500 \(3\.1\.3\.1\)"),
        Mistake("start-not-checked", 1, (Edit(OPEN, "    if (!becomes(controller, true, time))\n        return nvme_refuse(controller, STATUS_TIMEOUT, \"it does not start (CSTS.RDY stays 0)\");\n", "    (void)becomes(controller, true, time);\n"),),
                r"one that does not start: nvme_open\(\) says ok .*timeout is expected"),
        Mistake("doorbell-first", 2, (Edit(ADMIN, "    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,\n           sizeof *command);\n    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);\n    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);\n",
                "    uint16_t tail = controller->tail;\n    controller->tail = (uint16_t)((tail + 1) % NVME_ENTRIES);\n    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);\n    memcpy(page(controller, NVME_PAGE_SUBMISSION) + tail * sizeof *command, command, sizeof *command);\n"),),
                r"the doorbell hands entry 0 of the submission queue over, and nothing is in it; the entry is written first \(3\.3\.3\.1\)"),
        Mistake("entry-behind-the-tail", 2, (Edit(ADMIN, "    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,\n           sizeof *command);\n    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);\n",
                "    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);\n    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,\n           sizeof *command);\n"),),
                r"hands entry 0 of the submission queue over, and nothing is in it"),
        Mistake("always-entry-0", 2, (Edit(ADMIN, "    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,\n", "    memcpy(page(controller, NVME_PAGE_SUBMISSION), command,\n"),),
                r"hands entry 1 of the submission queue over, and nothing is in it"),
        Mistake("no-fence-before-the-doorbell", 2, (Edit(ADMIN, "    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);", "    nvme_write(controller, NVME_DOORBELLS, controller->tail);"),),
                r"SQ0TDBL is written without a memory_fence\(\)"),
        Mistake("fence-before-the-entry", 2, (Edit(ADMIN, "    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,\n           sizeof *command);\n", "    memory_fence();\n    memcpy(page(controller, NVME_PAGE_SUBMISSION) + controller->tail * sizeof *command, command,\n           sizeof *command);\n"),
                                              Edit(ADMIN, "    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);", "    nvme_write(controller, NVME_DOORBELLS, controller->tail);")),
                r"entry 0 of the submission queue was written behind the memory_fence\(\), and SQ0TDBL may overtake it"),
        Mistake("tail-without-end", 2, (Edit(ADMIN, "    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);", "    controller->tail = (uint16_t)(controller->tail + 1);"),),
                r"command 32, .*SQ0TDBL is 32, and the queue has the entries 0 to 31: an invalid doorbell value"),
        Mistake("old-tail", 2, (Edit(ADMIN, "    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);\n    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);\n", "    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);\n    controller->tail = (uint16_t)((controller->tail + 1) % NVME_ENTRIES);\n"),),
                r"SQ0TDBL is 0, as it was: an invalid doorbell value"),
        Mistake("doorbell-forgotten", 2, (Edit(ADMIN, "    memory_fence();\n    nvme_write(controller, NVME_DOORBELLS, controller->tail);", "    memory_fence();"),),
                r"SQ0TDBL was not written, so the controller does not know of the command"),
        Mistake("id-in-the-doorbell", 2, (Edit(ADMIN, "    nvme_write(controller, NVME_DOORBELLS, controller->tail);", "    nvme_write(controller, NVME_DOORBELLS, command->id);"),),
                r"command 32, .*SQ0TDBL is 32, and the queue has the entries 0 to 31"),
        Mistake("half-a-command", 2, (Edit(ADMIN, "controller->tail * sizeof *command, command,\n           sizeof *command);", "controller->tail * sizeof *command, command,\n           32);"),),
                r"opcode 0x6 with CDW10 0 and CDW11 0 arrived, and status 0x2 came back: all 64 bytes"),
        Mistake("phase-not-looked-at", 3, (Edit(ADMIN, "    if (!WAIT_UNTIL((entry->status & NVME_STATUS_PHASE) == controller->phase, COMMAND_TIME))\n        return false;\n", ""),),
                r"command 1, .*CQ0HDBL is written, and entry 0 of the completion queue was not posted yet; it is new when its phase tag is 1"),
        Mistake("phase-never-inverted", 3, (Edit(ADMIN, "    if (controller->head == 0)\n        controller->phase ^= 1;\n", ""),),
                r"command 33, .*entry 0 of the completion queue was not posted yet; it is new when its phase tag is 0, and old while it is 1"),
        Mistake("inverted-each-time", 3, (Edit(ADMIN, "    if (controller->head == 0)\n        controller->phase ^= 1;\n", "    controller->phase ^= 1;\n"),),
                r"command 2, .*CQ0HDBL is written, and entry 1 of the completion queue was not posted yet"),
        Mistake("inverted-one-early", 3, (Edit(ADMIN, "    if (controller->head == 0)\n        controller->phase ^= 1;\n", "    if (controller->head == NVME_ENTRIES - 1)\n        controller->phase ^= 1;\n"),),
                r"command 32, .*entry 31 of the completion queue was not posted yet; it is new when its phase tag is 1"),
        Mistake("nonzero-is-new", 3, (Edit(ADMIN, "(entry->status & NVME_STATUS_PHASE) == controller->phase", "(entry->status & NVME_STATUS_PHASE) != 0"),),
                r"command 33, .*old while it is 1"),
        Mistake("head-doorbell-forgotten", 3, (Edit(ADMIN, "    nvme_write(controller, NVME_DOORBELLS + controller->stride, controller->head);\n", ""),),
                r"the completion was taken, and CQ0HDBL is still 0"),
        Mistake("head-without-end", 3, (Edit(ADMIN, "    controller->head = (uint16_t)((controller->head + 1) % NVME_ENTRIES);", "    controller->head = (uint16_t)(controller->head + 1);"),),
                r"command 32, .*CQ0HDBL is 32, and 0 is the entry behind the one that was taken"),
        Mistake("old-head", 3, (Edit(ADMIN, "    nvme_write(controller, NVME_DOORBELLS + controller->stride, controller->head);\n", "    nvme_write(controller, NVME_DOORBELLS + controller->stride, controller->head - 1u);\n"),),
                r"CQ0HDBL is 0, and 1 is the entry behind the one that was taken"),
        Mistake("stride-of-4", 3, (Edit(ADMIN, "NVME_DOORBELLS + controller->stride, controller->head);", "NVME_DOORBELLS + 4, controller->head);"),),
                r"register 0x1004 is written: CAP\.DSTRD is 2, so SQ0TDBL is at 0x1000 and CQ0HDBL at 0x1010"),
        Mistake("the-other-doorbell", 3, (Edit(ADMIN, "NVME_DOORBELLS + controller->stride, controller->head);", "NVME_DOORBELLS, controller->head);"),), r"SQ0TDBL is 1, as it was"),
        Mistake("no-fence-behind-the-phase", 3, (Edit(ADMIN, "    memory_fence();\n    *answer = *entry;", "    *answer = *entry;"),),
                r"no memory_fence\(\) between the phase tag and the rest of the entry"),
        Mistake("next-entry-copied", 3, (Edit(ADMIN, "    *answer = *entry;\n    controller->head = (uint16_t)((controller->head + 1) % NVME_ENTRIES);", "    *answer = entry[1];\n    controller->head = (uint16_t)((controller->head + 1) % NVME_ENTRIES);"),),
                r"the answer's command id or queue is not that of command 1: entry 0 was taken"),
        Mistake("silence-is-an-answer", 3, (Edit(ADMIN, "        return false;\n    memory_fence();", "        return true;\n    memory_fence();"),),
                r"a command that is never answered: it says device-error; complete\(\) returns false"),
        Mistake("vf-numbered-from-0", 4, (Edit(SECONDARY, "NVME_SECONDARY_FUNCTION) == vf + 1 &&", "NVME_SECONDARY_FUNCTION) == vf &&"),), r"nvme_find_secondary\(VF 0\): offset 0, wanted 128; .*VFN numbers VFs from 1"),
        Mistake("by-position", 4, (Edit(SECONDARY, "        if (nvme_data16(controller, entry + NVME_SECONDARY_FUNCTION) == vf + 1 &&", "        if (i == vf &&"),), r"nvme_find_secondary\(VF 0\): offset 32, wanted 128; entries are in the order of their controllers' ids"),
        Mistake("any-primary", 4, (Edit(SECONDARY, "NVME_SECONDARY_FUNCTION) == vf + 1 &&\n            nvme_data16(controller, entry + NVME_SECONDARY_PRIMARY) == controller->id)", "NVME_SECONDARY_FUNCTION) == vf + 1)"),),
                r"entry 0 has the VFN and another PCID"),
        Mistake("count-not-read", 4, (Edit(SECONDARY, "    for (unsigned i = 0; i < MIN(count, NVME_SECONDARIES); i++) {", "    (void)count;\n    for (unsigned i = 0; i < NVME_SECONDARIES; i++) {"),), r"NUMID is 2, so the list has two entries"),
        Mistake("count-believed", 4, (Edit(SECONDARY, "i < MIN(count, NVME_SECONDARIES); i++) {", "i < count; i++) {"),), r"NUMID is 255, and a list has 127 entries at most"),
        Mistake("count-of-two-bytes", 4, (Edit(SECONDARY, "NVME_SECONDARY_COUNT) & 0xff;", "NVME_SECONDARY_COUNT);"),), r"NUMID is 2: it has one byte, and the next one is reserved"),
        Mistake("index-for-the-offset", 4, (Edit(SECONDARY, "            return entry;", "            return i;"),), r"nvme_find_secondary\(VF 0\): offset 3, wanted 128"),
        Mistake("id-and-type-swapped", 5, (Edit(SECONDARY, "(uint32_t)id << 16 | (uint32_t)resource << 8 | action, count, &result);", "(uint32_t)id << 8 | (uint32_t)resource << 16 | action, count, &result);"),),
                r"CDW10 has action 8h \(bits 3:0\), resource type 7 \(10:8\), controller 1 \(31:16\); wanted 8h, 1, 7"),
        Mistake("vf-for-the-controller", 5, (Edit(SECONDARY, "                     (uint32_t)id << 16 |", "                     (uint32_t)(id - 1) << 16 |"),), r"controller 6 \(31:16\); wanted 8h, 1, 7"),
        Mistake("count-zero-based", 5, (Edit(SECONDARY, "| action, count, &result);", "| action, count - 1u, &result);"),), r"CDW11 is 2, and NR, the number of resources, is 3"),
        Mistake("type-forgotten", 5, (Edit(SECONDARY, "(uint32_t)resource << 8 | action", "action"),), r"resource type 0 \(10:8\)"),
        Mistake("result-not-compared", 5, (Edit(SECONDARY, "    if (status == STATUS_OK && action == NVME_SECONDARY_ASSIGN && (result & 0xffff) != count)", "    if (status == STATUS_OK && action == NVME_SECONDARY_ASSIGN && result > 0xffff)"),),
                r"CDW0 says that 2 were assigned \(NRM, bits 15:0\)"),
        Mistake("more-is-enough", 5, (Edit(SECONDARY, "(result & 0xffff) != count)", "(result & 0xffff) < count)"),), r"CDW0 says that 4 were assigned, which is another count as well"),
        Mistake("reserved-bits-compared", 5, (Edit(SECONDARY, "(result & 0xffff) != count)", "result != count)"),), r"CDW0 is 50003h: NRM, bits 15:0, is 3, and bits 31:16 are reserved"),
        Mistake("result-of-every-action", 5, (Edit(SECONDARY, "    if (status == STATUS_OK && action == NVME_SECONDARY_ASSIGN && (result", "    if (status == STATUS_OK && (result"),),
                r"a count comes back from 1h and 8h alone"),
        Mistake("granularity-ignored", 6, (Edit(SHARES, "    if (granularity > 1)\n        each -= each % granularity;\n", "    (void)granularity;\n"),), r"VQGRAN 4, 2 VFs: each VF gets 6 queue pairs, wanted 4; a multiple of VQGRAN"),
        Mistake("divided-by-0", 6, (Edit(SHARES, "    if (granularity > 1)\n        each -= each % granularity;\n", "    each -= each % granularity;\n"),), r"division by zero, in VQFRT 8, VQFRSM 8, VQGRAN 0"),
        Mistake("rounded-up", 6, (Edit(SHARES, "        each -= each % granularity;", "        each += granularity - 1 - (each - 1) % granularity;"),), r"VQGRAN 4, 2 VFs: each VF gets 8 queue pairs, wanted 4"),
        Mistake("maximum-ignored", 6, (Edit(SHARES, "MIN(total / controller->device->vfs, most);", "total / controller->device->vfs;"), Edit(SHARES, "    uint16_t granularity =", "    (void)most;\n    uint16_t granularity =")),
                r"VQFRSM 5, VQGRAN 1, 2 VFs: each VF gets 6 queue pairs, wanted 5; no more than VQFRSM"),
        Mistake("total-for-each", 6, (Edit(SHARES, "MIN(total / controller->device->vfs, most);", "MIN(total, most);"),), r"2 VFs: each VF gets 12 queue pairs, wanted 6; what there is, divided by the VFs"),
        Mistake("total-in-16-bits", 6, (Edit(SHARES, "    uint32_t total = nvme_data32(controller, block + NVME_FLEXIBLE_TOTAL);", "    uint32_t total = nvme_data16(controller, block + NVME_FLEXIBLE_TOTAL);"),), r"VQFRT 131080, .*VQFRT has 32 bits"),
        Mistake("queues-block-for-both", 6, (Edit(SHARES, "    uint32_t total = nvme_data32(controller, block +", "    block = NVME_PRIMARY_QUEUES;\n    uint32_t total = nvme_data32(controller, block +"),),
                r"each VF gets 6 interrupts, wanted 4: the block at offset 64 is theirs"),
        Mistake("least-ignored", 6, (Edit(SHARES, "    return (uint16_t)(each >= least ? each : 0);", "    return (uint16_t)(each >= least ? each : each + 0);"),), r"not refused; fewer than two queue pairs each"),
        Mistake("least-too-little", 6, (Edit(SHARES, "    return (uint16_t)(each >= least ? each : 0);", "    return (uint16_t)(each > least ? each : 0);"),), r"VQFRT 4, VQFRSM 5, VQGRAN 1, 2 VFs: refused with .*two queue pairs are enough"),
        Mistake("maximum-0-for-none", 6, (Edit(SHARES, "    uint32_t each = MIN(total / controller->device->vfs, most);", "    uint32_t each = MIN(total / controller->device->vfs, most != 0 ? most : UINT16_MAX);"),), r"VQFRSM 0, VQGRAN 1, 2 VFs: not refused; fewer than two queue pairs each"),
        Mistake("nothing-given-up", 7, (Edit(SHARES, "    status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, 0);\n    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS, controller->id, 0);\n", ""),),
                r"allocate 0 queues to 2 is missing: action 1h with 0"),
        Mistake("interrupts-kept", 7, (Edit(SHARES, "    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS, controller->id, 0);\n", ""),), r"allocate 0 interrupts to 2 is missing"),
        Mistake("not-reset", 7, (Edit(SHARES, "    nvme_close(controller);\n    if (status == STATUS_OK)\n        status = reset_and_open(controller);\n    if (status == STATUS_OK)\n        status = read_resources", "    if (status == STATUS_OK)\n        status = read_resources"),),
                r"was not reset: what 1h changes is so after the next Controller Level Reset \(8\.26\.1\)"),
        Mistake("reset-while-it-runs", 7, (Edit(SHARES, "    nvme_close(controller);\n    if (status == STATUS_OK)\n        status = reset_and_open", "    if (status == STATUS_OK)\n        status = reset_and_open"),),
                r"the function is reset while bus mastering is on"),
        Mistake("reset-for-nothing", 7, (Edit(SHARES, "    if (status != STATUS_OK || !held)\n        return status;\n", "    if (status != STATUS_OK)\n        return status;\n"),), r"holds nothing: wanted \[\], got \[allocate 0 queues"),
        Mistake("not-read-again", 7, (Edit(SHARES, "    if (status == STATUS_OK)\n        status = read_resources(controller, &held);\n    if (status == STATUS_OK && held)\n        return nvme_refuse(controller, STATUS_DEVICE,\n                           \"the primary controller does not give up its flexible resources\");\n", ""),),
                r"keeps what it was to give up: it says ok"),
        Mistake("for-a-secondary-controller", 7, (Edit(SHARES, "NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, 0);", "NVME_PRIMARY_ALLOCATE, NVME_QUEUES, 5, 0);"),),
                r"got \[allocate 0 queues to 5\].*got status 0x11f, Invalid Controller Identifier"),
        Mistake("all-instead-of-none", 7, (Edit(SHARES, "NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, 0);", "NVME_PRIMARY_ALLOCATE, NVME_QUEUES, controller->id, controller->queues);"),),
                r"got \[allocate 5 queues to 2,"),
        Mistake("goes-on-after-a-refusal", 7, (Edit(SHARES, "    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS,", "    if (status != STATUS_BUSY)\n        status = nvme_manage(controller, NVME_PRIMARY_ALLOCATE, NVME_INTERRUPTS,"),),
                r"1h is refused: 2 commands were sent all the same"),
        Mistake("detached-first", 8, (Edit(SECONDARY, "    enum status status =\n        nvme_manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0);\n    return status == STATUS_OK ? nvme_detach_from(controller, vf) : status;", "    enum status status = nvme_detach_from(controller, vf);\n    return status == STATUS_OK ? nvme_manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0) : status;"),),
                r"offline 6 is not in its place"),
        Mistake("namespaces-left", 8, (Edit(SECONDARY, "    return status == STATUS_OK ? nvme_detach_from(controller, vf) : status;", "    return status;"),), r"detach namespace 2 is missing: what the last guest attached"),
        Mistake("detached-though-it-runs", 8, (Edit(SECONDARY, "    return status == STATUS_OK ? nvme_detach_from(controller, vf) : status;", "    enum status gone = nvme_detach_from(controller, vf);\n    return status == STATUS_OK ? gone : status;"),), r"namespaces are detached while the controller may still use them"),
        Mistake("still-counted-on", 8, (Edit(SECONDARY, "    vf->online = false;\n", ""),), r"vf->online is still true"),
        Mistake("counted-on-after-a-refusal", 8, (Edit(SECONDARY, "    vf->online = false;\n    enum status status =\n        nvme_manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0);\n", "    enum status status =\n        nvme_manage(controller, NVME_SECONDARY_OFFLINE, NVME_QUEUES, vf->controller, 0);\n    vf->online = status != STATUS_OK;\n"),), r"7h is refused: vf->online is still true"),
        Mistake("online-unasked", 9, (Edit(SECONDARY, "        (nvme_data16(controller, entry + NVME_SECONDARY_STATE) & 1) != 0 &&\n", ""),), r"has SCS 0, offline, and it says ok"),
        Mistake("queues-unasked", 9, (Edit(SECONDARY, "        nvme_data16(controller, entry + NVME_SECONDARY_QUEUES) == controller->queues &&\n", ""),), r"has NVQ 4, and 5 were assigned, and it says ok"),
        Mistake("interrupts-unasked", 9, (Edit(SECONDARY, "== controller->queues &&\n        nvme_data16(controller, entry + NVME_SECONDARY_VECTORS) == controller->vectors)", "== controller->queues)"),), r"has NVI 2, and 3 were assigned, and it says ok"),
        Mistake("id-unasked", 9, (Edit(SECONDARY, "        nvme_data16(controller, entry + NVME_SECONDARY_ID) == controller->vf[index].controller &&\n", ""),), r"has CNTLID 77, and it says ok"),
        Mistake("too-many-queues", 9, (Edit(SECONDARY, "NVME_SECONDARY_QUEUES) == controller->queues", "NVME_SECONDARY_QUEUES) >= controller->queues"),), r"the Secondary Controller List has NVQ 6, and 5 were assigned"),
        Mistake("state-as-a-whole", 9, (Edit(SECONDARY, "(nvme_data16(controller, entry + NVME_SECONDARY_STATE) & 1) != 0", "nvme_data16(controller, entry + NVME_SECONDARY_STATE) == 1"),), r"SCS is 81h, whose bit 0 says online"),
        Mistake("no-entry-unseen", 9, (Edit(SECONDARY, "    if (entry != 0 &&\n        nvme_data16(controller, entry + NVME_SECONDARY_ID)", "    if (entry == 0)\n        return STATUS_OK;\n    if (nvme_data16(controller, entry + NVME_SECONDARY_ID)"),), r"has no entry for the VF, and it says ok"),
        Mistake("list-not-read", 9, (Edit(SECONDARY, "    enum status status = nvme_identify(controller, NVME_ID_SECONDARIES, 0);\n    if (status != STATUS_OK)\n        return status;\n    unsigned entry = nvme_find_secondary(controller, index);", "    unsigned entry = nvme_find_secondary(controller, index);"),), r"list is missing: the Secondary Controller List is read again"),
        Mistake("assigned-while-online", 10, (Edit(SECONDARY, "    enum status status = nvme_take_offline(controller, vf);\n    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_QUEUES,", "    enum status status = STATUS_OK;\n    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_QUEUES,"),),
                r"offline 6 is missing: resources are assigned to an offline controller"),
        Mistake("online-before-the-interrupts", 10, (Edit(SECONDARY, "        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, vf->controller,\n                             controller->vectors);\n    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_SECONDARY_ONLINE, NVME_QUEUES, vf->controller, 0);", "        status = nvme_manage(controller, NVME_SECONDARY_ONLINE, NVME_QUEUES, vf->controller, 0);\n    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, vf->controller,\n                             controller->vectors);"),),
                r"assign 3 interrupts to 6 is missing: .*got status 0x120, Invalid Secondary Controller State"),
        Mistake("interrupts-forgotten", 10, (Edit(SECONDARY, "    if (status == STATUS_OK)\n        status = nvme_manage(controller, NVME_SECONDARY_ASSIGN, NVME_INTERRUPTS, vf->controller,\n                             controller->vectors);\n", ""),),
                r"assign 3 interrupts to 6 is missing: .*online with at least two queue pairs and an interrupt"),
        Mistake("counts-swapped", 10, (Edit(SECONDARY, "NVME_INTERRUPTS, vf->controller,\n                             controller->vectors);", "NVME_INTERRUPTS, vf->controller,\n                             controller->queues);"),),
                r"assign 3 interrupts to 6 is missing: .*got status 0x121, Invalid Number of Controller Resources"),
        Mistake("vf-index-for-the-id", 10, (Edit(SECONDARY, "        status = nvme_manage(controller, NVME_SECONDARY_ONLINE, NVME_QUEUES, vf->controller, 0);", "        status = nvme_manage(controller, NVME_SECONDARY_ONLINE, NVME_QUEUES, index, 0);"),),
                r"online 6 is missing: .*controller 1, count 0, got status 0x11f, Invalid Controller Identifier"),
        Mistake("not-compared", 10, (Edit(SECONDARY, "    if (status == STATUS_OK)\n        status = check_online(controller, index);\n", "    (void)check_online;\n"),), r"list is missing: the Secondary Controller List is read again"),
        Mistake("attached-before-it-is-checked", 10, (Edit(SECONDARY, "        status = check_online(controller, index);\n    if (status == STATUS_OK)\n        status = nvme_attach(controller, vf);", "        status = nvme_attach(controller, vf);\n    if (status == STATUS_OK)\n        status = check_online(controller, index);"),),
                r"list is not in its place"),
        Mistake("namespace-forgotten", 10, (Edit(SECONDARY, "    if (status == STATUS_OK)\n        status = nvme_attach(controller, vf);\n", ""),), r"attach namespace 2 is missing: the namespace comes last"),
        Mistake("online-without-its-namespace", 10, (Edit(SECONDARY, "        status = nvme_attach(controller, vf);\n    vf->online = status == STATUS_OK;", "        vf->online = (status = nvme_attach(controller, vf)) != STATUS_BUSY;"),),
                r"its namespace is refused: it says device-error, and vf->online is true"),
        Mistake("online-whatever-happened", 10, (Edit(SECONDARY, "    vf->online = status == STATUS_OK;", "    vf->online = true;"),), r"is refused: vf->online is true"),
        Mistake("never-noted-as-online", 10, (Edit(SECONDARY, "    vf->online = status == STATUS_OK;\n", ""),), r"it is online, and vf->online is false"),
    ),
)
