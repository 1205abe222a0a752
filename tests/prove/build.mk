# SPDX-License-Identifier: MIT
# Bounded proofs with CBMC. PROOFS picks some: make prove PROOFS='instruction page-map'
PROOFS ?=
.PHONY: prove prove-table
prove-table: ## write the table of proofs into docs/security.md
	@$(PYTHON) tests/prove/prove.py --document

prove: ## prove parsers, decoder and page tables up to a bound (CBMC; 10 minutes on 2 cores, up to 4 GB each): PROOFS=... picks
	@tests/machine/setup.sh build tools
	@$(PYTHON) tests/prove/prove.py $(PROOFS)
