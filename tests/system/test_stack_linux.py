# SPDX-License-Identifier: MIT
"""Stock Linux kernels with their own drivers in the stacked machine: what test_linux.py and test_passthrough_linux.py
ask of the quick lane, asked of VMX, VT-d and SR-IOV."""

import re

import pytest
from machine import scenario
from system import test_linux as linux
from system import test_passthrough_linux as passthrough

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(3600)]

LIMIT = 3000  # seconds; 500 for `linux` and 380 for `passthrough` on a busy machine


def to_the_end(boot, name: str):
    text = scenario.text_of(name)
    return boot.to_the_end(scenario=name, on="stack", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           nics=scenario.nics(text), files={**scenario.files(text), **scenario.for_machine(name, "stack")},
                           limit=LIMIT)


@pytest.fixture(scope="module")
def job(boot):
    return to_the_end(boot, "linux")


@pytest.fixture(scope="module")
def run(boot):
    return to_the_end(boot, "passthrough")


# Two Linux guests and a minimal one, each on a virtual function.
def test_each_has_its_kernel_and_driver(job):
    for guest, kernel in (("alpha", "6.1"), ("beta", "6.12")):
        assert f"linux {kernel}." in linux.said(job, guest) and "1 vCPUs, clock tsc" in linux.said(job, guest)
        assert re.search(r"eth0: 10\.0\.2\.1\d/24, driver igbvf, carrier 1", linux.said(job, guest))


test_step = linux.test_step
test_interrupts_arrive = linux.test_interrupts_arrive
test_it_ends_as_it_should = linux.test_it_ends_as_it_should

# Whole cards beside virtual functions.
test_each_has_the_stock_driver = passthrough.test_each_has_the_stock_driver
test_the_card_that_is_taken_is_refused_by_name = passthrough.test_the_card_that_is_taken_is_refused_by_name
test_each_way_to_reset_is_used = passthrough.test_each_way_to_reset_is_used
test_the_table = passthrough.test_the_table
