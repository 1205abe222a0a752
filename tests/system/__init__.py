# SPDX-License-Identifier: MIT
"""Tests of the whole system in emulated machines."""
