# SPDX-License-Identifier: MIT
# What people have on their desks: a debugger, a manual page, completion.

.PHONY: debug gdb man completion
debug: ## a machine and gdb in one command, stopped where the hypervisor begins: SCENARIO=sriov; bulkhead-help lists commands
	@tests/machine/setup.sh build emulators $(SCENARIO_SETUP)
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/tools/debug.py $(if $(MACHINE),--machine $(MACHINE)) \
	    $(if $(QEMU),--qemu $(QEMU)) $(if $(LIKE),--like $(LIKE)) --scenario $(SCENARIO) $(RUN_FLAGS)

gdb: $(BUILD)/bulkhead.elf ## gdb for a machine that waits already (`make run RUN_FLAGS='--gdb 1234'`): GDB_PORT=1234
	@gdb -q $< -x tests/tools/bulkhead_gdb.py -ex 'target remote :$(or $(GDB_PORT),1234)' -ex 'hbreak hypervisor_main' $(GDB_FLAGS)

PAGE ?=
man: ## the manual page of all this: PAGE=run|check-config|... for a program's own
	@tests/machine/setup.sh desk
	@$(PYTHON) tests/tools/manual.py $(BUILD)/man
	@page=$(BUILD)/man/bulkhead$(if $(PAGE),-$(PAGE).1,.7); if [ ! -e "$$page" ]; then \
	    echo "man: there is no page '$(PAGE)': there are" $$(ls $(BUILD)/man | sed -n 's/^bulkhead-\(.*\)\.1$$/\1/p') >&2; exit 2; fi; man -l "$$page"

completion: ## what bash or zsh needs to complete goals, variables and options: source build/completion
	@$(PYTHON) tests/tools/completion.py $(BUILD)/completion
	@echo 'completion: source $(abspath $(BUILD))/completion'
