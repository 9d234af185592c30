# One command an intent, the same on a laptop and in CI. Each target creates .venv by itself.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest
# Two workers on two cores: OpenBLAS' threads, which wait by spinning, would take the time of the other one.
TEST := OPENBLAS_NUM_THREADS=1 $(PYTEST) -n 2 --dist loadfile
# A version of Python, such as 3.11; by default the newest that works.
VERSION :=

.PHONY: setup demo test test-studies test-all test-fast test-3.11 lint format bench docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/find-python
	@python=$$(scripts/find-python $(VERSION)) || exit 1; echo "Using $$python"; \
	$$python -m venv --clear $(VENV)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/unstill recover examples/labyrinth.png --out runs/demo --force
	@echo "Look at runs/demo/recovery.png and runs/demo/motion.mp4"

test: $(STAMP)
	$(TEST) -m 'not study'

test-studies: $(STAMP)  # the long ones, before a release: half an hour
	$(TEST) -m study

test-all: $(STAMP)
	$(TEST)

test-fast: $(STAMP)
	$(TEST) -m 'not slow and not study'

test-3.11:  # the oldest Python, which ends at an older JAX, in an environment of its own
	$(MAKE) VENV=.venv-3.11 VERSION=3.11 test-fast

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)
	$(PYTEST) benchmarks --benchmark-only --benchmark-sort=name -o addopts= -p no:cacheprovider

docs: $(STAMP)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/zensical build

clean:
	rm -rf $(VENV) .venv-3.11 runs site .pytest_cache .ruff_cache .hypothesis
