# SPDX-License-Identifier: MIT
# What people have on their desks: a debugger, a manual page, completion.

.PHONY: debug gdb
debug: ## a machine and gdb in one command, stopped where the hypervisor begins: SCENARIO=sriov; bulkhead-help lists commands
	@tests/machine/setup.sh build emulators $(SCENARIO_SETUP)
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/tools/debug.py $(if $(MACHINE),--machine $(MACHINE)) \
	    $(if $(QEMU),--qemu $(QEMU)) $(if $(LIKE),--like $(LIKE)) --scenario $(SCENARIO) $(RUN_FLAGS)

gdb: $(BUILD)/bulkhead.elf ## gdb for a machine that waits already (`make run RUN_FLAGS='--gdb 1234'`): GDB_PORT=1234
	@gdb -q $< -x tests/tools/bulkhead_gdb.py -ex 'target remote :$(or $(GDB_PORT),1234)' -ex 'hbreak hypervisor_main' $(GDB_FLAGS)
