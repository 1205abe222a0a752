# SPDX-License-Identifier: MIT
# Mutation tests: each takes one protection away, and some test or the audit has to notice.
.PHONY: test-mutations
test-mutations: ## take protections away one by one: MUTATIONS='name ...' (all: about 7 minutes on 2 cores)
	@$(PYTHON) tests/mutations/runner.py $(MUTATIONS)
