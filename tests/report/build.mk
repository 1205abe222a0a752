# SPDX-License-Identifier: MIT
# A run as a page, a trace and a map: docs/report.md.

report_option = $(if $(2),--$(1) $(call in_quotes,$(2)))
# Of TO netboot has a default of its own, and FOR counts as an argument only.
REPORT_TO  = $(if $(filter-out file undefined default,$(origin TO)),$(TO))
REPORT_FOR = $(if $(findstring command,$(origin FOR)),$(FOR))
REPORT_OPTIONS = $(call report_option,to,$(REPORT_TO)) $(if $(LOG),$(call report_option,log,$(LOG)),$(call \
    report_option,for,$(REPORT_FOR)) $(call report_option,machine,$(MACHINE)) $(call report_option,qemu,$(QEMU)) $(call \
    report_option,like,$(LIKE)) $(call report_option,scenario,$(SCENARIO)) $(RUN_FLAGS))

.PHONY: report
# What has to be built and unpacked to boot; nothing for a log that is there.
report: ## draw a run as page, trace and map: SCENARIO= MACHINE= LIKE= as run; FOR=seconds; LOG=FILE: what that log has; TO=page.html
	@tests/machine/setup.sh report $(if $(LOG),,build emulators $(SCENARIO_SETUP))
	$(if $(LOG),,@$(MAKE) --no-print-directory all)
	@$(PYTHON) tests/report/report.py $(REPORT_OPTIONS)

.PHONY: report-figures
report-figures: ## the pictures of docs/report.md, of a run of sriov
	@tests/machine/setup.sh browser
	@$(MAKE) --no-print-directory report SCENARIO=sriov MACHINE=tcg
	@$(PYTHON) tests/report/figures.py
