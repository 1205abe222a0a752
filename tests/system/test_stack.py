# SPDX-License-Identifier: MIT
"""The mission as written: VMX, VT-d and SR-IOV in one machine. The same scenarios and the same expectations
as in the quick lane, in QEMU under Linux' KVM under Bochs' VMX: minutes instead of seconds."""

from dataclasses import replace

import pytest
from machine.qemu_command import Places, nested_arguments
from system import test_main_job as main_job
from system import test_passthrough as passthrough

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

LIMIT = 700  # seconds; about 90 on a quiet machine


@pytest.fixture(scope="module")
def job(boot):
    return boot.to_the_end(scenario="sriov", on="stack", limit=LIMIT)


@pytest.fixture(scope="module")
def run(boot):
    return boot.to_the_end(scenario="whole", on="stack", limit=LIMIT)


# The main job.
test_every_fixed_line_has_its_keys = main_job.test_every_fixed_line_has_its_keys
test_values_have_their_forms = main_job.test_values_have_their_forms
test_the_machine_is_taken_as_it_is = main_job.test_the_machine_is_taken_as_it_is
test_one_function_becomes_three = main_job.test_one_function_becomes_three
test_the_order_is_safe = main_job.test_the_order_is_safe
test_alpha_and_beta_talk = main_job.test_alpha_and_beta_talk
test_traffic_costs_no_exit = main_job.test_traffic_costs_no_exit
test_rogue_is_caught_and_silenced = main_job.test_rogue_is_caught_and_silenced
test_verdict = main_job.test_verdict


def test_qemu_ran_with_the_kvm_lanes_command_line(job):
    places = Places("/tools/code.fd", "/tmp/vars.fd", None, directory="/tmp")
    ran = (job.directory / "command").read_text().splitlines()
    medium = next(word for word in ran if word.startswith("if=none,id=boot,")).split("format=raw,")[1]
    assert ran == ["-L", "/tools/qemu", *nested_arguments(job.spec, replace(places, disk=medium))]


# A whole function to one guest, refused to the second.
test_the_first_guest_has_it = passthrough.test_the_first_guest_has_it
test_the_second_is_refused_by_name = passthrough.test_the_second_is_refused_by_name
test_nobody_else_is_touched = passthrough.test_nobody_else_is_touched
