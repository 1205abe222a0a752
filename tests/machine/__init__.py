"""The emulator machines that Bulkhead runs on: one description, several ways to run it."""
