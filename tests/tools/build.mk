# Tools for this machine that share their code with the hypervisor.

$(BUILD)/dmar: tests/tools/dmar.c hypervisor/acpi/dmar.c hypervisor/acpi/table.c $(wildcard hypervisor/*/*.h)
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) $(filter %.c,$^) -o $@

.PHONY: dmar
dmar: $(BUILD)/dmar ## the tool that explains a machine's DMAR table: build/dmar FILE

# The lookup alone: what discovers and drives units is left out at the link.
$(BUILD)/units: tests/tools/units.c hypervisor/setup/iommu_scopes.c hypervisor/acpi/dmar.c hypervisor/acpi/table.c \
		$(wildcard hypervisor/*/*.h)
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
		tests/unit/support/pages.c $(wildcard hypervisor/*/*.h)
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) $(filter %.c,$^) -lcmocka -o $@
