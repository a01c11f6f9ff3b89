# Everything that a newcomer needs. `make help` lists it.

PYTHON ?= python3
STATE ?= .demo
DATA ?=
FOLDERS ?=
JOBS ?= 2
MARKDOWN ?=
ORTHANC ?=

VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-gate bench-engine bench-gate bench-latency lint clean

help: ## List these targets
	@echo "make demo               run the main job: two hospitals, one cloud, Prefect between them"
	@echo "make demo DATA=FOLDER   the same with a folder of real DICOM files"
	@echo "make setup              make the environment: $(VENV), with the entwash command in it"
	@echo "make test               run the whole test suite"
	@echo "make test ORTHANC=FILE  and what needs servers once more, on that Orthanc beside the installed one"
	@echo "make test-gate          have the gate find nothing wrong with ten thousand drawn instances (three minutes)"
	@echo "make bench-engine       measure the engine beside others; FOLDERS=\"NAME=PATH …\" adds your own"
	@echo "make bench-gate         measure engine, digests and gate together, in ms an instance; MARKDOWN=FILE too"
	@echo "make bench-latency      measure how long a study takes from stable to loaded, by step (a quarter of an hour)"
	@echo "make lint               ruff and mypy"
	@echo "make clean              remove what demo and tests keep ($(STATE) and caches), not $(VENV)"
	@echo
	@echo "PYTHON=$(PYTHON)          the Python to make the environment with, 3.11 or newer"
	@echo "JOBS=$(JOBS)                  test processes; 0 for one that can be debugged"
	@echo "STATE=$(STATE)            where the demo keeps its servers' data from run to run"

setup: $(VENV)/.installed
	@echo "Ready: $(BIN)/entwash --help"

demo: $(VENV)/.installed
	@$(BIN)/python -m deployments.demo --state "$(STATE)" $(if $(DATA),--data "$(DATA)")

test: $(VENV)/.installed
	@$(BIN)/python -m deployments.demo.installation
	@$(BIN)/python -m pytest --numprocesses "$(JOBS)" --dist loadfile --no-loadscope-reorder
	@$(if $(ORTHANC),ENTWASH_ORTHANC="$(ORTHANC)" $(BIN)/python -m pytest -m servers --numprocesses "$(JOBS)" --dist loadfile)

test-gate: $(VENV)/.installed
	@GATE_EXAMPLES=10000 $(BIN)/python -m pytest tests/test_gate_no_false_alarm.py --durations=1 --timeout 0 -o faulthandler_timeout=0

bench-engine: $(VENV)/.installed
	@$(BIN)/python -m tests.bench_engine $(foreach one,$(FOLDERS),--folder "$(one)") $(if $(MARKDOWN),--markdown "$(MARKDOWN)")

bench-gate: $(VENV)/.installed
	@$(BIN)/python -m tests.bench_gate $(foreach one,$(FOLDERS),"$(one)") $(if $(MARKDOWN),--markdown "$(MARKDOWN)")

bench-latency: $(VENV)/.installed
	@$(BIN)/python -m deployments.demo.installation
	@$(BIN)/python -m tests.bench_latency $(if $(MARKDOWN),--markdown "$(MARKDOWN)")

lint: $(VENV)/.installed
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

clean:
	rm -rf "$(STATE)" .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Two stamps, so that a change of the project alone doesn't download everything again. The requirements name
# all that is needed: with --no-deps pip doesn't look for newer versions of packages that have extras, and fail.
$(VENV)/.requirements: requirements.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is missing. Install Python 3.11 or newer: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Entwash needs Python 3.11 or newer, and $(PYTHON) is older. Name another: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make environments. Install what is missing: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --no-input --no-deps --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.requirements pyproject.toml
	$(BIN)/python -m pip install --disable-pip-version-check --no-input --no-build-isolation --no-deps -e .
	@touch $@
