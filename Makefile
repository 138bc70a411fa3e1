# The commands of the project. `make` alone lists them. Works with GNU make 3.81 and paths with spaces.

PY = .venv/bin/python
PACKAGES = schemas orchestration messaging workers api cli bench
MODULES = $(wildcard settings.py config_file.py celeryconfig.py logs.py tracing.py tracing_otel.py tracing_export.py)

.PHONY: help setup web demo up lint test test-fast bench bench-http bench-history docs screenshots lock clean

help:
	@echo 'make demo       set up all that is needed and provision a sandbox host, watched live'
	@echo 'make up         the stack in the foreground, until Ctrl-C'
	@echo 'make test       lint, types, import contracts and all tests, those of the page too'
	@echo 'make test-fast  the tests that kill nothing and take no time'
	@echo 'make lint       ruff, mypy, the import contracts, types and unit tests of the page'
	@echo 'make setup      the virtual environment with the pinned packages, and the page'
	@echo 'make web        the page people work with, built anew if something changed'
	@echo 'make bench      what gates cost, then durable steps against Celery alone, DBOS, Prefect, procrastinate (ARGS=--quick)'
	@echo 'make bench-http  polling, starts and the relay, beside a bare Flask answer (ARGS=--quick)'
	@echo 'make bench-history  1,000,000 finished runs: what they do to plans and times (ARGS=--quick: in seconds)'
	@echo 'make screenshots  pictures of all pages in build/screenshots, and those of the README'
	@echo 'make docs       docs/configuration.md from the settings'
	@echo 'make lock       the lock files again (needs uv)'
	@echo 'make clean      remove the virtual environment and caches'

setup:
	@sh scripts/setup.sh
	@sh scripts/web.sh --if-possible

web:
	@sh scripts/setup.sh
	@sh scripts/web.sh

demo: setup
	@.venv/bin/perdure demo

up: setup
	@exec .venv/bin/perdure up

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(PACKAGES) $(MODULES)
	.venv/bin/lint-imports
	@sh scripts/web.sh --check

# In the order of tests/conftest.py: the files that take long first.
AT_ONCE = -n 3 --dist loadfile --no-loadscope-reorder

test: lint
	@sh scripts/browser.sh
	@sh scripts/test.sh

test-fast: setup
	$(PY) -m pytest tests -q $(AT_ONCE) -m 'not fault and not slow'

bench: setup
	@sh bench/peers/setup.sh
	@$(if $(filter --only --list,$(ARGS)),,$(PY) -m bench gates $(filter --quick,$(ARGS)))
	@$(PY) -m bench steps $(ARGS)

bench-http: setup
	@$(PY) -m bench.http $(ARGS)

bench-history: setup
	$(PY) -m bench.history $(ARGS)

docs: setup
	$(PY) -m cli.configuration > docs/configuration.md

screenshots: web
	$(PY) -m tests.browser.screenshots build/screenshots --readme

UV_COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--only-binary :all: --quiet

lock:
	$(UV_COMPILE) -o requirements.lock requirements.in
	$(UV_COMPILE) -o requirements-dev.lock requirements-dev.in -c requirements.lock
	$(UV_COMPILE) -o requirements-node.lock requirements-node.in
	@if grep -nE '://|--(extra-)?index-url|--find-links' requirements*.lock; then echo 'a lock file names a registry' >&2; exit 1; fi

clean:
	rm -rf .venv .bench-venv .node web/node_modules web/.build api/static/app .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
