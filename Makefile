# Needs make, bash and Python 3.11, 3.12 or 3.13; everything else is fetched into .venv.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
READY := $(VENV)/.synchronised
# Reports name the commit they are about; "-dirty" when the working tree differs from it.
COMMIT = $(shell git describe --always --dirty --exclude '*' 2>/dev/null || echo no-commit)
ARGS ?=
# Tests wait for brokers and vendors more than they compute. Each process starts its own services.
PROCESSES ?= 2

.PHONY: help demo test lint sim chaos soak bench documents clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## Run the whole system on simulated vendors; ARGS="--once --json --seed 7" are passed on
	@exec $(VENV)/bin/loyalty demo $(ARGS)

test: lint ## Check and test everything, on a real Kafka and the Firestore emulator (minutes)
	$(VENV)/bin/pytest tests --ignore=tests/long -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY) ## Style, types and the layers of the design (seconds)
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

sim chaos soak: $(READY)
	@mkdir -p reports
	$(VENV)/bin/pytest tests/long -m $@ --junitxml=reports/$@-$(COMMIT).xml $(ARGS) | tee reports/$@-$(COMMIT).txt

sim: ## Simulate the system over many seeds in virtual time; report in reports/
chaos: ## Kill, pause and cut off real processes, many times; report in reports/
soak: ## Load it for hours and watch what grows; report in reports/

bench: $(READY) ## Measure speed and cost; report in reports/
	@mkdir -p reports
	$(VENV)/bin/python -m bench $(ARGS) | tee reports/bench-$(COMMIT).txt

documents: $(READY) ## Write docs/asyncapi.yaml and docs/openapi.yaml from the code
	$(VENV)/bin/python -m stream.contracts.asyncapi
	$(VENV)/bin/python -m stream.web.describe

clean: ## Remove what was built and what the demo left (not .loyalty of `loyalty up`)
	rm -rf $(VENV) .venv-uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist .loyalty/demo-*

# Not PHONY: the environment is made again only when what it is made from changed.
$(READY): pyproject.toml uv.lock
	@bash .ci/environment
	@touch $@
