# SPDX-License-Identifier: MIT
# The course's labs. A check names what it is linked with as a unit test does (tests/build.mk).
LAB_CHECKS := $(patsubst tests/labs/checks/%.c,$(BUILD)/labs/%,$(wildcard tests/labs/checks/l[0-9]*.c))

define lab_rule
$$(BUILD)/labs/$(1): $(call unit_object,tests/labs/checks/$(1).c tests/labs/checks/check.c $(filter-out -%,$(call unit_sources,tests/labs/checks/$(1).c)) $(call unit_support,tests/labs/checks/$(1).c)) $(BUILD)/flags/unit
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$$(HOST_CC) $$(UNIT_CFLAGS) $$(filter %.o,$$^) -lcmocka -o $$@
endef
$(foreach check,$(LAB_CHECKS:$(BUILD)/labs/%=%),$(eval $(call lab_rule,$(check))))

# What a missing function leaves unused is not the student's fault. Elsewhere all warnings stay errors.
LAB_FILES := $(file <.lab/files)
LAB_OBJECTS := $(foreach place,/ /efi/ /unit/objects/,$(LAB_FILES:%.c=$(BUILD)$(place)%.o))
LAB_WARNINGS := -Wno-unused-function -Wno-unused-variable -Wno-unused-parameter -Wno-unused-but-set-variable -Wno-unused-const-variable
ifneq ($(LAB_FILES),)
$(LAB_OBJECTS): HYPERVISOR_CFLAGS += $(LAB_WARNINGS)
$(LAB_OBJECTS): GUEST_CFLAGS += $(LAB_WARNINGS)
$(LAB_OBJECTS): UNIT_CFLAGS += $(LAB_WARNINGS)
$(LAB_OBJECTS): EFI_CFLAGS += $(LAB_WARNINGS)
endif

# The hypervisor of a lab's tree has a watch around the way of its exits. Its parts that name a back-end go where that
# one goes (linker.ld).
ifneq ($(LAB_FILES),)
LAB_O := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/labs/watch/*.c))
LAB_WRAPPED := vmx_run vmx_exited svm_exit_handle
LAB_LDFLAGS := $(LAB_WRAPPED:%=--wrap=%)
endif
$(BUILD)/tests/labs/watch/%.o: tests/labs/watch/%.c $(BUILD)/flags/hypervisor
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HYPERVISOR_CFLAGS) -MMD -MP -c $< -o $@
	$(if $(filter watch_%,$*),$(Q)$(OBJCOPY) --prefix-alloc-sections=.$(*:watch_%=%) $@)
-include $(LAB_O:.o=.d)

LAB_TOOL := $(PYTHON) tests/labs/lab.py
.PHONY: lab labs-for lab-check lab-hint lab-fill lab-checks lab-costs grade grade-all test-labs
lab: ## a lab of the course in a folder of its own: L=7 TO=folder SEED=n; without L the list of labs
	@$(LAB_TOOL) new $(if $(L),--lab '$(L)') $(if $(TO),--to '$(TO)') $(if $(SEED),--seed '$(SEED)')

labs-for: ## a tree for each of STUDENTS=list.csv (student,seed): L=7 TO=folder
	@$(if $(and $(L),$(STUDENTS),$(TO)),,echo 'labs-for: give L=7 STUDENTS=list.csv TO=folder' >&2; exit 2)
	@$(PYTHON) tests/labs/handout.py --lab '$(L)' --students '$(STUDENTS)' --to '$(TO)'

lab-check: ## in a lab's tree: what is done, what is wrong and why; STEP=n for one step
	@tests/machine/setup.sh --quiet build tools emulators
	@$(LAB_TOOL) check $(if $(STEP),--step '$(STEP)')

lab-hint: ## in a lab's tree: what step STEP=n is about
	@$(LAB_TOOL) hint $(if $(STEP),--step '$(STEP)')

lab-fill: ## in a lab's tree: the solution of step STEP=n in place of yours
	@$(LAB_TOOL) fill $(if $(STEP),--step '$(STEP)')

lab-checks: $(LAB_CHECKS)

grade: ## points for SUBMISSION=folder: L=7 SEED=n CSV=file HELDOUT=folder
	@tests/machine/setup.sh build tools emulators
	@$(if $(SUBMISSION),,echo 'grade: give SUBMISSION=folder' >&2; exit 2)
	@$(PYTHON) tests/labs/grade.py $(if $(L),--lab '$(L)') $(if $(SEED),--seed '$(SEED)') $(if $(CSV),--csv '$(CSV)') \
	    $(if $(HELDOUT),--held-out '$(HELDOUT)') '$(SUBMISSION)'

grade-all: ## points for every folder of SUBMISSIONS=folder: L=7 CSV=file STUDENTS=list.csv JOBS=2 LIMIT=1800 HELDOUT=folder
	@tests/machine/setup.sh build tools emulators
	@$(if $(and $(L),$(SUBMISSIONS),$(CSV)),,echo 'grade-all: give L=7 SUBMISSIONS=folder CSV=points.csv' >&2; exit 2)
	@$(PYTHON) tests/labs/grade_all.py --lab '$(L)' --csv '$(CSV)' $(if $(STUDENTS),--students '$(STUDENTS)') $(if $(JOBS),--jobs '$(JOBS)') \
	    $(if $(LIMIT),--limit '$(LIMIT)') $(if $(HELDOUT),--held-out '$(HELDOUT)') '$(SUBMISSIONS)'

lab-costs: ## measure what labs cost a server, and write it into the page for teachers: L=7 of one (a minute or two a lab)
	@tests/machine/setup.sh build tools emulators
	@$(PYTHON) tests/labs/costs.py $(if $(L),--lab '$(L)')

test-labs: all ## every step missing, every planted mistake, of every lab (L=7: of one)
	@LAB_TESTS=all $(PYTEST) $(if $(L),-k '$(L)') tests/labs
