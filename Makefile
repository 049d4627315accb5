# Two commands matter: `make up` and `make test`. Everything runs in .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Loopback servers of ours must not be reached through a proxy of the machine's.
export NO_PROXY := 127.0.0.1,localhost
# Also where Python may keep no caches beside the code: else each of hundreds of processes compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/pycache

.PHONY: up install test test-lake test-celery retest check lint lint-style lint-types lint-sql lint-definitions lint-imports bench chaos turmoil docs lock audit

up: install
	@$(BIN)/mychatflow up --demo

install: $(STAMP)

$(STAMP): requirements-dev.txt requirements-tools.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "MyChatFlow needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-tools.txt requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# One more at once than there are cores, each with servers of its own: much of the time is spent waiting.
test: install
	@$(BIN)/python -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist worksteal

# Only what failed the last time, one at a time.
retest: install
	@$(BIN)/python -m pytest --last-failed

# The warehouse as a lake, in the environment that it needs.
test-lake: install
	@test -x .venv-lake/bin/python || $(PYTHON) -m venv .venv-lake
	@$(BIN)/uv pip sync --quiet --python .venv-lake/bin/python --require-hashes requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python .venv-lake/bin/python -r requirements-lake.txt
	@.venv-lake/bin/python -m pytest tests/warehouse/test_lake.py

# Dagster's runs on two Celery workers on machines of their own: as the administrator of a Linux with iproute2.
test-celery: install
	@test -x .venv-celery/bin/python || $(PYTHON) -m venv .venv-celery
	@$(BIN)/uv pip sync --quiet --python .venv-celery/bin/python --require-hashes requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python .venv-celery/bin/python --require-hashes -r deploy/requirements-celery.txt
	@.venv-celery/bin/python -m tests.scale.celery_runs

# Each by itself, so that `make --jobs=2 lint` uses both cores; the types and the SQL take longest.
lint: lint-style lint-types lint-sql lint-definitions lint-imports

lint-style: install
	$(BIN)/ruff format --check
	$(BIN)/ruff check

lint-types: install
	$(BIN)/mypy

lint-sql: install
	$(BIN)/sqlfluff lint --disable-progress-bar sql

lint-definitions: install
	$(BIN)/dagster definitions validate --log-level error --module-name pipelines.definitions

lint-imports: install
	$(BIN)/lint-imports

check: lint test

bench: install
	@$(BIN)/mychatflow bench

chaos: install
	@$(BIN)/python -m tests.chaos

turmoil: install
	@$(BIN)/python -m tests.turmoil

docs: install
	@$(BIN)/mychatflow config example > .env.example
	@$(BIN)/python -m pipelines.reference docs/reference
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# A registry without advisories is no hole in ours: it is said, and does not fail.
audit: install
	@$(BIN)/python -m tests.architecture.advisories

lock:
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra dev pyproject.toml -o requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra kubernetes pyproject.toml -o deploy/requirements-kubernetes.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --extra celery pyproject.toml -o deploy/requirements-celery.txt
