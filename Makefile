# `make up` on a machine with Python ≥ 3.11, python3-venv and make; everything else is installed into $(VENV).
# The first of these that was built with optimizations, else python3: calls cost a fifth less processor time on it.
PYTHON ?= $(or $(shell for python in python3 /usr/bin/python3; do \
  $$python libs/cli/src/voxbus_cli/interpreter.py && $$python -c 'import ensurepip, venv' && echo $$python && break; \
  done 2>/dev/null),python3)
VENV ?= .venv
BIN := $(VENV)/bin
MEMBERS := $(patsubst %/pyproject.toml,./%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
PIP := $(BIN)/python -m pip --disable-pip-version-check install
LOCKS := voice-espeak silero vosk sherpa dev lint
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
.DEFAULT_GOAL := help
include tests/suites.mk

up: $(VENV)/.members ## install what is needed and start everything; Ctrl-C ends it
	@$(BIN)/voxbus up
test: $(VENV)/.members $(VENV)/.test ## unit, architecture and integration tests
	$(BIN)/pytest -m "not slow and not e2e and not acceptance"
lint: $(VENV)/.members $(VENV)/.test $(VENV)/.lint ## style, types and import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

gen: $(VENV)/.members $(VENV)/.test ## write docs/events.md, schemas, AsyncAPI and protobuf stubs
	$(BIN)/voxbus gen
docs: $(VENV)/.members $(VENV)/.test ## check that what `make gen` writes is committed
	$(BIN)/voxbus gen --check
locks: ## compile requirements/*.in into hash-pinned locks (needs uv)
	$(COMPILE) requirements/base.in -o requirements/base.lock
	$(foreach name,$(LOCKS),$(COMPILE) -c requirements/base.lock requirements/$(name).in -o requirements/$(name).lock &&) true
	$(foreach sdk,$(basename $(wildcard requirements/sdk-*.in)),$(COMPILE) $(sdk).in -o $(sdk).lock &&) true
clean: ## remove the virtual environment and caches; data in .voxbus stays
	rm -rf $(VENV) build .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find libs services tests -name __pycache__ -prune -exec rm -rf {} +
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Voxbus needs Python 3.11 or newer: install it, then make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
$(VENV)/.run: requirements/base.lock requirements/voice-espeak.lock | $(VENV)/.made
$(VENV)/.test: requirements/dev.lock requirements/silero.lock | $(VENV)/.run
$(VENV)/.lint: requirements/lint.lock | $(VENV)/.run
$(VENV)/.run $(VENV)/.test $(VENV)/.lint:
	@echo "installing $^ (the first time takes a minute or two)"
	$(PIP) --require-hashes $(addprefix -r ,$^)
	@touch $@
$(VENV)/.members: $(addsuffix /pyproject.toml,$(MEMBERS)) | $(VENV)/.run
	$(PIP) --quiet --no-index --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@touch $@
.PHONY: up test lint gen docs locks clean help
