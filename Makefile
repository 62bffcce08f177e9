# make demo: everything on a fresh machine, then a first training run you can hear.  make test: the tests.
# make test ARGS='-m "not slow"': without those that train, play and start the command; ARGS='-n 0': one at a time.
# make docs: the site, into site/; a broken link is an error.  make packages: sdist and wheel, into dist/.
# make fuzz: more damaged files of every kind than the tests read, such as ARGS="npz mid --count 5000 --seed 1".
# make mutants: breaks the code on purpose and tells what its room's tests do not notice, ARGS="theory --count 100 --seed 1".
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt

.PHONY: demo test fuzz mutants lint docs packages bench clean

demo: $(VENV)/.ready
	@.ci/system-parts libfluidsynth3
	$(BIN)/gradmidi train --out out $(ARGS)
	@echo "now listen to out/gradients.wav and look at out/score.png"

test: $(VENV)/.ready-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(VENV)/.ready-dev
	@.ci/system-parts libfluidsynth3
	$(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(VENV)/.ready-dev
	@.ci/system-parts libfluidsynth3 fluidsynth midicsv
	$(BIN)/python -m tests.mutants $(ARGS)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ready-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

packages: $(VENV)/.ready-dev
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*
	@$(BIN)/python -m zipfile --list dist/*.whl | grep -q gradmidi.sf2 && tar -tzf dist/*.tar.gz | grep -q gradmidi.sf2 || \
	  { echo "a package lacks gradmidi.sf2"; exit 1; }

bench: $(VENV)/.ready-dev
	@.ci/system-parts libfluidsynth3 fluidsynth
	$(BIN)/python -m benchmarks $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "gradmidi needs Python 3.11 or later; run: make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module; run: sudo apt-get install python3-venv"; exit 1; }

$(VENV)/.ready: pyproject.toml .ci/constraints.txt | $(VENV)/bin/python
	@echo "installing gradmidi and torch into $(VENV) (some minutes the first time)"
	$(PIP) --editable '.[all]'
	@touch $@

$(VENV)/.ready-dev: pyproject.toml .ci/constraints.txt | $(VENV)/bin/python
	@echo "installing gradmidi with its tests' tools into $(VENV) (some minutes the first time)"
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) out dist site
