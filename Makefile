# Two commands do everything, each by itself: `make demo` and `make test`. Both rest on `make install`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
NATIVE := CMakeLists.txt $(shell find kernels -name '*.hpp' -o -name '*.cpp' -o -name '*.cu')

.PHONY: install install-dev demo test check lint types imports wheel bench clean
.DELETE_ON_ERROR:

install: .venv/.installed

install-dev: .venv/.installed-dev

.venv/.tools: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "igrt needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --constraint constraints.txt scikit-build-core nanobind cmake ninja
	touch $@

# The native modules carry the hash of their sources, so a change of any rebuilds them.
.venv/.installed: .venv/.tools pyproject.toml $(NATIVE)
	$(PIP) install --quiet --no-build-isolation --constraint constraints.txt --editable .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP) install --quiet --no-build-isolation --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/igrt demo

test: install-dev
	$(BIN)/python -m pytest

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

imports: install-dev
	$(BIN)/lint-imports

wheel: install-dev
	$(BIN)/python tests/wheel.py

# What CI runs; the tests last, so that their own line closes the run.
check: lint types imports wheel test

bench: install-dev
	$(BIN)/python benchmarks/rigid.py
	$(BIN)/python benchmarks/bus.py
	$(BIN)/python benchmarks/bus_events.py
	$(BIN)/python benchmarks/bus_memory.py
	$(BIN)/python benchmarks/projection.py

clean:
	rm -rf build .venv dist
