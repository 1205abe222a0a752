# SPDX-License-Identifier: MIT
# Two commands do everything on a fresh Debian 12 or 13: `make run` and `make test`.
# `make help` lists the rest.

include tests/tools/given.mk

BUILD    := build
CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
# Another release of the compiler, such as the container's, makes all objects again.
release_of = $(1) $(shell $(1) --version 2>/dev/null | head -n 1)
COMPILER := $(call release_of,$(CC))
NASM     := nasm
LD       := ld
OBJCOPY  := objcopy
PYTHON   := $(or $(wildcard /usr/bin/python3),python3)
MACHINE  ?=
QEMU     ?=
LIKE     ?=
SCENARIO ?= $(if $(filter bochs,$(MACHINE)),bochs,$(if $(filter minipc,$(LIKE)),minipc,sriov))

# A hypervisor that can be told to go on in spite of what its audit finds, so that an attack can be watched: asked for
# here and in the configuration, or it does not exist. A lab's tree has it, but for media.
AUDIT ?= $(if $(wildcard .lab/files),$(if $(filter usb netboot,$(MAKECMDGOALS)),enforce,warn),enforce)
# The format of the tables that say which domain a function is in: legacy mode, or scalable mode with SCALABLE=1 and in
# the tree of the lab that writes it. Its file defines what others define as weak.
SCALABLE ?= $(if $(filter %/vtd_scalable.c,$(file <.lab/files)),1)
AUDIT_CFLAGS := $(if $(filter warn,$(AUDIT)),-DBULKHEAD_AUDIT_WARN)

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

include boot/build.mk
include guest/build.mk
include tests/build.mk
include tests/machine/container.mk
include tests/efi/build.mk
include tests/fuzz/build.mk
include tests/tools/build.mk
include tests/tools/shell.mk
include tests/mutations/build.mk
include tests/bench/build.mk
include tests/prove/build.mk
include tests/size/build.mk
include tests/report/build.mk
include tests/labs/build.mk
include tests/book/build.mk

# `make V=1` shows the commands, `make -s` nothing.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '  %-4s %s\n' $(1) "$(2)")

# Makes goals on all cores, or by the -j that was given, each target's output in one piece. One make at a time: two
# would write the same objects.
build = mkdir -p $(BUILD) && flock $(BUILD)/lock $(MAKE) --no-print-directory -Otarget \
    $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc)) $(1)

# $(BUILD)/flags/NAME holds $(flags.NAME) and is written when that differs from what it holds: what depends on it is made
# again exactly then. (What a target adds to its own flags belongs into the text, since files that it depends on inherit
# its variables. GNU make 4.3 strips the newline that ends the file from time to time only.)
differ = $(subst x$(1),,x$(2))$(subst x$(2),,x$(1))
.SECONDEXPANSION:
$(BUILD)/flags/%: $$(if $$(call differ,$$(strip $$(file <$$@)),$$(strip $$(flags.$$*))),FORCE)
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(strip $(flags.$*)))' >$@
.PRECIOUS: $(BUILD)/flags/%
.PHONY: FORCE

WARNINGS := -Wall -Wextra -Wconversion -Werror

# Without SSE nothing wants more than 8 bytes.
STACK_ALIGNMENT := $(if $(findstring clang,$(CC)),-mstack-alignment=8,-mpreferred-stack-boundary=3)

# --- the hypervisor: no floating point, no red zone, nothing from a C library ---
HYPERVISOR_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
    -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing \
    -fcf-protection=none -fno-omit-frame-pointer -fno-common -ffunction-sections -fdata-sections \
    $(STACK_ALIGNMENT) $(WARNINGS) -I. $(AUDIT_CFLAGS) $(EXTRA_CFLAGS)

# What runs only at boot, and what a machine may have no use of, by hypervisor/layers.txt: linker.ld puts the sections
# that are called .boot.* and .GROUP.* apart, since they go before the guests start.
BOOT_ONLY  := $(shell awk '$$1 == "boot" { print $$2 } $$1 == "folder" && $$3 == "boot" { print $$2 "/%" }' hypervisor/layers.txt)
STILL_USED := $(shell awk '$$1 == "resident" { print $$2 }' hypervisor/layers.txt) boot/efi/%
OPTIONAL   := $(shell awk '$$1 == "optional" { for (i = 4; i <= NF && $$i != "\#"; i++) print $$2 ":" $$i }' hypervisor/layers.txt)
GROUPS     := $(sort $(foreach one,$(OPTIONAL),$(firstword $(subst :, ,$(one)))))
paths_of    = $(foreach one,$(filter $(1):%,$(OPTIONAL)),$(one:$(1):%=%) $(one:$(1):%=%/%))
apart       = $(if $(filter $(BOOT_ONLY),$(filter-out $(STILL_USED),$(1))),boot,$(strip \
    $(foreach group,$(GROUPS),$(if $(filter $(call paths_of,$(group)),$(1)),$(group)))))
set_apart   = $(if $(call apart,$<),$(Q)$(OBJCOPY) --prefix-alloc-sections=.$(call apart,$<) $@)

# Three instructions a call on the way of every exit, which has ended the walk of frame pointers anyway.
EXIT_PATH := vcpu/vmx/exit vcpu/policy/cpuid
flags.hypervisor := $(COMPILER) $(HYPERVISOR_CFLAGS) $(EXIT_PATH) $(BOOT_ONLY) $(STILL_USED) $(OPTIONAL)
flags.asm := $(NASM) $(BOOT_ONLY) $(STILL_USED) $(OPTIONAL)
$(EXIT_PATH:%=$(BUILD)/hypervisor/%.o): HYPERVISOR_CFLAGS += -fomit-frame-pointer

# What boot.start says. A tree without a git directory of its own, such as an unpacked archive, knows no commit.
VERSION := $(strip $(file <VERSION))
COMMIT  := $(if $(wildcard .git),$(shell git describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null))
VERSION_O := $(BUILD)/hypervisor/setup/version.o
flags.version := -DBULKHEAD_VERSION='"$(VERSION)"' -DBULKHEAD_COMMIT='"$(or $(COMMIT),unknown)"'
$(VERSION_O): HYPERVISOR_CFLAGS += $(flags.version)
$(VERSION_O): $(BUILD)/flags/version

HYPERVISOR_ALL := $(sort $(shell find hypervisor drivers -name '*.c')) $(BOOT_C)
HYPERVISOR_C   := $(filter-out $(if $(SCALABLE),,hypervisor/iommu/vtd_scalable.c),$(HYPERVISOR_ALL))
HYPERVISOR_ASM := $(sort $(shell find hypervisor drivers boot/multiboot2 -name '*.asm'))
HYPERVISOR_O   := $(HYPERVISOR_C:%.c=$(BUILD)/%.o) $(HYPERVISOR_ASM:%.asm=$(BUILD)/%.asm.o)

$(BUILD)/hypervisor/%.o: hypervisor/%.c $(BUILD)/flags/hypervisor
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HYPERVISOR_CFLAGS) -MMD -MP -c $< -o $@
	$(set_apart)

$(BUILD)/drivers/%.o: drivers/%.c $(BUILD)/flags/hypervisor
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HYPERVISOR_CFLAGS) -MMD -MP -c $< -o $@
	$(set_apart)

$(BUILD)/boot/%.o: boot/%.c $(BUILD)/flags/hypervisor
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(HYPERVISOR_CFLAGS) -MMD -MP -c $< -o $@
	$(set_apart)

$(BUILD)/%.asm.o: %.asm $(BUILD)/flags/asm
	@mkdir -p $(@D)
	$(call say,ASM,$<)
	$(Q)$(NASM) -f elf64 -g -F dwarf -I. -I$(BUILD)/ -MD $(@:.o=.d) $< -o $@
	$(set_apart)

$(BUILD)/hypervisor/guest/start_stub.asm.o: $(BUILD)/guest/start.bin

# linker.ld with a line that says @group@ once for each group, and there @others@ for the other groups' sections.
flags.groups := $(GROUPS)
$(BUILD)/linker.ld: linker.ld $(BUILD)/flags/groups
	@mkdir -p $(@D)
	$(Q)awk -v groups='$(GROUPS)' 'BEGIN { n = split(groups, name) } \
	    !/@group@/ { print; next } \
	    { for (i = 1; i <= n; i++) { line = $$0; others = ""; for (j = 1; j <= n; j++) if (j != i) \
	          others = others " ." name[j] ".text ." name[j] ".rodata ." name[j] ".data"; \
	      gsub(/@group@/, name[i], line); gsub(/@others@/, others, line); print line } }' $< >$@

flags.bulkhead = $(LD) $(HYPERVISOR_O) $(LAB_O) $(LAB_LDFLAGS)
$(BUILD)/bulkhead.elf: $(HYPERVISOR_O) $(LAB_O) $(BUILD)/linker.ld $(BUILD)/flags/bulkhead
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --build-id=sha1 -z max-page-size=4096 -z noexecstack --gc-sections \
	    --orphan-handling=error -T $(BUILD)/linker.ld -Map=$(@:.elf=.map) $(LAB_LDFLAGS) $(HYPERVISOR_O) $(LAB_O) -o $@

-include $(HYPERVISOR_O:.o=.d)

.PHONY: help all run test setup usb bench lint clean
help: ## this list
	@grep -h -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

all: ## build the disk image, the GRUB ISO and compile_commands.json
	@+$(call build,media)

.PHONY: media
media: $(BUILD)/bulkhead.img $(BUILD)/bulkhead.iso $(BUILD)/config $(BUILD)/entry $(BUILD)/tests/firmware.efi $(BUILD)/compile_commands.json

# What one compiler makes of everything but the unit tests and the fuzz targets.
.PHONY: programs program-files
programs:
	@+$(call build,program-files)
program-files: $(BUILD)/bulkhead.elf $(BUILD)/bulkhead.efi $(GUEST_IMAGES) $(EFI_TESTS) $(BUILD)/config $(BUILD)/dmar $(BUILD)/units $(BUILD)/tables $(BUILD)/entry

setup: ## install what building, running and testing need (root or sudo)
	@tests/machine/setup.sh build clang tools emulators guests desk site report browser
	@tests/machine/setup.sh qemu11 || echo 'setup: tests that need QEMU 11 will be skipped' >&2

# What a scenario needs beyond our own images and the older QEMU: Linux guests, or virtio cards with virtual functions.
scenario_has = $(shell grep -lE '$(1)' config/$(SCENARIO:.conf=).conf 2>/dev/null)
SCENARIO_SETUP = $(if $(call scenario_has,vmlinuz),guests) \
    $(if $(filter 11,$(QEMU))$(call scenario_has,^device *= *1af4:1041),qemu11)

run: ## boot it: MACHINE=tcg|kvm|stack|bochs SCENARIO=sriov|... QEMU=10|11 LIKE=minipc|workstation|server|desktop|amd
	@tests/machine/setup.sh build emulators $(SCENARIO_SETUP)
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/machine/run.py $(if $(MACHINE),--machine $(MACHINE)) $(if $(QEMU),--qemu $(QEMU)) $(if $(LIKE),--like $(LIKE)) \
	    --scenario $(SCENARIO) $(RUN_FLAGS)

.PHONY: demo
demo: ## twelve steps at the prompt, explained, with guests that go on: MACHINE=tcg|kvm|stack QEMU=10|11; DEMO=check types them
	@$(if $(filter bochs,$(MACHINE)),echo 'demo: MACHINE=bochs has neither VT-d nor SR-IOV: leave it out' >&2; exit 2)
	@tests/machine/setup.sh build emulators
	@$(MAKE) --no-print-directory all
	@$(PYTHON) tests/machine/demo.py $(if $(MACHINE),--machine $(MACHINE)) $(if $(QEMU),--qemu $(QEMU)) \
	    $(if $(DEMO),--check) $(RUN_FLAGS)

# PYTEST_FLAGS picks tests, e.g. PYTEST_FLAGS='-k sriov' or '-m "not stack"'.
PYTEST := $(PYTHON) -m pytest -v -p no:cacheprovider --tb=short

# How many run at a time, each file's on one of them. None asserts what a second one beside it can change.
TEST_JOBS ?= 2
AT_A_TIME := $(if $(filter-out 1,$(TEST_JOBS)),-n $(TEST_JOBS) --dist loadscope)

test: setup ## every test there is (up to 45 minutes on 2 cores): PYTEST_FLAGS='-m "not stack"' for the quick ones; TEST_JOBS=2
	@$(MAKE) --no-print-directory all
	@$(if $(BUSY),BUSY=$(BUSY) tests/busy.py) $(PYTEST) $(AT_A_TIME) $(PYTEST_FLAGS) tests

RELEASE ?= 13
.PHONY: test-fresh
test-fresh: ## make run and make test of a clone of HEAD in a bare Debian: RELEASE=12|13 PYTEST_FLAGS= FRESH_FLAGS= (root)
	@tests/machine/setup.sh fresh
	@$(PYTHON) tests/machine/fresh.py $(RELEASE) $(if $(PYTEST_FLAGS),--pytest-flags=$(call in_quotes,$(PYTEST_FLAGS))) $(FRESH_FLAGS)

.PHONY: test-busy
test-busy: ## make test beside BUSY=4 loops that take this computer's time; PYTEST_FLAGS picks (three times as long)
	@$(MAKE) --no-print-directory test BUSY=$(or $(BUSY),4)

LIFE_ROUNDS ?= 1000
.PHONY: test-life
test-life: all ## LIFE_ROUNDS restarts and twice as many moves beside traffic, each audited (a second or two a round)
	@LIFE_ROUNDS=$(LIFE_ROUNDS) $(PYTEST) -s -k test_again_and_again tests/system/test_life_cycle.py

CONFIG_ACCESSES ?= 10000000
.PHONY: test-config
test-config: all ## CONFIG_ACCESSES random accesses of a guest to configuration space (10 million: 20 minutes)
	@FUZZ_OPERATIONS=$(CONFIG_ACCESSES) $(PYTEST) -s -k test_configuration_space tests/system/test_fuzz_guest.py

lint: ## formatting, static analysis, both compilers, sizes, spelling
	@tests/machine/setup.sh build clang tools site
	@$(PYTEST) $(PYTEST_FLAGS) tests/lint tests/book/test_marks.py

SITE_PORT ?= 8000
.PHONY: site site-serve
site: ## the book as a site with search: build/site/index.html, which opens from disk
	@tests/machine/setup.sh site
	@$(PYTHON) -m mkdocs build --quiet --strict --site-dir $(abspath $(BUILD))/site
	@echo 'site: open $(BUILD)/site/index.html, or make site-serve'

site-serve: site ## the same over HTTP, on this computer only: SITE_PORT=8000
	@$(PYTHON) tests/tools/serve.py $(BUILD)/site '$(SITE_PORT)'

.PHONY: format
format: ## format all C sources as lint wants them
	@tests/machine/setup.sh tools
	@tests/lint/tool clang-format -i $$(git ls-files -co --exclude-standard -- '*.[ch]')

clean: ## remove everything that was built
	rm -rf $(BUILD)
