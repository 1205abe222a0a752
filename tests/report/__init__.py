# SPDX-License-Identifier: MIT
"""A run as a page to look at: `make report`. docs/report.md says what it shows."""
