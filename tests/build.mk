# SPDX-License-Identifier: MIT
# Host tests. A unit test names what it is linked with in a comment of its own:
#   // SOURCES: hypervisor/acpi/dmar.c hypervisor/base/string.c
# tests/unit/support/*.c (log, clock, pages) is always there, unless SOURCES names it with a minus
# (`-pages.c`) because the test brings its own.

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_CFLAGS := -std=gnu17 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -fno-builtin -I. $(AUDIT_CFLAGS) $(SANITIZE)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_SUPPORT := $(wildcard tests/unit/support/*.c)
HOST_CC ?= $(CC)

HOST_COMPILER := $(if $(filter-out $(CC),$(HOST_CC)),$(call release_of,$(HOST_CC)),$(COMPILER))
flags.unit = $(HOST_COMPILER) $(UNIT_CFLAGS)

# TEST=SOURCE for each, read once: a process for each test would take make most of a second.
UNIT_SOURCES := $(shell awk '/^\/\/ SOURCES: / { for (i = 3; i <= NF; i++) print FILENAME "=" $$i }' \
    $(wildcard tests/unit/test_*.c tests/labs/checks/l*.c tests/fuzz/fuzz_*.c) /dev/null)
unit_sources = $(patsubst $(1)=%,%,$(filter $(1)=%,$(UNIT_SOURCES)))
unit_support = $(filter-out $(patsubst -%,tests/unit/support/%,$(filter -%,$(call unit_sources,$(1)))),$(UNIT_SUPPORT))

# Each source is compiled once, whichever tests it is linked into.
unit_object = $(patsubst %.c,$(BUILD)/unit/objects/%.o,$(1))
define unit_rule
$$(BUILD)/unit/$(1): $(call unit_object,tests/unit/$(1).c $(filter-out -%,$(call unit_sources,tests/unit/$(1).c)) $(call unit_support,tests/unit/$(1).c)) $(BUILD)/flags/unit
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(HOST_CC) $$(UNIT_CFLAGS) $$(filter %.o,$$^) -lcmocka -o $$@
endef
$(foreach test,$(notdir $(wildcard tests/unit/test_*.c)),$(eval $(call unit_rule,$(test:.c=))))

$(BUILD)/unit/objects/%.o: %.c $(BUILD)/flags/unit
	@mkdir -p $(@D)
	$(call say,CC,$< for this machine)
	$(Q)$(HOST_CC) $(UNIT_CFLAGS) -MMD -MP -c $< -o $@

-include $(shell find $(BUILD)/unit/objects -name '*.d' 2>/dev/null)

.PHONY: unit unit-programs
unit-programs: $(UNIT_TESTS)

unit: ## unit tests on this machine (ASan, UBSan); seconds
	@+$(call build,$(UNIT_TESTS))
	@failed=0; for test in $(UNIT_TESTS); do timeout 120 $$test || failed=1; done; exit $$failed

.PHONY: architecture architecture-table
architecture: all ## what differs between the bare machine and a guest, in tcg and Bochs: LANES=tcg (two minutes)
	@$(PYTHON) tests/system/architecture.py $(LANES)

architecture-table: ## write the table of allowed differences into docs/tests.md
	@$(PYTHON) tests/system/architecture.py --write
