# Two commands for a newcomer: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
CDK := $(BIN)/python -m tools.cdk
# In the order of tests/order.py, not by the number of tests in a file: the files with few tests take longest.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Compiled modules of the CDK and cfn-lint halve the time of every synthesis.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long test-thorough check security audit synth snapshot docs bench dist sbom lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 20

setup: ## build .venv and node_modules from the lock files (the others call it)
	@$(PYTHON) tools/setup_env.py

demo: setup ## deploy onto the embedded AWS, press a custom action, show what happened
	@$(BIN)/python -m tools.demo

test: setup ## run the test suite, end-to-end tests included
	@$(PYTEST) -m "not long"

test-long: setup ## run the tests that `make test` leaves out because they take long by nature
	@$(PYTEST) -m long

test-thorough: setup ## run the property tests with twenty times as many examples, others in each run
	@$(PYTEST) -m hypothesis --hypothesis-profile thorough

check: setup ## formatting, lint, types, import direction, workflows, templates
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=.:lambda $(BIN)/lint-imports
	@$(BIN)/zizmor --offline --strict-collection --persona pedantic --quiet .github
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	@$(CDK) synth --quiet --app '$(BIN)/python app.py'

security: setup ## the packs NIST 800-53, PCI DSS, and HIPAA of cdk-nag, and checkov, with everything turned on
	@$(BIN)/python -m tools.security

audit: setup ## ask PyPI and npm for known vulnerabilities of the locked packages
	@$(BIN)/python -m tools.security.supply_chain audit

synth: setup ## synthesize the CloudFormation templates into cdk.out
	@$(CDK) synth --quiet --app '$(BIN)/python app.py'

snapshot: setup ## rewrite the reviewed snapshots; with SETTINGS=file.toml, that of your own settings file
	@$(if $(SETTINGS),$(BIN)/python -m tools.snapshot '$(SETTINGS)',$(BIN)/python -m pytest tests/stacks -k snapshot --snapshot-update)

docs: setup ## build the documentation into site; a warning is an error
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env --doctree-dir build/doctrees docs site
	@echo "docs: open site/index.html"

bench: setup ## run the benchmarks, each figure side by side with what it is compared to
	@export JSII_NODE="$$($(BIN)/python -c 'from tools.cdk import NODE; print(NODE)')"; \
	for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python $$script || exit 1; done

dist: setup ## build the sdist and the wheel into dist
	@$(BIN)/python -m uv build --quiet --no-config --no-build-isolation --python $(BIN)/python --clear --out-dir dist

sbom: setup ## list what is released, with all that it depends on, in build/sbom (CycloneDX)
	@$(BIN)/python -m tools.security.supply_chain sbom

lock: setup ## rewrite the lock files after changing requirements*.txt or tools/security/*.txt
	@grep -hvE '^(-|#|$$)' requirements.txt requirements-dev.txt | $(BIN)/python -m uv pip compile --quiet - \
		--universal --python-version 3.11 --generate-hashes --no-header --output-file requirements-dev.lock
	@for name in checkov supply-chain uv; do $(BIN)/python -m uv pip compile --quiet tools/security/$$name.txt \
		--universal --python-version 3.11 --generate-hashes --no-header --output-file tools/security/$$name.lock; done

clean: ## remove everything that the other commands made
	rm -rf .venv .venv-checkov .venv-supply-chain node_modules build dist site cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
