# SPDX-License-Identifier: MIT
# The hypervisor once more, for the graph of its functions: nothing is inlined, so each call is a relocation.
GRAPH := $(BUILD)/graph
GRAPH_CFLAGS := -O1 -g0 -fno-inline -fno-jump-tables -Wno-error

.PHONY: graph size size-table size-accept
graph:
	@+mkdir -p $(GRAPH) && flock $(GRAPH)/lock $(MAKE) -s --no-print-directory -Otarget \
	    $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$$(nproc)) BUILD=$(GRAPH) EXTRA_CFLAGS='$(GRAPH_CFLAGS)' $(GRAPH)/bulkhead.elf

size: graph ## lines that stay, that a guest reaches, in all: DETAIL=1 by function, WHY=function the way to it
	@$(PYTHON) tests/size/size.py $(GRAPH) $(if $(WHY),--why $(WHY),$(if $(DETAIL),--detail))

size-table: graph ## write the table of folders into docs/00-overview.md, and the figures that pages quote
	@$(PYTHON) tests/size/size.py $(GRAPH) --document

size-accept: graph ## write what lint holds the size and the graph of files to
	@$(PYTHON) tests/size/size.py $(GRAPH) --accept
