# SPDX-License-Identifier: MIT
"""What a lab's own hypervisor says in Bochs of mistakes with VMX: those that leave today's user with nothing.

`make test-labs` has them: each is a build and a run."""

import os
import re
import subprocess

import pytest

from labs import machines, manifest
from labs.building import make
from labs.kinds import Edit, Machine
from labs.lab02 import EXIT, SETUP, VCPU
from labs.lab03 import EPT
from labs.tree import lay_out

pytestmark = [pytest.mark.timeout(900), pytest.mark.skipif(os.environ.get("LAB_TESTS") != "all", reason="make test-labs has it")]

RUN = Machine("bochs", "lab", lambda run: None)
PLANTED = {
    "vmxe-not-set": (Edit(SETUP, "    cr4_write((cr4_read() | fixed->cr4_fixed0 | CR4_VMXE) & fixed->cr4_fixed1);\n", ""),
                     r"CR4\.VMXE is clear, and VMXON raises #UD.*\(cpu\.refused\)"),
    "wrong-vmxon-revision": (Edit(SETUP, "    region->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n", ""),
                             r"the VMXON region does not begin with the revision identifier.*\(cpu\.refused\)"),
    "wrong-vmcs-revision": (Edit(SETUP, "    vmcs->revision = VMX_BASIC_REVISION(vmx_capabilities.basic);\n", ""),
                            r"vmptrld: no VMCS is current .* wrong address or revision \(Bochs: VMPTRLD: not expected .* VMCS revision id"),
    "tr-not-written": (Edit(VCPU, "    vmcs_write(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);\n", ""),
                       r"host TR selector is 0; SDM 3C 27\.2\.3 wants a TR that is not 0 .*Bochs: VMFAIL: VMCS invalid host TR selector"),
    "host-rip-not-written": (Edit(VCPU, "    vmcs_write(VMCS_HOST_RIP, (uintptr_t)vmx_way->exit_point);\n", ""),
                             r"host RIP is 0; the first exit continues there"),
    "a-default-bit-lost": (Edit(VCPU, "vmx_controls.word[VMX_PIN]);", "vmx_controls.word[VMX_PIN] & ~2u);"),
                           r"pin-based controls are 0x3c; SDM 3C 27\.2\.1\.1 wants bit 1 to be 1, as this CPU fixes it .*Bochs: VMFAIL"),
    "link-pointer-0": (Edit(VCPU, "vmcs_write(VMCS_LINK_POINTER, ~UINT64_C(0));", "vmcs_write(VMCS_LINK_POINTER, 0);"),
                       r"the VMCS link pointer is not all ones \(guest state, SDM 3C 27\.3\.1\)"),
    "rip-not-advanced": (Edit(EXIT, "    vmcs_set(VMCS_GUEST_RIP, rip);\n", "    (void)rip;\n"),
                         r"250 times at RIP 0x[0-9a-f]+ \(0f 30 .*the same exit \(msr-write\) at the same RIP, .*RIP must be the next one's"),
    "no-execute": (Edit(EPT, "((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level > 1", "(level > 1"),
                   r"250 times at RIP 0xf1000 \(bc .*the same exit \(memory of guest-physical 0xf1000, access x\) at the same RIP"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """L2 with everything filled in."""
    root = tmp_path_factory.mktemp("l2")
    lab = manifest.lab("2")
    lay_out(lab, root, 0)
    for step in lab.steps:
        (root / step.file).write_text((root / ".lab/filled" / step.file).read_text())
    assert make(root, "build/bulkhead.iso", "build/entry") is None
    return root


@pytest.mark.parametrize("name", PLANTED)
def test_a_mistake_is_named_by_the_machine(tree, name):
    edit, says = PLANTED[name]
    before = (tree / edit.file).read_text()
    assert before.count(edit.old) == 1
    (tree / edit.file).write_text(before.replace(edit.old, edit.new))
    try:
        sentence = machines.diagnosis(tree, RUN)
    finally:
        (tree / edit.file).write_text(before)
    assert sentence is not None and re.search(says, sentence), sentence


def test_a_guest_that_runs_is_not_stuck(tree):
    assert machines.diagnosis(tree, RUN) is None


def test_nobody_elses_hypervisor_has_the_watch():
    done = subprocess.run(["nm", "build/bulkhead.elf"], cwd=manifest.ROOT, text=True, capture_output=True, check=True)
    assert "vmx_exited" in done.stdout and "lab_watch" not in done.stdout
