# Tools for this machine that share their code with the hypervisor.

$(BUILD)/dmar: tests/tools/dmar.c hypervisor/acpi/dmar.c hypervisor/acpi/table.c $(wildcard hypervisor/*/*.h)
	@mkdir -p $(@D)
	$(HOST_CC) $(UNIT_CFLAGS) $(filter %.c,$^) -o $@

.PHONY: dmar
dmar: $(BUILD)/dmar ## the tool that explains a machine's DMAR table: build/dmar FILE
