# Everything starts from a bare machine with Python 3.11 or newer: each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# Two workers share two cores: with more threads than that, each waits for the other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest

.PHONY: demo test check test-slow setup format clean

demo: .venv/installed
	$(BIN)/ensue demo

test: .venv/developer
	$(PYTEST) -n 2

check: .venv/developer
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports
	$(PYTEST) -q tests/test_architecture.py

test-slow: .venv/developer
	$(PYTEST) -m slow

format: .venv/developer
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: .venv/developer

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "ensue needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/developer: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,demos]'
	@# KenLM's Python module has no wheels; without a compiler the tests against it are skipped.
	$(BIN)/python -m pip install --quiet kenlm 2> /dev/null || echo "kenlm cannot be built here: its comparison is skipped"
	touch $@

clean:
	rm -rf .venv build dist demo-run
