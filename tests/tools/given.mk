# SPDX-License-Identifier: MIT
# What was given on the command line, or in the environment for a goal that uses it, is looked at before any of it is
# used: make expands it, and recipes are the shell's. tests/tools/variables.py says what is right.

FROM_ENVIRONMENT := MACHINE QEMU LIKE SCENARIO RELEASE DEVICE FORCE KEY CERT FILES DEFAULT HOSTS TO FILE REPORT LOG NAME \
    CONTAINER BASE IMAGE GOAL SITE_PORT TEST_JOBS BUSY GDB_PORT LIFE_ROUNDS CONFIG_ACCESSES LANES RUN_FLAGS PYTEST_FLAGS \
    L STEP SEED SUBMISSION SUBMISSIONS STUDENTS CSV HELDOUT JOBS LIMIT DEMO PAGE
came_from = $(foreach name,$(2),$(if $(filter $(1),$(firstword $(origin $(name)))),$(name)))
GIVEN   := $(sort $(call came_from,command,$(.VARIABLES)))
PERHAPS := $(sort $(call came_from,environment,$(FROM_ENVIRONMENT)))

# Before make expands one of them.
dollar := $$
$(foreach name,$(GIVEN) $(PERHAPS),$(if $(findstring $(dollar),$(value $(name))),$(error \
    $(name): the value has a '$(dollar)' in it, which make would expand; choose a name without)))

in_quotes = '$(subst ','\'',$(1))'
as_words  = $(foreach name,$(2),$(call in_quotes,$(1):$(name)=$(value $(name))))
ifneq ($(GIVEN)$(PERHAPS),)
REFUSED := $(shell command -v python3 >/dev/null || exit 127; python3 tests/tools/variables.py 'Makefile $(wildcard */*.mk */*/*.mk)' \
    $(call in_quotes,$(MAKECMDGOALS)) $(call as_words,command,$(GIVEN)) $(call as_words,environment,$(PERHAPS)))
ifeq ($(.SHELLSTATUS),127)
# There is no Python yet: setup is about to install it, and the make that builds comes by here again.
comma  := ,
open   := (
close  := )
hash   := \#
SPECIAL := ; | & < > ' " ` \ $(comma) $(open) $(close) $(hash)
$(foreach name,$(GIVEN),$(foreach special,$(SPECIAL),$(if $(findstring $(special),$(value $(name))),$(error \
    $(name): a value with $(special) can be looked at once there is a python3: run make setup first))))
else ifneq ($(.SHELLSTATUS),0)
$(error what was given to make cannot be looked at: tests/tools/variables.py failed)
else ifneq ($(REFUSED),)
$(error $(REFUSED))
endif
endif
