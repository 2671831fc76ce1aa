# Everything a person or a build server runs, by name. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
BUF := node_modules/.bin/buf
HELM := build/bin/helm
UV_VERSION := 0.13.9
HELM_VERSION := v3.22.0
# The interpreter is the machine's own; a download would need more than a package registry.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)

##@ Use
.PHONY: help
help: ## List what can be made
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv with everything in it (needs Python >= 3.11 and a network)

$(STAMP): pyproject.toml uv.lock
	@tools/make_venv.sh $(VENV) $(UV_VERSION)
	$(BIN)/uv sync --frozen --all-extras --quiet
	@touch $@

.PHONY: engine
engine: setup ## Compile what every command passes, where there is a C compiler: about a minute, nothing where it is up to date
	$(BIN)/python tools/compile_engine.py

.PHONY: engine-clean
engine-clean: setup ## Remove the compiled engine: the same sources run interpreted
	$(BIN)/python tools/compile_engine.py --clean

# Not with the engine compiled first: a first look should not wait a minute for what only a full load would show.
.PHONY: demo
demo: setup ## Start everything here and play it through; ONCE=1 ends afterwards, JSON=1 prints one JSON object last
	$(BIN)/deltahub demo $(if $(filter 1,$(ONCE)),--once) $(if $(filter 1,$(JSON)),--json)

##@ Check
.PHONY: test
test: engine ## Run all tests in two workers; ARGS='-k name' picks some, ARGS='-n 0' runs them one after another
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: bench
bench: engine ## Benchmarks, with the machine's own ceilings beside them; ARGS='--seconds 5' for a short one
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-search
bench-search: engine ## Search over a full pool, alone and beside writes; ARGS='--scale 0.1' for a small pool
	$(BIN)/python -m tests.bench.search $(ARGS)

.PHONY: bench-adapters
bench-adapters: engine ## Native records into Kafka, step by step, with ceilings; ARGS='--records 20000 --provinces jiangsu' for less
	$(BIN)/python -m tests.bench.adapters $(ARGS)

PROVINCE := zhejiang
N := 100000
.PHONY: adapter-day
adapter-day: engine ## A province's day through everything, reconciled to the record; PROVINCE=jiangsu N=5000
	$(BIN)/python -m tests.bench.adapter_day $(PROVINCE) $(N)

.PHONY: relevance
relevance: setup ## Relevance of search on labelled queries, beside a plain baseline
	$(BIN)/python -m tests.relevance

MINUTES := 10
.PHONY: soak
soak: engine ## Crashes, cuts, clocks, contention, batches beside sequences, fuzzing, properties, hub beside model, from fresh seeds; MINUTES=n, 10 unless told
	$(BIN)/python tools/soak.py $(MINUTES)

.PHONY: check
check: lint types imports contract drift docs-drift chart ## Run every check that is no test

.PHONY: lint
lint: setup ## ruff: faults and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: setup ## mypy, strict
	$(BIN)/mypy

.PHONY: imports
imports: setup ## import-linter: imports run inward
	$(BIN)/lint-imports

.PHONY: contract
contract: $(BUF) ## buf: style of the protobuf contract, and nothing broken since earlier versions
	cd proto && ../$(BUF) lint
	tools/check_breaking.sh $(BUF)

.PHONY: drift
drift: setup ## proto/gen is what the contract generates
	tools/check_drift.sh

.PHONY: docs-drift
docs-drift: setup ## Generated references in docs are what their sources generate
	$(BIN)/python tools/docs_generate.py --check

.PHONY: chart
chart: setup $(HELM) ## Helm chart: lint, render and validate
	tools/check_chart.sh $(HELM) $(BIN)/kubernetes-validate

##@ Change
.PHONY: proto
proto: setup ## Regenerate proto/gen
	tools/gen_proto.sh

.PHONY: docs
docs: setup ## Regenerate the references in docs: API, tables, refusals, settings
	$(BIN)/python tools/docs_generate.py

.PHONY: format
format: setup ## Put imports and layout in order
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove what can be made again, the environment included (data in var stays)
	rm -rf $(VENV) node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache hub/_compiled

$(BUF): package.json package-lock.json .npmrc
	@tools/need.sh npm 'Node.js with npm, for buf'
	npm ci --no-progress
	@touch $@

$(HELM):
	@tools/need.sh go 'Go >= 1.24, to build helm'
	GOBIN=$(CURDIR)/build/bin go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)
