# SPDX-License-Identifier: MIT
# Fuzz targets: every parser of bytes from outside. SOURCES comments as in unit tests (tests/build.mk).
#   make fuzz                     each target for FUZZ_SECONDS
#   make fuzz-dmar FUZZ_SECONDS=3600
#   make fuzz-dmar FUZZ_RUNS=10000000   so many executions, however long they take
# What a run has learnt stays in build/fuzz/TARGET.corpus; a finding in build/fuzz/TARGET.findings.

FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 20
FUZZ_CFLAGS  := -std=gnu17 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -fno-builtin -I. \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

flags.fuzz = $(FUZZ_CC) $(FUZZ_CFLAGS)
define fuzz_rule
$$(BUILD)/fuzz/$(1): tests/fuzz/$(1).c $(filter-out -%,$(call unit_sources,tests/fuzz/$(1).c)) $$(wildcard hypervisor/*/*.h drivers/*/*.h guest/start/*.h guest/usb/*.h tests/fuzz/*.h) $(BUILD)/flags/fuzz
	@mkdir -p $$(@D)
	@$(if $(filter clang,$(FUZZ_CC)),tests/machine/setup.sh clang >&2)
	$$(FUZZ_CC) $$(FUZZ_CFLAGS) $$(filter %.c,$$^) -o $$@

.PHONY: $(1:fuzz_%=fuzz-%)
$(1:fuzz_%=fuzz-%): $$(BUILD)/fuzz/$(1)
	@mkdir -p $$(BUILD)/fuzz/$(1).corpus $$(BUILD)/fuzz/$(1).findings
	@$$(PYTHON) tests/fuzz/seeds.py $(1) $$(BUILD)/fuzz/$(1).seeds
	$$< $$(if $$(FUZZ_RUNS),-runs=$$(FUZZ_RUNS),-max_total_time=$$(FUZZ_SECONDS)) -max_len=8192 -timeout=5 -rss_limit_mb=1024 -verbosity=0 \
	    -print_final_stats=1 -artifact_prefix=$$(BUILD)/fuzz/$(1).findings/ \
	    $$(BUILD)/fuzz/$(1).corpus $$(BUILD)/fuzz/$(1).seeds
endef
$(foreach target,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$(target))))

.PHONY: fuzz
fuzz: $(FUZZ_TARGETS:fuzz_%=fuzz-%) ## fuzz every parser for FUZZ_SECONDS each (clang)
