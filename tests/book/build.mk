# SPDX-License-Identifier: MIT
# The executed book: what pages show is run again and compared (docs/tests.md).
.PHONY: book book-all book-accept book-numbers
book: all ## run what docs and README show, and compare: PLACE=docs/monitor.md or docs/monitor.md:77
	@$(PYTHON) tests/book/book.py $(PLACE)

book-all: all ## the same with what takes minutes: Linux guests, fuzzing
	@$(PYTHON) tests/book/book.py --all $(PLACE)

book-accept: all ## write what is printed now into docs and README: PLACE= as above
	@$(PYTHON) tests/book/book.py --accept $(PLACE)

book-numbers: ## write the numbers in docs and README that come from sources, tables and blocks (runs nothing)
	@$(PYTHON) tests/book/book.py --numbers
