# Everything starts from a bare machine with Python 3.11 or newer: each target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# Two workers share two cores: with more threads than that, each waits for the other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest
COMPILER := $(shell command -v "$$CXX" || command -v c++ || command -v g++ || command -v clang++)
NATIVE := $(wildcard native/* native/cpp/* native/cpp/*/* native/src/ensue_native/*.py)

.PHONY: demo test test-eager check test-slow bench setup format clean

demo: .venv/installed .venv/native
	$(BIN)/ensue demo

test: .venv/developer .venv/native
	$(PYTEST) -n 2

# What the compiled kernels touch, without them.
test-eager: .venv/developer
	ENSUE_NATIVE=off $(PYTEST) -n 2 tests/laws tests/references

check: .venv/developer
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyrefly check
	$(BIN)/lint-imports
	$(PYTEST) -q tests/test_architecture.py

test-slow: .venv/developer .venv/native
	$(PYTEST) -m slow

# Writes the tables of docs/results.md; the machine should do nothing else.
bench: .venv/developer .venv/native
	$(BIN)/python benchmarks/training.py --write
	$(BIN)/python benchmarks/generation.py --write
	$(BIN)/python benchmarks/training.py --threads 2 --write
	$(BIN)/python benchmarks/generation.py --threads 2 --write
	$(BIN)/python benchmarks/ngram.py words --write

format: .venv/developer
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: .venv/developer .venv/native

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

# The kernels are built where there is a C++ compiler; without them everything works, only slower.
.venv/native: $(NATIVE) | .venv/installed
	@if test -z "$(COMPILER)"; then \
	    echo "there is no C++ compiler: ensue runs on torch's kernels, which are slower"; \
	elif $(BIN)/python -m pip install --quiet --force-reinstall --no-deps ./native > .venv/native.log 2>&1; then \
	    touch $@; \
	else \
	    echo "native/ cannot be built here (.venv/native.log says why): ensue runs on torch's kernels, which are slower"; \
	fi

clean:
	rm -rf .venv build dist demo-[0-9]*
