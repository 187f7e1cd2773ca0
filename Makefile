# Two commands do everything: `make demo` shows the product working, `make test` runs all that CI runs.
# Both make a virtual environment in .venv and build the native libraries, when something they need has changed.

VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint test-training clean

help:
	@echo "make demo            build, then watch a real lsp-server complete holes in this repository"
	@echo "make test            lint, types and every test (what CI runs)"
	@echo "make lint            only ruff and mypy"
	@echo "make test-training   the tests that need PyTorch (Python 3.11)"
	@echo "make clean           remove .venv and build outputs"

demo: $(VENV)/.installed
	$(BIN)/python benchmarks/demo.py

test: $(VENV)/.installed-test lint
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-training: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,training]'
	$(BIN)/python -m pytest tests/training

# The stamps are made anew when the build description or the native sources change.
SOURCES := pyproject.toml .ci/setup CMakeLists.txt $(shell find runtime/ops indexer/native -name build -prune -o \
	\( -name '*.cc' -o -name '*.h' -o -name '*.cmake' -o -name 'CMakeLists.txt' \) -print)

$(VENV)/.installed: $(SOURCES)
	@sh .ci/setup $(VENV) .
	@touch $@

$(VENV)/.installed-test: $(SOURCES)
	@sh .ci/setup $(VENV) '.[test]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build runtime/ops/build indexer/native/build .mypy_cache .ruff_cache .pytest_cache .hypothesis
