# The two commands of the README are `make demo` and `make test`; both need only Python 3.11 or later and make.
# PYTHON chooses the interpreter, VENV where the environment lives.
PYTHON ?= python3
VENV   ?= .venv
FLAGS  ?=
NBS    ?=
DEMO_ARGS ?= --start 2.53 --end 6.6 --box 1168,400,594,594 --out demo

BIN   := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP   := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
FACTS := settings.ini setup.py constraints.txt   # not pyproject.toml: nbdev_export writes it at every run

.PHONY: help demo test fuzz app docs readme notebooks hooks venv clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

$(BIN)/python:
	@echo "== environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3,11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(FACTS) | $(BIN)/python
	@echo "== installing runningpose; a first time fetches torch and takes some minutes"
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(FACTS) | $(BIN)/python
	@echo "== installing runningpose and the developers' tools; a first time fetches torch and takes some minutes"
	$(PIP) -e '.[dev]'
	@touch $@

$(VENV)/.installed-app: $(FACTS) | $(BIN)/python
	@echo "== installing runningpose and Gradio; the installation stays editable"
	$(PIP) -e '.[app]'
	@touch $@

venv: $(VENV)/.installed-dev  ## the developers' environment

demo: $(VENV)/.installed  ## fetch weights and the sample clip, analyse it, say where the report is
	@echo "== weights and sample clip"
	$(BIN)/runningpose_fetch
	@echo "== analysis"
	$(BIN)/runningpose "$$($(BIN)/runningpose_fetch --print sample)" $(DEMO_ARGS)

app: $(VENV)/.installed-app  ## a page in the browser: drop a video, read the report
	$(BIN)/runningpose_app

test: $(VENV)/.installed-dev  ## the whole test suite; FLAGS="slow data" runs those cells too
	$(BIN)/python tools/check.py --flags "$(FLAGS)"

fuzz: $(VENV)/.installed-dev  ## thousands of damaged files through every reader, with a reason for each that passes
	$(BIN)/python tests/fuzz/run.py

docs: $(VENV)/.installed-dev  ## build docs/ and check its links
	$(BIN)/python tools/docs.py

readme: $(VENV)/.installed-dev  ## write README.md from nbs/index.ipynb
	$(BIN)/python tools/readme.py

notebooks: $(VENV)/.installed-dev  ## export, run and save notebooks; NBS="nbs/a.ipynb nbs/gait" runs only those
	$(BIN)/nbdev_export
	$(BIN)/python tools/run_nbs.py $(NBS) --flags "$(FLAGS)"

hooks: $(VENV)/.installed-dev  ## git: export and clean at each commit, merge notebooks cell by cell
	git config --local core.hooksPath tools/hooks
	git config --local include.path ../.gitconfig

clean:  ## remove what builds and demos leave behind, but no environment
	rm -rf build dist demo _proc *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find nbs runningpose tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
