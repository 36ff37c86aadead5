# make setup | demo | docs | test | check | hooks | bench | dist. Every target sets up what it needs.
PY ?= python3
V := .venv
BIN := $(V)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo docs test test-portable check hooks integration bench studies dist clean

help:
	@echo "make demo    fit the default picture and write demo/report.html"
	@echo "make docs    build the documentation site in build/docs/html"
	@echo "make test    run the test suite"
	@echo "make test-portable  the numerical tests with the rounding of other processors"
	@echo "make check   formatting, lint, names and lengths, types, layers"
	@echo "make hooks   run the checks at each commit"
	@echo "make integration  callbacks and trackers against the real packages"
	@echo "make bench   speed and memory against the usual alternative"
	@echo "make studies test the claims of the literature again: evidence/ and its short form"
	@echo "make dist    wheel and source distribution in dist/, checked"
	@echo "make setup   the virtual environment alone"

$(V)/.core: requirements.lock pyproject.toml
	$(PY) -m venv $(V)
	$(BIN)/python -m pip install -q -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(V)/.test: requirements-test.lock $(V)/.core
	$(BIN)/python -m pip install -q -r requirements-test.lock
	@touch $@

$(V)/.docs: requirements-docs.lock $(V)/.test
	$(BIN)/python -m pip install -q -r requirements-docs.lock
	@touch $@

$(V)/.integration: requirements-integration.lock $(V)/.test
	$(BIN)/python -m pip install -q -r requirements-integration.lock
	@touch $@

$(V)/.hooks: requirements-dev.lock .pre-commit-config.yaml $(V)/.test
	$(BIN)/python -m pip install -q -r requirements-dev.lock
	$(BIN)/pre-commit install
	@touch $@

$(V)/.browser: tools/browser.sh $(V)/.docs
	bash tools/browser.sh
	@touch $@

setup: $(V)/.core

demo: $(V)/.core
	$(BIN)/overtone fit --out demo --overwrite --time 60

docs: $(V)/.docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs/html

test: $(V)/.browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

test-portable: $(V)/.test
	$(BIN)/python tools/portable.py $(if $(PART),--part)

check: $(V)/.test
	$(BIN)/ruff format --check src tests benchmarks tools integration docs/gallery
	$(BIN)/ruff check src tests benchmarks tools integration docs/gallery
	$(BIN)/python tools/house.py --check
	$(BIN)/mypy
	$(BIN)/lint-imports

hooks: $(V)/.hooks

bench: $(V)/.test
	$(BIN)/python -m benchmarks

integration: $(V)/.integration
	$(BIN)/python -m pytest -q -W ignore integration

dist: $(V)/.core
	$(BIN)/python tools/dist.py dist

studies: $(V)/.test
	$(BIN)/overtone study run all --size quick --out evidence
	$(BIN)/python tools/judge_studies.py
	$(BIN)/overtone study report --out studies.html

clean:
	rm -rf $(V) demo build dist
