"""Tests of the whole system in emulated machines."""
