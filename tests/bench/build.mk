# SPDX-License-Identifier: MIT
# What things cost: `make bench` measures, `make bench-accept` takes new exit costs for the right ones.

.PHONY: bench-accept plots
bench: all ## measure exits, packets, boot, sizes; table here and in build/bench.csv
	@$(PYTHON) tests/bench/bench.py $(BENCH_FLAGS)

bench-accept: all ## accept the exit costs in Bochs as they are now
	@$(PYTHON) tests/bench/bench.py --accept

plots: bench ## measure, then draw the plots and write the table of docs/performance.md
	@$(PYTHON) tests/bench/plots.py
