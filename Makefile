# The commands of this repository; `make` lists them. Plain python3 -m venv and pip, nothing else is needed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.tbg-installed
PIP    := $(BIN)/python -m pip install --constraint constraints.txt

# Every folder under plugins/ with a pyproject.toml is a plugin: a new one needs no line here.
PLUGIN_PROJECTS := $(sort $(wildcard plugins/*/pyproject.toml))
PLUGINS         := $(PLUGIN_PROJECTS:/pyproject.toml=)

# What `make run` does; override on the command line: make run SYSTEM=ACE-NME NUM_SAMPLES=1000 OUT=runs/nma
MODEL       ?= egnn
ENERGY      ?= openmm
SYSTEM      ?= ACE-ALA-NME
NUM_SAMPLES ?= 256
SEED        ?= 1
OUT         ?= runs/alanine-dipeptide
TBG_ARGS    ?=

# At most four workers: each imports torch. PYTEST_ARGS="-n 0 -x tests/test_x.py" runs one file in this process.
PYTEST_ARGS ?= -n auto --maxprocesses 4 --dist loadfile

.PHONY: help
help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP)  ## create .venv with tbg, all plugins and the tools of development

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "tbg needs Python 3.10 or newer: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# torch first and by itself, so that a failure of the largest download is seen as such. Then everything of this
# repository in one call: pip satisfies `tbg-core` from here and never looks for it elsewhere. Without build
# isolation there is one setuptools, installed once, at the version of constraints.txt.
$(STAMP): pyproject.toml constraints.txt $(PLUGIN_PROJECTS) | $(BIN)/python
	$(PIP) torch setuptools wheel
	$(PIP) --no-build-isolation --editable '.[trajectories,dev,docs]' $(foreach p,$(PLUGINS),--editable ./$(p))
	@touch $@

.PHONY: run
run: setup  ## the main job: a reweighted ensemble of alanine dipeptide, with a report; completes one cut short
	$(BIN)/tbg run --model $(MODEL) --energy $(ENERGY) --system $(SYSTEM) \
		--num-samples $(NUM_SAMPLES) --seed $(SEED) --out $(OUT) --resume $(TBG_ARGS)

# One thread per process: the tests run side by side, and sums keep one order.
test test-slow coverage: export OMP_NUM_THREADS := 1
test test-slow coverage: export MPLBACKEND := Agg

.PHONY: test
test: setup  ## all tests but the slow ones
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not slow"

.PHONY: test-slow
test-slow: setup  ## the slow tests: from scratch to an ensemble, kill and resume
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m slow

.PHONY: coverage
coverage: setup  ## the tests of `make test`, with a table of what they do not reach
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not slow" --cov --cov-report term-missing:skip-covered

.PHONY: lint
lint: setup  ## ruff, its formatter and mypy; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: setup  ## let ruff repair what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: setup  ## build the documentation into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

CHROMIUM ?= chromium

.PHONY: picture
picture: setup  ## the picture of the README: the report of an unseen dipeptide beside a simulation, in headless Chromium
	$(BIN)/tbg simulate --system GF --temperature 310 --frames 320 --walkers 16 --out runs/gf-simulated --resume
	$(BIN)/tbg run --model autoregressive --energy openmm --system GF --num-samples 10000 --seed 1 --out runs/gf --resume
	$(BIN)/tbg report runs/gf --reference runs/gf-simulated
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1 \
		--window-size=1200,2030 --screenshot=$(CURDIR)/docs/images/report.png file://$(CURDIR)/runs/gf/report.html

.PHONY: freeze
freeze: setup  ## print the installed versions in the form of constraints.txt
	@$(BIN)/python -m pip freeze --all --exclude pip --exclude-editable | sed 's/+[a-z0-9.]*$$//'

.PHONY: clean
clean:  ## remove what was built, except .venv and runs/
	rm -rf build dist site .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find tbg_core plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean  ## also remove .venv
	rm -rf $(VENV) *.egg-info plugins/*/src/*.egg-info
