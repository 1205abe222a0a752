# SPDX-License-Identifier: MIT
# Tools for this machine that share their code with the hypervisor.

$(BUILD)/dmar: tests/tools/dmar.c hypervisor/acpi/dmar.c hypervisor/acpi/table.c $(wildcard hypervisor/*/*.h) \
		$(BUILD)/flags/unit
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) $(filter %.c,$^) -o $@

.PHONY: dmar
dmar: $(BUILD)/dmar ## the tool that explains a machine's DMAR table: build/dmar FILE

$(BUILD)/config: tests/tools/config.c $(wildcard hypervisor/config/*.[ch]) hypervisor/base/string.c $(BUILD)/flags/unit
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(HOST_CC) $(UNIT_CFLAGS) -DMAX_COMPLAINTS=100000 $(filter %.c,$^) -o $@

REPORT ?=
.PHONY: check-config
check-config: ## what the hypervisor says to a configuration: FILE=my.conf (several: with blanks) or SCENARIO=name; REPORT=preflight.txt
	@$(MAKE) -s --no-print-directory $(BUILD)/config
	@$(PYTHON) tests/tools/check_config.py $(if $(REPORT),--report "$(REPORT)") \
	    $(if $(findstring command,$(origin SCENARIO)),--scenario "$(SCENARIO)") $(if $(FILE),"$(FILE)")

# The lookup alone: what discovers and drives units is left out at the link.
$(BUILD)/units: tests/tools/units.c hypervisor/setup/iommu_scopes.c hypervisor/acpi/dmar.c hypervisor/acpi/table.c \
		$(wildcard hypervisor/*/*.h) $(BUILD)/flags/unit
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) -ffunction-sections -Wl,--gc-sections $(filter %.c,$^) -o $@

DMAR_CORPUS ?= ../shared/reference/dmar-corpus
.PHONY: corpus
corpus: $(BUILD)/dmar ## a line for each DMAR table of a folder of real ones: DMAR_CORPUS=FOLDER
	@if [ -d "$(DMAR_CORPUS)" ]; then $(BUILD)/dmar --brief "$(DMAR_CORPUS)" || [ $$? = 1 ]; \
	else echo "corpus: $(DMAR_CORPUS) is not there; name a folder of *.dmar files with DMAR_CORPUS="; fi

.PHONY: attacks
attacks: all ## what docs/security.md names against each attack, run, as a table: ATTACKS='S13 S18'
	@$(PYTHON) tests/tools/attacks.py $(ATTACKS)

$(BUILD)/tables: tests/tools/tables.c hypervisor/memory/page_table.c hypervisor/memory/formats.c \
		tests/unit/support/pages.c $(wildcard hypervisor/*/*.h) $(BUILD)/flags/unit
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) $(filter %.c,$^) -lcmocka -o $@

$(BUILD)/entry: tests/tools/entry.c tests/tools/vmx_view.c tests/tools/vmx_rules.c tests/tools/vmcs_names.c tests/tools/vmx_check.c \
		tests/tools/vmx_view.h tests/tools/vmx_check.h $(wildcard hypervisor/*/*.h) $(BUILD)/flags/unit
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) $(filter %.c,$^) -o $@

.PHONY: entry
entry: $(BUILD)/entry ## the tool that says why a CPU refused a VM entry (reason=entry-failure): build/entry <LOG

.PHONY: symbols
symbols: ## a log, such as last.log of a stick, with the functions of its backtraces: LOG=FILE
	@if [ -z "$(LOG)" ]; then echo "symbols: name a log with LOG=FILE" >&2; exit 2; fi
	@$(PYTHON) tests/tools/symbols.py "$(LOG)"

# For editors and analysers: how each C file is compiled, for the first program that it is part of.
HOST_C    = $(sort $(wildcard tests/unit/*.c tests/unit/*/*.c tests/tools/*.c))
quoted    = $(subst ",\",$(subst \,\\,$(strip $(1))))
entry     = {"directory": "$(CURDIR)", "file": "$(1)", "command": "$(2) -c $(1) -o $(BUILD)/$(basename $(1)).o"},
entries   = $(foreach source,$(1),$(file >>$@.new,$(call entry,$(source),$(call quoted,$(2)))))
GUEST_C   = $(GUEST_COMMON_C) $(wildcard guest/programs/*.c guest/architecture/*.c guest/usb/*.c)
flags.commands = $(foreach group,hypervisor efi guest start unit fuzz,$(flags.$(group))) $(CURDIR) $(HYPERVISOR_ALL) $(EFI_C) \
    $(GUEST_C) $(wildcard guest/start/*.c) $(HOST_C) $(FUZZ_TARGETS)
$(BUILD)/compile_commands.json: $(BUILD)/flags/commands
	$(call say,JSON,$@)
	$(file >$@.new,[)
	$(call entries,$(HYPERVISOR_ALL),$(CC) $(HYPERVISOR_CFLAGS))
	$(call entries,$(wildcard boot/efi/*.c boot/preflight/*.c tests/efi/*.c tests/efi/*/*.c) boot/kept_log.c,$(CC) $(EFI_CFLAGS))
	$(call entries,$(GUEST_C),$(CC) $(GUEST_CFLAGS))
	$(call entries,$(wildcard guest/multiboot/*.c),$(CC) $(filter-out -mno-red-zone,$(GUEST_CFLAGS)) -m32)
	$(call entries,$(wildcard guest/start/*.c),$(CC) $(START_CFLAGS))
	$(call entries,$(HOST_C),$(HOST_CC) $(UNIT_CFLAGS))
	$(call entries,$(FUZZ_TARGETS:%=tests/fuzz/%.c),$(FUZZ_CC) $(FUZZ_CFLAGS))
	@sed '$$s/,$$/\n]/' $@.new >$@ && rm $@.new

FILE ?=
.PHONY: preflight
# NAME counts as an argument only: some systems have it in the environment, and a report would be kept under it.
preflight: ## explain what \bulkhead\preflight.txt says of a machine: FILE=report, folder or image; NAME=x keeps it for the tests
	@[ -n "$(FILE)" ] || { echo 'preflight: name the report: make preflight FILE=preflight.txt' >&2; exit 1; }
	@$(PYTHON) tests/tools/preflight.py "$(FILE)" $(if $(findstring command,$(origin NAME)),--name "$(NAME)")
