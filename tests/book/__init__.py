# SPDX-License-Identifier: MIT
"""The book is executed: what docs and README show is compared with what is printed (docs/tests.md, "The executed book")."""
