# SPDX-License-Identifier: MIT
"""L10: a function is reset, taken back from one guest and given to the next."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

RESET = "hypervisor/pci/reset.c"
ASSIGN = "hypervisor/assign/assignment.c"
BACK = Host("l10_take_back")


def moved_vf(seed: int) -> int:
    return seed % 4


def config(seed: int) -> str:
    return ("# alpha ends and gives its VF back; then you give it to beta at the prompt: move uplink.vfN alpha beta\n\n"
            "[nic uplink]\ndevice = 8086:10c9\nvfs    = 4\n\n"
            f"[guest alpha]\nimage  = hello.elf\nmemory = 8M\ndevice = uplink.vf{moved_vf(seed)}\nargs   = ticks=20\nexpect = exit 0\n\n"
            f"[guest beta]\nimage  = hello.elf\nmemory = {8 + 8 * (seed % 3)}M\nargs   = ticks=6000\nexpect = exit 0\n")


def resets(run) -> list:
    return [line for line in run.events if line.event == "pci.reset"]


def moves(run) -> list:
    return [line for line in run.events if line.event == "device.moved"]


def assigned(run):
    return next((line for line in run.events if line.event == "device.assigned" and line["guest"] == "alpha"), None)


def move(run) -> str:
    given = assigned(run)
    return f"move {given['rid']} alpha beta" if given else "devices"


def reset_before_it_moves(run) -> str | None:
    """alpha's VF is reset by FLR when alpha ends, and again when beta does."""
    ended = next((line for line in run.events if line.event == "guest.stopped" and line["name"] == "alpha"), None)
    given = assigned(run)
    if ended is None or given is None:
        return None
    well = [line for line in resets(run) if line.get("rid") == given["rid"] and line.get("status") == "ok"]
    if not any(line.index < ended.index for line in well):
        return f"alpha ended, but its VF {given['rid']} was not reset first (no pci.reset with status=ok before guest.stopped)"
    if any(line["method"] != "flr" for line in well):
        return f"VF {given['rid']} was reset by {well[0]['method']}; QEMU's VFs offer FLR, and FLR comes first"
    if not moves(run):
        return f"alpha had given VF {given['rid']} back, but beta did not get it (no device.moved)"
    if len(well) < 2:
        return f"beta ended, but VF {given['rid']} was not reset again: it needs a reset whenever its owner ends"
    return None


LAB = Lab(
    name="L10", title="Reset and reassignment: what one guest leaves, the next does not find", hours=7, config=config,
    steps=(
        Step(1, RESET, "offers", "(void)function;\n(void)method;\nreturn false;",
             "Return whether the function can be reset by this method. FLR: has_flr. AF: its capability has both TP and FLR. PM: "
             "not a VF, a PM capability, and No_Soft_Reset is 0. BUS: not a VF, a bridge above it whose secondary bus number is "
             "not 0, and no bystander(). XHCI: reset_registers. cap_* is 0 without the capability. PCIe 6.0, 6.6.1, 6.6.2, "
             "7.5.2.2, 7.5.3.3; AF ECN.",
             (Host("l10_offers"),)),
        Step(2, RESET, "pending", "(void)function;\nreturn false;",
             "Return whether requests of the function are still unanswered: Transactions Pending in Device Status of its PCIe "
             "capability or, if AF Capabilities has TP, in AF Status. A function has one of these capabilities, both or neither. "
             "PCIe 6.0, 7.5.3.5; AF ECN.", (Host("l10_pending"),)),
        Step(3, RESET, "begin", "(void)function;\n*reset = (struct pci_reset){.method = method};\n(void)go_on(reset, PCI_RESET_ANSWER, ANSWER_TIME);",
             "Store the method, and whether it is a bus reset (`leads`). quiesce() everything that the reset reaches: the "
             "function and, for a bus reset, everything that next_below() finds; in that case the bridge is in_reset too, and "
             "remembers whether its link was active. An xHCI's own reset has no witness. Continue with PCI_RESET_DRAIN for "
             "PENDING_TIME. Nothing is reset yet. PCIe 6.0, 6.6.2.",
             (Host("l10_begin"),)),
        Step(4, RESET, "issue", "(void)function;\nreturn go_on(reset, PCI_RESET_SETTLE, 0);",
             "Begin the reset, and return go_on() with the next step and its time. FLR and AF: set their bit, then "
             "PCI_RESET_SETTLE for RESET_TIME. PM: D3hot, then PCI_RESET_HELD for PM_TIME. XHCI: xhci_halt(), then HELD for "
             "XHCI_HALT_TIME. BUS: Secondary Bus Reset in the bridge above, then HELD for HOLD_TIME. let_go() does the second "
             "half. Do not change the other bits of a register. PCIe 6.0, 5.9, 6.6.2, 7.5.1.3.13, 7.5.3.4.", (Host("l10_issue"),)),
        Step(5, RESET, "recover", "(void)function;\nreturn STATUS_OK;",
             "Restore the function after the reset. STATUS_TIMEOUT if it does not answer (answers(), fail()). If it is no longer "
             "in_reset, there is nothing to do: it was restored with another function of its bus. Otherwise always restore its "
             "registers. STATUS_DEVICE if a witness bit of the command register survived the reset (\"... unchanged: it was "
             "none\"), or if the registers do not hold their old values (pci_registers_restore(); \"do not take back\"). PCIe "
             "6.0, 6.6.2, 7.5.1.1.3.", (Host("l10_recover"),)),
        Step(6, ASSIGN, "assignment_quiesce", "assignment->reset_status = STATUS_UNSUPPORTED;",
             "Do nothing for a function that is not in use (pci_in_use()). Otherwise, in this order: stop its requests, remove "
             "its interrupts (view_reset_interrupts()), set its life to PCI_RESETTING, start its reset. reset_status is BUSY "
             "while the reset goes on; if the reset could not be started, it is the error, but STATUS_DENIED in place of "
             "STATUS_BUSY. PCIe 6.0, 6.6.2; invariant I6.", (BACK,)),
        Step(7, ASSIGN, "assignment_disconnect", "(void)assignment;\nreturn STATUS_UNSUPPORTED;",
             "For a function that is not PCI_RESETTING, return STATUS_DENIED if it is connected; if not, there is nothing to do. "
             "Otherwise remove its context entry (iommu_disconnect()), whatever the result of the reset; then the PF's driver, "
             "if there is one, releases the VF with vf_release or, if it has none, vf_reset (ignore what that returns: it is "
             "called again before the next start). Call keep_back() for the reset's error (device.reset_failed) and for the "
             "unit's (device.detach_failed, which is the one returned when both fail), with PCI_UNUSABLE, or PCI_UNCONFIRMED if "
             "the unit did not confirm. Only without an error does it become PCI_CLEAN. VT-d 5.0, 6.5; invariant I6.", (BACK,)),
    ),
    whole=(Machine("tcg", "lab", reset_before_it_moves, (("guest.stopped", "alpha", move),)),),
    units=("test_reset", "test_reset_methods", "test_device_order"),
    questions=(
        Question("moved", "What is the requester id of the function that beta got? (device.moved)", lambda run: moves(run)[0]["rid"]),
        Question("resets", "How often was it reset before the machine switched off? (pci.reset)",
                 lambda run: str(sum(line.get("status") == "ok" and line["rid"] == moves(run)[0]["rid"] for line in resets(run)))),
    ),
    mistakes=(
        Mistake("af-with-either-bit", 1, (Edit(RESET, "AF_CAPABILITIES) & af) == af;", "AF_CAPABILITIES) & af) != 0;"),),
                r"whose AF has TP without FLR: reset by af was chosen, wanted pm; .*both bits"),
        Mistake("af-without-a-capability", 1, (Edit(RESET, "        return function->cap_af != 0 &&\n               (pci_read8(rid, function->cap_af + AF_CAPABILITIES) & af)", "        return (pci_read8(rid, function->cap_af + AF_CAPABILITIES) & af)"),),
                r"reset by af was chosen, wanted pm; offset 0 in cap_af means that there is none"),
        Mistake("no-soft-reset-ignored", 1, (Edit(RESET, "function->cap_pm != 0 &&\n               (pci_read16(rid, function->cap_pm + PM_CONTROL) & PM_CONTROL_NO_SOFT_RESET) == 0;", "function->cap_pm != 0 && rid != 0;"),),
                r"with No_Soft_Reset: reset by pm was chosen, wanted bus; .*comes back from D3hot with everything"),
        Mistake("no-soft-reset-wanted", 1, (Edit(RESET, "PM_CONTROL_NO_SOFT_RESET) == 0;", "PM_CONTROL_NO_SOFT_RESET) != 0;"),),
                r"with PM alone: .*wanted pm; No_Soft_Reset is 0, so it is reset by D3hot"),
        Mistake("pm-of-a-vf", 1, (Edit(RESET, "        return !function->is_vf && function->cap_pm != 0 &&", "        return function->cap_pm != 0 &&"),),
                r"a VF that says it has no FLR: reset by pm was chosen, which it does not offer"),
        Mistake("bystander-forgotten", 1, (Edit(RESET, "secondary_bus != 0 && bystander(function) == NULL;", "secondary_bus != 0;"),),
                r"reset by bus was chosen, which it does not offer; another guest's function is on the bus"),
        Mistake("everything-offers", 1, (Edit(RESET, "    default:\n        return false;\n    }\n}\n\nstatic enum status refuse", "    default:\n        return true;\n    }\n}\n\nstatic enum status refuse"),),
                r"reset by one that does not exist was chosen"),
        Mistake("pending-never-looked-at", 2, (Edit(RESET, "PCIE_DEVICE_STATUS_PENDING) != 0)\n        return true;", "PCIE_DEVICE_STATUS_PENDING) != 0)\n        return false;"),),
                r"FLR came \d+ ms before the function's requests were answered: Transactions Pending"),
        Mistake("device-status-without-pcie", 2, (Edit(RESET, "    if (function->cap_pcie != 0 && (pci_read16(rid, function->cap_pcie + PCIE_DEVICE_STATUS)", "    if ((pci_read16(rid, function->cap_pcie + PCIE_DEVICE_STATUS)"),),
                r"without a PCIe capability there is no Device Status"),
        Mistake("af-status-forgotten", 2, (Edit(RESET, "(pci_read8(rid, function->cap_af + AF_STATUS) & AF_STATUS_PENDING) != 0;", "rid == 0;"),),
                r"reset by AF while Transactions Pending in AF Status was set"),
        Mistake("pcie-or-af", 2, (Edit(RESET, """    if (function->cap_pcie != 0 && (pci_read16(rid, function->cap_pcie + PCIE_DEVICE_STATUS) &
                                    PCIE_DEVICE_STATUS_PENDING) != 0)
        return true;
""", """    if (function->cap_pcie != 0)
        return (pci_read16(rid, function->cap_pcie + PCIE_DEVICE_STATUS) &
                PCIE_DEVICE_STATUS_PENDING) != 0;
"""),),
                r"has both a PCIe capability and AF was reset while Transactions Pending in AF Status"),
        Mistake("af-tp-unasked", 2, (Edit(RESET, "           (pci_read8(rid, function->cap_af + AF_CAPABILITIES) & AF_CAPABILITIES_TP) != 0 &&\n", ""),),
                r"whose AF Capabilities has no TP"),
        Mistake("bus-mastering-on", 3, (Edit(RESET, "        quiesce(other);\n    quiesce(function);\n", "        quiesce(other);\n    pci_registers_save(function);\n    function->in_reset = true;\n"),),
                r"returns with bus mastering on; requests must end before the reset"),
        Mistake("registers-not-saved", 3, (Edit(RESET, "        quiesce(other);\n    quiesce(function);\n", "        quiesce(other);\n    pci_bus_master(function, false);\n"),),
                r"the function's registers were not saved"),
        Mistake("not-drained", 3, (Edit(RESET, "    (void)go_on(reset, PCI_RESET_DRAIN, PENDING_TIME);", "    (void)go_on(reset, PCI_RESET_ANSWER, ANSWER_TIME);"),),
                r"step ANSWER instead of DRAIN: Transactions Pending is looked at before"),
        Mistake("no-time-to-drain", 3, (Edit(RESET, "    (void)go_on(reset, PCI_RESET_DRAIN, PENDING_TIME);", "    (void)go_on(reset, PCI_RESET_DRAIN, 0);"),),
                r"0 ms for pending requests instead of 1000"),
        Mistake("neighbours-of-a-bus-reset-forgotten", 3, (Edit(RESET, "        quiesce(other);\n    quiesce(function);\n", "        continue;\n    quiesce(function);\n"),),
                r"bus reset: the other function on the bus still has bus mastering on"),
        Mistake("neighbours-of-every-reset", 3, (Edit(RESET, "    for (size_t i = 0; reset->leads && (other = next_below(bridge, &i)) != NULL;)\n        quiesce", "    for (size_t i = 0; (other = next_below(bridge, &i)) != NULL;)\n        quiesce"),),
                r"reset by flr: the other function on the bus lost bus mastering"),
        Mistake("bridge-not-marked", 3, (Edit(RESET, "        bridge->in_reset = true;\n", ""),),
                r"the bridge's in_reset is clear: a second function of the bus"),
        Mistake("witness-of-an-xhci", 3, (Edit(RESET, "    if (method == PCI_RESET_XHCI)\n        function->saved.witness = 0; /*", "    if (method == PCI_RESET_NONE)\n        function->saved.witness = 0; /*"),),
                r"an xHCI's own reset leaves configuration space as it is"),
        Mistake("no-100-ms", 4, (Edit(RESET, "    return go_on(reset, PCI_RESET_SETTLE, RESET_TIME);\n}\n\nstatic enum status let_go", "    return go_on(reset, PCI_RESET_SETTLE, 0);\n}\n\nstatic enum status let_go"),),
                r"reset by flr: 0 ms until the next step; 100 ms must pass after FLR"),
        Mistake("100-microseconds", 4, (Edit(RESET, "    return go_on(reset, PCI_RESET_SETTLE, RESET_TIME);\n}\n\nstatic enum status let_go", "    return go_on(reset, PCI_RESET_SETTLE, 100);\n}\n\nstatic enum status let_go"),),
                r"100 ms must pass after FLR"),
        Mistake("device-control-overwritten", 4, (Edit(RESET, "        pci_update16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 0, PCIE_DEVICE_CONTROL_FLR);", "        pci_config_write(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 2, PCIE_DEVICE_CONTROL_FLR);"),),
                r"the rest of Device Control was overwritten"),
        Mistake("pm-control-overwritten", 4, (Edit(RESET, "        pci_update16(rid, function->cap_pm + PM_CONTROL, PM_CONTROL_STATE, PM_CONTROL_D3HOT);", "        pci_config_write(rid, function->cap_pm + PM_CONTROL, 2, PM_CONTROL_D3HOT);"),),
                r"reset by pm: the rest of the register of PowerState was overwritten"),
        Mistake("flr-bit-not-set", 4, (Edit(RESET, "        pci_update16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, 0, PCIE_DEVICE_CONTROL_FLR);\n        break;", "        pci_update16(rid, function->cap_pcie + PCIE_DEVICE_CONTROL, PCIE_DEVICE_CONTROL_FLR, 0);\n        break;"),),
                r"no reset was begun; the bit is Initiate Function Level Reset"),
        Mistake("d3hot-not-held", 4, (Edit(RESET, "        return go_on(reset, PCI_RESET_HELD, PM_TIME);", "        return go_on(reset, PCI_RESET_SETTLE, PM_TIME);"),),
                r"reset by pm: goes on with step SETTLE instead of HELD"),
        Mistake("break-forgotten", 4, (Edit(RESET, "        pci_config_write(rid, function->cap_af + AF_CONTROL, 1, (uint32_t)AF_CONTROL_FLR);\n        break;", "        pci_config_write(rid, function->cap_af + AF_CONTROL, 1, (uint32_t)AF_CONTROL_FLR);\n        return go_on(reset, PCI_RESET_HELD, PM_TIME);"),),
                r"reset by af: 10 ms until the next step; 100 ms"),
        Mistake("bus-held-too-short", 4, (Edit(RESET, "        return go_on(reset, PCI_RESET_HELD, HOLD_TIME);", "        return go_on(reset, PCI_RESET_HELD, 0);"),),
                r"the bus is held in reset for 1 ms|bus reset shorter than 1 ms"),
        Mistake("bars-not-restored", 5, (Edit(RESET, "    bool holds = pci_registers_restore(function);", "    bool holds = true;"),),
                r"BAR 0 is 0 instead of 0xfe000000: the reset cleared it"),
        Mistake("answer-not-wanted", 5, (Edit(RESET, "    if (!answers(function))\n        return fail(function, STATUS_TIMEOUT, \"the function does not answer after its reset\");\n", ""),),
                r"does not answer after FLR .*was taken for"),
        Mistake("witness-after-the-restore", 5, (Edit(RESET, "    bool kept = (pci_read16(function->rid, PCI_COMMAND) & function->saved.witness) != 0;\n    bool holds = pci_registers_restore(function);", "    bool holds = pci_registers_restore(function);\n    bool kept = (pci_read16(function->rid, PCI_COMMAND) & function->saved.witness) != 0;"),),
                r"a function that came back was refused: it says .*it was none"),
        Mistake("silent-without-an-answer", 5, (Edit(RESET, "        return fail(function, STATUS_TIMEOUT, \"the function does not answer after its reset\");", "        return STATUS_TIMEOUT;"),),
                r"does not answer after FLR was refused without a line pci.reset"),
        Mistake("joined-and-dead", 5, (Edit(RESET, """    if (!answers(function))
        return fail(function, STATUS_TIMEOUT, "the function does not answer after its reset");
    if (!function->in_reset)
        return STATUS_OK;
""", """    if (!function->in_reset)
        return STATUS_OK;
    if (!answers(function))
        return fail(function, STATUS_TIMEOUT, "the function does not answer after its reset");
"""),),
                r"brought back with the first one and does not answer now"),
        Mistake("all-witnesses-wanted", 5, (Edit(RESET, "    bool kept = (pci_read16(function->rid, PCI_COMMAND) & function->saved.witness) != 0;", "    bool kept = function->saved.witness != 0 &&\n                (pci_read16(function->rid, PCI_COMMAND) & function->saved.witness) ==\n                    function->saved.witness;"),),
                r"one of three witness bits came through the reset"),
        Mistake("witness-ignored", 5, (Edit(RESET, "    if (kept)\n        return fail(", "    if (kept && !holds)\n        return fail("),),
                r"command register unchanged, and was taken for reset"),
        Mistake("restored-only-after-a-reset", 5, (Edit(RESET, "    bool holds = pci_registers_restore(function);\n    if (kept)", "    bool holds = kept || pci_registers_restore(function);\n    if (kept)"),),
                r"after a reset that was none: Interrupt Disable is set, as quiesce\(\) left it: the command register was not restored"),
        Mistake("registers-that-do-not-hold", 5, (Edit(RESET, "    return holds ? STATUS_OK\n", "    return holds || !kept ? STATUS_OK\n"),),
                r"a BAR that does not take back what it held went unnoticed"),
        Mistake("restored-twice", 5, (Edit(RESET, "    if (!function->in_reset)\n        return STATUS_OK;\n    bool kept", "    bool kept"),),
                r"the second function of a bus reset (was refused|got its registers twice)"),
        Mistake("reset-before-bus-mastering-off", 6, (
            Edit(ASSIGN, "    pci_bus_master(assignment->function, false);\n    view_reset_interrupts(assignment);\n    (void)!pci_life_set(assignment->function, PCI_RESETTING);", "    view_reset_interrupts(assignment);\n    (void)!pci_life_set(assignment->function, PCI_RESETTING);"),
            Edit(ASSIGN, "    assignment->reset_status = status == STATUS_OK     ? STATUS_BUSY\n", "    pci_bus_master(assignment->function, false);\n    assignment->reset_status = status == STATUS_OK     ? STATUS_BUSY\n")),
                r"wanted \[master off, msix off, reset start\], got \[msix off, reset start, master off\]; master off is not in its place: until bus mastering is off"),
        Mistake("interrupts-left", 6, (Edit(ASSIGN, "    view_reset_interrupts(assignment);\n    (void)!pci_life_set(assignment->function, PCI_RESETTING);", "    (void)!pci_life_set(assignment->function, PCI_RESETTING);"),),
                r"got \[master off, reset start\]; msix off is missing: its interrupt entries go before the reset"),
        Mistake("taken-for-reset", 6, (Edit(ASSIGN, "    assignment->reset_status = status == STATUS_OK     ? STATUS_BUSY\n", "    assignment->reset_status = status == STATUS_OK     ? STATUS_OK\n"),),
                r"reset_status is ok; STATUS_BUSY says that the reset goes on.*100 ms too early"),
        Mistake("busy-taken-for-under-way", 6, (Edit(ASSIGN, "? STATUS_DENIED\n                                                       : status;", "? STATUS_BUSY\n                                                       : status;"),),
                r"refuses with busy, and reset_status says that the reset goes on"),
        Mistake("life-not-changed", 6, (Edit(ASSIGN, "    (void)!pci_life_set(assignment->function, PCI_RESETTING);\n", ""),),
                r"function->life == PCI_RESETTING"),
        Mistake("silenced-is-not-in-use", 6, (Edit(ASSIGN, "    if (!pci_in_use(assignment->function))\n        return;\n    pci_bus", "    if (assignment->function->life != PCI_USED)\n        return;\n    pci_bus"),),
                r"of a silenced function, which is still its guest's .*master off is missing"),
        Mistake("not-in-use", 6, (Edit(ASSIGN, "    if (!pci_in_use(assignment->function))\n        return;\n", ""),),
                r"a second time: wanted \[\], got \[master off"),
        Mistake("driver-before-the-context-entry", 7, (
            Edit(ASSIGN, "    enum status detach = iommu_disconnect(function, &assignment->guest->domain);\n    if (assignment->pf", "    if (assignment->pf"),
            Edit(ASSIGN, "    const enum pci_life failed = detach", "    enum status detach = iommu_disconnect(function, &assignment->guest->domain);\n    const enum pci_life failed = detach")),
                r"wanted \[detach, vf reset\], got \[vf reset, detach\]; detach is not in its place: the context entry goes"),
        Mistake("context-entry-left-after-a-failed-reset", 7, (Edit(ASSIGN, "    enum status reset = assignment->reset_status;\n", "    enum status reset = assignment->reset_status;\n    if (reset != STATUS_OK) {\n        keep_back(assignment, PCI_UNUSABLE, \"device.reset_failed\", reset);\n        return reset;\n    }\n"),),
                r"after a reset that failed: wanted \[detach, .*got \[master off, faults off\]; detach is missing: the context entry goes in any case"),
        Mistake("memory-given-away", 7, (Edit(ASSIGN, "    const enum pci_life failed = detach == STATUS_OK ? PCI_UNUSABLE : PCI_UNCONFIRMED;", "    const enum pci_life failed = PCI_UNUSABLE;"),),
                r"counts as not connected: the guest's memory would be given away while the function may still reach it"),
        Mistake("unit's-error-hidden", 7, (Edit(ASSIGN, "        return detach != STATUS_OK ? detach : reset;", "        return reset;"),),
                r"the unit did not confirm, and assignment_disconnect\(\) says ok"),
        Mistake("driver-forgotten", 7, (Edit(ASSIGN, "            (void)!driver->vf_reset(assignment->pf, function->vf_index);", "            (void)driver;"),),
                r"got \[detach\]; vf reset is missing: the PF's driver"),
        Mistake("release-and-reset", 7, (Edit(ASSIGN, "            driver->vf_release(assignment->pf, function->vf_index);\n        else\n            (void)!driver", "            driver->vf_release(assignment->pf, function->vf_index);\n        (void)!driver"),),
                r"wanted \[detach, vf release\], got \[detach, vf release, vf reset\]; nothing more"),
        Mistake("in-use-and-taken-back", 7, (Edit(ASSIGN, "    if (function->life != PCI_RESETTING)\n        return pci_connected(function) ? STATUS_DENIED : STATUS_OK;\n    enum status reset", "    if (!pci_connected(function))\n        return STATUS_OK;\n    enum status reset"),),
                r"a function in use, which nobody has stopped and reset: wanted \[\], got \[detach"),
        Mistake("failed-reset-is-clean", 7, (Edit(ASSIGN, "    if (reset != STATUS_OK)\n        keep_back(assignment, failed, \"device.reset_failed\", reset);\n", ""),),
                r"after a reset that failed: wanted .*got \[detach, vf reset\]; master off"),
    ),
)
