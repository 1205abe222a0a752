# SPDX-License-Identifier: MIT
# The two commands in a container (Containerfile), for computers that are not Debian.

CONTAINER ?=
BASE ?= debian:13
IMAGE ?= bulkhead
GOAL ?= run
container = @CONTAINER='$(CONTAINER)' IMAGE='$(IMAGE)' BASE='$(BASE)' tests/machine/container.sh $(1)

# What was said on the command line and is not for the container's own making goes on to the make inside.
CONTAINER_OWN := CONTAINER CONTAINER_FLAGS CONTAINER_BUILD_FLAGS BASE IMAGE GOAL
said  = $(foreach name,$(filter-out $(CONTAINER_OWN),$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name)))
inside = $(foreach name,$(said),'$(name)=$(subst ','\'',$($(name)))')
export CONTAINER_FLAGS CONTAINER_BUILD_FLAGS

.PHONY: container container-base container-run
container: ## an image of Debian 13 with all that the two commands need: CONTAINER=podman|docker BASE=debian:13
	$(call container,build)

container-base: ## make the image that it is built from with debootstrap, where no registry can be reached (root, on Debian)
	$(call container,base)

container-run: ## run a goal in that image, in this tree: GOAL=run|test|... and the goal's own variables
	$(call container,run $(GOAL) $(inside))
