# `make run` labels the bundled chat log and reports on it, `make test` checks everything; both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test lint types model bench wheel clean

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "funnelnlp needs Python 3.11 or newer; point PYTHON at one: make run PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(READY)

run: $(READY)
	@mkdir -p out
	$(BIN)/funnelnlp score data/samples/chats.csv -o out/chats.labelled.csv --show 40
	@echo
	@echo 'Open this page in a browser:'
	@$(BIN)/funnelnlp report data/samples/chats.csv -o out/report.html

test: $(READY) lint types
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

model: $(READY)
	$(BIN)/python -m funnelnlp.training.default $(if $(REAL),--real $(REAL))

bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m tests.benchmarks $(BENCH)

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) out dist .pytest_cache .mypy_cache .ruff_cache
